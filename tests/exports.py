"""Each module shows the loader one name: its init function."""
import os
import subprocess
import sys
from pathlib import Path

BUILD = Path(os.environ["SSH2_BUILD"])
MODULES = {"python/ssh2/_binding*.so": "PyInit__binding",
           "ruby/ssh2/binding.so": "Init_binding"}

wrong = seen = 0
for pattern, init in MODULES.items():
    for module in BUILD.glob(pattern):
        listed = subprocess.run(
            ["nm", "-D", "--defined-only", "--format=posix", module],
            check=True, capture_output=True, text=True).stdout
        names = [line.split()[0] for line in listed.splitlines()]
        print(module.relative_to(BUILD), *names)
        wrong += names != [init]
        seen += 1
sys.exit(wrong or not seen)
