"""Run one work by one of the Python programs, and print what it took.

    python.py PEER about
    python.py PEER WORK COUNT REMOTE LOCAL

A peer is the file of that name beside this one. It has `about()`, its
version; `log_in()` and `log_out(session)`; `sftp(session)` if it has any; and
a function for each work it knows, which gets the session, or its SFTP, and
the job, and answers how much was done. Nobody is timed while logging in, but
by `connect`.
"""

import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

MIB = 1 << 20
HERE = Path(__file__).resolve().parent
SESSION = ["exec", "stream", "scp"]
SFTP = ["get", "put", "stat", "stats", "list", "tree_get", "tree_put"]
ALONE = ["call"]
SERVER = SimpleNamespace(
    host=os.environ.get("SSH2_HOST"),
    port=int(os.environ.get("SSH2_PORT", 0)),
    user=os.environ.get("SSH2_USER"),
    key=os.environ.get("SSH2_KEY"),
    known_hosts=os.environ.get("SSH2_KNOWN_HOSTS"),
)


def load(name):
    """A peer's module, whose name may be that of what it imports."""
    spec = importlib.util.spec_from_file_location(
        f"peer_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- what several peers do alike --------------------------------------------


def stat(sftp, job):
    for i in range(job.count):
        sftp.stat(f"{job.remote}/e{i:05}")
    return job.count


def put_each(sftp, job, upload):
    """A tree, by a call for each file."""
    done = 0
    for folder, _, files in os.walk(job.local):
        path = os.path.normpath(
            os.path.join(job.remote, os.path.relpath(folder, job.local)))
        sftp.mkdir(path, 0o755)
        for name in files:
            upload(sftp, os.path.join(folder, name), f"{path}/{name}")
            done += 1
    return done


# --- one work ---------------------------------------------------------------


def function(peer, work):
    return getattr(peer, "execute" if work == "exec" else work, None)


def works(peer):
    lacking = getattr(peer, "lacking", list)()
    known = [w for w in SESSION + SFTP + ALONE
             if function(peer, w) and w not in lacking]
    return [*known, "connect", "sessions"]


def resident():
    """What is in memory now, in KiB; 0 where there is no /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * (os.sysconf("SC_PAGE_SIZE") // 1024)


def measured(run, *arguments):
    base = resident()
    wall, cpu = time.monotonic(), time.process_time()
    got = run(*arguments)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    return {"wall": wall, "cpu": cpu, "base_kib": base,
            "now_kib": resident(), "got": got}


def connect(peer, count):
    for _ in range(count):
        peer.log_out(peer.log_in())
    return count


def main(name, work, count=0, remote=None, local=None):
    peer = load(name)
    if work == "about":
        return {"version": peer.about(), "works": works(peer)}
    job = SimpleNamespace(count=int(count), remote=remote, local=local,
                          size=os.environ.get("BENCH_BUFFER"))
    job.size = int(job.size) if job.size else None
    if work == "call":
        return peer.call(job)
    if work == "connect":
        return measured(connect, peer, job.count)
    if work == "sessions":
        kept = []
        return measured(lambda: [kept.append(peer.log_in())
                                 for _ in range(job.count)] and job.count)
    session = peer.log_in()
    handle = peer.sftp(session) if work in SFTP else session
    answer = measured(function(peer, work), handle, job)
    peer.log_out(session)
    return answer


if __name__ == "__main__":
    # What a peer imports is not to be found here.
    sys.path[:] = [p for p in sys.path if Path(p or ".").resolve() != HERE]
    sys.modules["bench"] = sys.modules["__main__"]
    print(json.dumps(main(*sys.argv[1:])), flush=True)
    if sys.argv[2] == "sessions":
        os._exit(0)  # they are open still
