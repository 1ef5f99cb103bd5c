"""The clone's environment, made once, before anything is installed: `python3 hyperlib/press/environment.py`.

Makes `.venv`, installs the library with the pinned versions of `constraints.txt`, and leaves a stamp of what
it was made from, so a second call returns at once. Only the standard library is used, and only what every
Python since 2.7 reads, so a too old one can say so in a sentence.
"""

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OLDEST, NEWEST = (3, 11), (3, 13)


def fault_of(version):
    """Why the book cannot use this Python version, in one sentence; None if it can."""
    if OLDEST <= tuple(version[:2]) <= NEWEST:
        return None
    return (
        "The book needs Python {}.{} to {}.{}, and this is {}.{}; name another one, such as "
        "`make env PYTHON=python3.12`.".format(*(OLDEST + NEWEST + tuple(version[:2])))
    )


def stamp_of(root):
    """What an environment depends on: names and versions of packages, the interpreter, and its own place."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt"):
        with open(os.path.join(root, name), "rb") as file:
            digest.update(file.read())
    for fact in (sys.version, os.path.realpath(sys.executable), root):
        digest.update(fact.encode())
    return digest.hexdigest()


def make_environment(root, folder):
    """Make or renew the environment in `folder`; a sentence if it cannot be done, None if it is ready."""
    stamp, python = os.path.join(folder, ".ready"), python_of(folder)
    wanted = stamp_of(root)
    if os.path.isfile(stamp) and os.path.isfile(python):
        with open(stamp, encoding="utf-8") as file:
            if file.read() == wanted:
                return None
    began = time.time()
    print("Setting up {} (minutes; 2.5 GB of disk, 7 where torch comes with CUDA).".format(os.path.basename(folder)))
    sys.stdout.flush()
    if not usable(folder):
        shutil.rmtree(folder, ignore_errors=True)
    if not usable(folder) and subprocess.call([sys.executable, "-m", "venv", folder]):
        return "Python could not make {}; on Debian and Ubuntu install the package python3-venv first.".format(folder)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    install += ["-c", "constraints.txt", "-e", ".[book,test]"]
    if subprocess.call(install, cwd=root):
        return "pip could not install the packages (its reason stands above); mend that, and try again."
    with open(stamp, "w", encoding="utf-8") as file:
        file.write(wanted)
    print("The environment is ready ({:.1f} minutes).".format((time.time() - began) / 60))
    return None


def usable(folder):
    """Whether an environment made here by this Python version is in `folder`: then pip only mends it.

    So a torch that was chosen by hand, such as the CPU build, stays where it is.
    """
    try:
        with open(os.path.join(folder, "pyvenv.cfg"), encoding="utf-8") as file:
            facts = [line.strip().split(" = ", 1) for line in file if " = " in line]
    except OSError:
        return False
    here = dict(facts).get("command", "").endswith(os.path.abspath(folder))
    return here and dict(facts).get("version") == platform.python_version() and os.path.isfile(python_of(folder))


def python_of(folder):
    """The interpreter inside an environment."""
    return os.path.join(folder, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))


def main():
    """Check the version, then make the environment while no other process does; the exit code."""
    fault = fault_of(sys.version_info)
    if fault is None:
        try:
            os.makedirs(os.path.join(ROOT, "_build"), exist_ok=True)
            with alone(os.path.join(ROOT, "_build", ".environment.lock")):
                fault = make_environment(ROOT, os.path.join(ROOT, ".venv"))
        except OSError as error:
            fault = "The environment cannot be made ({}); give yourself room and permission there.".format(error)
    if fault:
        sys.stderr.write("error: " + fault + "\n")
    return 1 if fault else 0


class alone:  # noqa: N801 - reads as a word where it is used
    """Hold a lock file while the block runs, where the system has such locks; it ends with the process."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.file = open(self.path, "a")
        try:
            import fcntl
        except ImportError:
            return
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *reason):
        self.file.close()


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sys.exit(main())
