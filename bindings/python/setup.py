"""Build the module by the project's CMake, two folders up.

All that is built is in the project's build/python-package, or in the folder
that SSH2_PACKAGE_BUILD names.  CMAKE_ARGS are options for CMake, such as
-DSSH2_LIBSSH2=system.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

TOP = Path(__file__).resolve().parents[2]
BUILD = os.environ.get("SSH2_PACKAGE_BUILD", str(TOP / "build/python-package"))


class CMakeBuild(build_ext):
    """Let CMake build, and take what it published: module, files, stubs."""

    def build_extension(self, ext: Extension) -> None:
        if self.inplace:
            sys.exit("ssh2 is not installed editable: PYTHONPATH=build/python")
        if not shutil.which("cmake"):
            sys.exit("ssh2 is built by CMake, which is not installed")
        work = Path(self.build_temp).resolve()
        options = [
            "-DCMAKE_BUILD_TYPE=Release",
            "-DSSH2_RUBY=OFF",
            f"-DPython3_EXECUTABLE={sys.executable}",
            *shlex.split(os.environ.get("CMAKE_ARGS", "")),
        ]
        if shutil.which("ninja"):
            options.insert(0, "-GNinja")
        for arguments in (
            ["-S", TOP, "-B", work, *options],
            ["--build", work, "--target", "publish_python", "--parallel"],
        ):
            if subprocess.run(["cmake", *arguments]).returncode:
                sys.exit("CMake failed: see above")
        folder = Path(self.get_ext_fullpath(ext.name)).parent
        shutil.rmtree(folder)  # with what is gone from the tree
        folder.mkdir()
        for file in (work / "python/ssh2").iterdir():
            if file.suffix in (".py", ".pyi", ".typed", ".so", ".pyd"):
                shutil.copy(file, folder)


if not (TOP / "cmake/version.txt").is_file():
    sys.exit("ssh2 is built from a clone of its whole tree")
os.makedirs(BUILD, exist_ok=True)
setup(
    version=(TOP / "cmake/version.txt").read_text().strip(),
    ext_modules=[Extension("ssh2._binding", [])],
    cmdclass={"build_ext": CMakeBuild},
    options={
        "build": {"build_base": BUILD},
        "egg_info": {"egg_base": BUILD},
    },
)
