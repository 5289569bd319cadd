"""The type stubs against the built module: mypy's stubtest, mypy --strict.

Skipped (77) where there is no mypy for this version of Python.
"""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILT = Path(os.environ["SSH2_BUILD"]).resolve() / "python"


def run(*command):
    # mypy wants no folder in MYPYPATH that its Python knows, so one each.
    with tempfile.TemporaryDirectory() as cache:
        env = dict(os.environ, MYPYPATH=str(BUILT), MYPY_CACHE_DIR=cache)
        return subprocess.run(command, env=env, cwd=cache,
                              check=False).returncode


def main():
    tools = [shutil.which(name) for name in ("stubtest", "mypy")]
    if not all(tools):
        print("1..0 # SKIP mypy is not installed")
        return 77
    stubtest, mypy = tools
    config = HERE.parent / "bindings" / "python" / "pyproject.toml"
    # A module that has its types within is no stub.
    stubs = [f"ssh2.{path.stem}" for path in (BUILT / "ssh2").glob("*.pyi")]
    print("1..3")
    failed = 0
    for number, (name, *command) in enumerate([
            ("stubtest finds nothing", stubtest, *stubs),
            ("mypy finds nothing in the package", mypy, "--config-file",
             config, BUILT / "ssh2"),
            ("mypy finds what it should in a program", mypy, "--config-file",
             config, HERE / "python" / "typed.py")], 1):
        code = run(*command)
        failed += code != 0
        print(f"{'not ok' if code else 'ok'} {number} - {name}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
