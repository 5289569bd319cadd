"""What a process holds that it must not gather: memory, descriptors, threads.
"""
import os
import re
import subprocess
import sys
from pathlib import Path


def steady():
    """Runners started from now on have one heap, keep nothing that is free for
    later, which would count as in use, and give it back."""
    os.environ.update(MALLOC_ARENA_MAX="1", MALLOC_TRIM_THRESHOLD_="65536",
                      MALLOC_MMAP_THRESHOLD_="65536",
                      GLIBC_TUNABLES="glibc.malloc.tcache_count=0")


class Held:
    """What a process holds that it must not gather."""

    def __init__(self, pid):
        proc = Path(f"/proc/{pid}")
        self.fds = len(os.listdir(proc / "fd"))
        self.threads = len(os.listdir(proc / "task"))

    def more_than(self, other):
        return self.fds > other.fds or self.threads > other.threads

    def __str__(self):
        return f"{self.fds} descriptors, {self.threads} threads"


def rss(pid):
    """Bytes in memory, as they are now: statm's count lags behind."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"Rss:\s+(\d+)", text)[1]) * 1024


def in_use(path):
    """Bytes that the program has not given back, as malloc_info() tells."""
    text = Path(path).read_text().rpartition("</heap>")[2]
    sizes = {(kind, name): int(size) for kind, name, size in re.findall(
        r'<(total|system) type="(\w+)"[^>]* size="(\d+)"', text)}
    return sizes["system", "current"] + sizes["total", "mmap"] - \
        sizes["total", "fast"] - sizes["total", "rest"]


def leaked(pid):
    """The core's count of blocks that a session in good order left behind;
    None where it is out of reach."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    library = re.search(r"/\S*/_?binding\S*\.so", maps)
    if not library:
        return None
    library = library[0]
    nm = subprocess.run(["nm", library], capture_output=True, text=True,
                        check=False).stdout
    at = re.search(r"^(\w+) \w s2_leaked$", nm, re.MULTILINE)
    for line in maps.split("\n"):
        if at and line.endswith(library) and line.split()[2] == "00000000":
            base = int(line.split("-")[0], 16)
            with open(f"/proc/{pid}/mem", "rb") as memory:
                memory.seek(base + int(at[1], 16))
                return int.from_bytes(memory.read(8), sys.byteorder)
    return None
