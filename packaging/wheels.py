"""The libraries that are packed with pairvisor, each by its hash: whoever builds a commit
packs the same, whenever that is.

A library in C has a wheel for each Python and each kind of machine. What they differ in has names
of its own (`_core.cpython-311-x86_64-linux-gnu.so`), so those for one machine go into one folder.
"""

import hashlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
NEXT = "3.15"
MACHINES = ("x86_64", "aarch64")
GLIBC = ("2_17", "2_28")  # of wheels' names: what they need at least; Debian 12 has 2.36
ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
# rich needs these to show code and Markdown, which nothing here does; they are most of all files.
NEEDLESS = ("pygments", "markdown_it_py", "mdurl")
HEAD = "# What is packed with pairvisor, made by `./dev package --lock`: the newest that will do.\n"
ENTRY = re.compile(r"^\w.*?[^\\]\n", re.MULTILINE | re.DOTALL)


def download(folder: Path) -> None:
    """Those for each Python on a machine like this one."""
    wanted, text = folder / "wanted.txt", REQUIREMENTS.read_text()
    for python in PYTHONS:
        wanted.write_text(text)
        how = ("--require-hashes", "--no-deps", "--requirement", str(wanted))
        _pip_download(folder, os.uname().machine, python, how)
        # The next Python has only those of its own that there are several of.
        text = "".join(entry for entry in ENTRY.findall(text) if entry.count("--hash") > 1)
    wanted.unlink()


def lock(folder: Path) -> None:
    """Write requirements.txt anew, for all machines; the folder is for the wheels."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for machine in MACHINES:
        for python in PYTHONS:
            _pip_download(folder, machine, python, project["dependencies"])
    hashes: dict[str, list[str]] = {}
    for wheel in sorted(folder.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        if name not in NEEDLESS:
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            hashes.setdefault(f"{name}=={version}", []).append(f"--hash=sha256:{digest}")
    lines = [" \\\n    ".join([name, *digests]) + "\n" for name, digests in hashes.items()]
    REQUIREMENTS.write_text(HEAD + "".join(lines))


def _pip_download(folder: Path, machine: str, python: str, wanted: Sequence[str]) -> None:
    platforms = [f"--platform=manylinux_{version}_{machine}" for version in GLIBC]
    command = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check"]
    command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}"]
    subprocess.run([*command, *platforms, f"--dest={folder}", *wanted], check=True)
