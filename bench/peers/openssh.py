"""OpenSSH's tools: measured from outside only.

`command` is called by bench/run.py itself: nothing of Python's is timed. What
their connecting takes is measured as the work `nothing`.
"""

import os
import shlex
import shutil
import subprocess

WORKS = {
    "sftp": ["get", "put", "list", "tree_get", "tree_put"],
    "scp": ["scp", "get", "put", "tree_get", "tree_put"],
    "ssh": ["stream", "connect"],
}


def about(tool):
    """Its version and works; None if it is not installed."""
    if not shutil.which(tool):
        return None
    text = subprocess.run(["ssh", "-V"], capture_output=True, text=True,
                          check=False).stderr
    version = (text.split() or ["OpenSSH"])[0]
    return {"version": version.strip(","), "works": WORKS[tool]}


def options(env):
    return ["-F", "none", "-q", "-i", env["SSH2_KEY"],
            *(part for option in (
                f"Port={env['SSH2_PORT']}", f"User={env['SSH2_USER']}",
                f"UserKnownHostsFile={env['SSH2_KNOWN_HOSTS']}",
                "GlobalKnownHostsFile=/dev/null", "BatchMode=yes",
                "IdentitiesOnly=yes") for part in ("-o", option))]


def command(tool, work, count, remote, local, env):
    """What to run, its output to be thrown away."""
    host, set_up = env["SSH2_HOST"], options(env)
    if work == "nothing" and tool != "sftp":
        return ["ssh", *set_up, host, "true"]
    if tool == "scp":
        mode = {"scp": ["-O"]}.get(work, ["-s"])
        ends = [f"{host}:{remote}", local]
        if work.endswith("put"):
            ends = [local, f"{host}:{remote}"]
        recurse = ["-r"] if work.startswith("tree") else []
        return ["scp", *mode, *recurse, *set_up, *ends]
    if tool == "ssh":
        once = ["ssh", *set_up, host]
        if work == "stream":
            return [*once, f"head -c {count}M /dev/zero"]
        loop = f"for i in $(seq {count}); do {shlex.join(once)} true; done"
        return ["sh", "-ec", loop]
    line = {"get": f"get {remote} {local}", "put": f"put {local} {remote}",
            "tree_get": f"get -r {remote} {local}",
            "tree_put": f"put -r {local} {remote}",
            "list": f"ls -1f {remote}", "nothing": "bye"}[work]
    batch = os.path.join(env["BENCH_TMP"], "batch")
    with open(batch, "w") as file:
        print(line, file=file)
    return ["sftp", *set_up, "-b", batch, host]
