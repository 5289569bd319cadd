"""Let pip build the package from a clone, install it, and use it.

    package.py [OPTION-FOR-CMAKE...]

Nothing is fetched: pip uses the setuptools that are installed.
"""
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
TMP = Path(os.environ["SSH2_TMP"])
CLONE, WHEELS, TARGET = TMP / "clone", TMP / "wheels", TMP / "target"
SESSION = """
import os, ssh2
from ssh2.session import Session
print("version:", ssh2.__version__)
print("module:", ssh2.__file__)
with Session() as session:
    session.connect(os.environ["SSH2_HOST"], int(os.environ["SSH2_PORT"]),
                    known_hosts=os.environ["SSH2_KNOWN_HOSTS"])
    session.userauth_publickey_fromfile(os.environ["SSH2_USER"],
                                        os.environ["SSH2_KEY"])
    channel = session.open_session()
    channel.execute("echo from a wheel")
    print("output:", channel.read()[1].decode().strip())
maps = open("/proc/self/maps").read() if os.path.exists("/proc/self") else ""
print("shared:", "/libssh2." in maps)
"""


def clone():
    """The tree as git has it, or without what is built."""
    if not (TOP / ".git").exists():
        shutil.copytree(TOP, CLONE, symlinks=True,
                        ignore=shutil.ignore_patterns(
                            "build", "__pycache__", ".*_cache"))
        return
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, check=True,
                            capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (TOP / name).is_file():
            (CLONE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TOP / name, CLONE / name)


def files(top):
    """The files below a folder, but those that were built."""
    return {path.relative_to(top).as_posix() for path in top.rglob("*")
            if path.is_file()
            and path.relative_to(top).parts[0] != "build"}


def pip(*arguments):
    subprocess.run([sys.executable, "-m", "pip", *arguments, "--no-index",
                    "--no-deps"], check=True)


def main(options):
    for need in ("pip", "setuptools", "wheel"):
        if not importlib.util.find_spec(need):
            print(f"1..0 # SKIP {need} is not installed")
            return 77
    for name in ("PYTHONPATH", "SSH2_PACKAGE_BUILD"):
        os.environ.pop(name, None)
    os.environ["CMAKE_ARGS"] = shlex.join(options)
    clone()
    source = files(CLONE)
    pip("wheel", "--no-build-isolation", "-w", str(WHEELS),
        str(CLONE / "bindings/python"))
    assert files(CLONE) == source, files(CLONE) - source

    wheel, = WHEELS.iterdir()
    version = (TOP / "cmake/version.txt").read_text().strip()
    assert wheel.name.startswith(f"ssh2-{version}-"), wheel
    names = {re.sub(r"_binding\..*", "_binding", name)
             for name in zipfile.ZipFile(wheel).namelist()}
    package = TOP / "bindings/python/ssh2"
    wanted = {f"ssh2/{path.name}" for path in package.iterdir()
              if path.suffix in (".py", ".pyi", ".typed")}
    wanted |= {"ssh2/_binding", "ssh2/binding.py", "ssh2/binding.pyi",
               "ssh2/constants.pyi", "ssh2/error_codes.pyi",
               "ssh2/exceptions.pyi"}
    wanted |= {f"ssh2-{version}.dist-info/{name}"
               for name in ("METADATA", "WHEEL", "RECORD", "top_level.txt")}
    assert names == wanted, names ^ wanted

    pip("install", "--target", str(TARGET), str(wheel))
    done = subprocess.run([sys.executable, "-c", SESSION], cwd=TMP,
                          env=os.environ | {"PYTHONPATH": str(TARGET)},
                          check=True, stdout=subprocess.PIPE, text=True)
    print(done.stdout)
    shared = "-DSSH2_LIBSSH2=system" in options
    assert done.stdout.splitlines() == [
        f"version: {version}", f"module: {TARGET}/ssh2/__init__.py",
        "output: from a wheel", f"shared: {shared}"]
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
