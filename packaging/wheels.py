"""The libraries that are packed with pairvisor: which wheels, and how they lie beside one another.

requirements.txt names each by its hash, so that the same is packed whoever packs. A library in C
has a wheel for each version of Python and each kind of machine. What these differ in has names of
its own (`_core.cpython-311-x86_64-linux-gnu.so`), so all of them go into one folder, and each
Python takes what is its own.
"""

import hashlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
MACHINES = ("x86_64", "aarch64")
GLIBC = ("2_17", "2_28")  # what the machines that are meant have at least, Debian 12 far more
# rich's, for what nothing here uses: coloured code and Markdown. They would be half of a package.
UNUSED = ("pygments", "markdown_it_py", "mdurl")
FOR_INSTALLERS = ("RECORD", "WHEEL")  # of single wheels; they would contradict one another
ENTRY = re.compile(r"^\w.*?[^\\]\n", re.MULTILINE | re.DOTALL)
HEAD = """\
# The wheels that are packed with pairvisor, made by `./dev package --lock` of the newest ones
# that pyproject.toml allows.
"""


def project() -> dict[str, list[str]]:
    """The [project] of pyproject.toml, as far as it is lists."""
    data: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return data


def pythons() -> list[str]:
    """The versions that pyproject.toml says are supported, the oldest first."""
    prefix = "Programming Language :: Python :: 3."
    return [
        "3." + line.removeprefix(prefix)
        for line in project()["classifiers"]
        if line.startswith(prefix)
    ]


def too_new() -> str:
    """The first version that is not supported."""
    major, minor = pythons()[-1].split(".")
    return f"{major}.{int(minor) + 1}"


def download(folder: Path) -> None:
    """All that requirements.txt names, for each Python on each machine."""
    text = REQUIREMENTS.read_text()
    for machine in MACHINES:
        for python in pythons():
            wanted = folder / "wanted"
            wanted.write_text(text)
            how = ("--require-hashes", "--no-deps", "--requirement", str(wanted))
            _pip_download(folder, machine, python, *how)
            text = "".join(lines for lines in ENTRY.findall(text) if lines.count("--hash") > 1)
    wanted.unlink()


def fitting(folder: Path, machine: str) -> list[Path]:
    """Those that such a machine can use."""
    return [p for p in folder.glob("*.whl") if p.stem.endswith(("-any", f"_{machine}"))]


def lock(folder: Path) -> None:
    """Write requirements.txt anew; the folder is for the wheels."""
    for machine in MACHINES:
        for python in pythons():
            _pip_download(folder, machine, python, *project()["dependencies"])
    hashes: dict[str, list[str]] = {}
    for wheel in sorted(folder.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        if name not in UNUSED:
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            hashes.setdefault(f"{name}=={version}", []).append(f"--hash=sha256:{digest}")
    lines = [" \\\n    ".join([name, *digests]) for name, digests in hashes.items()]
    REQUIREMENTS.write_text(HEAD + "\n".join(lines) + "\n")


def _pip_download(folder: Path, machine: str, python: str, *wanted: str) -> None:
    platforms = [f"--platform=manylinux_{version}_{machine}" for version in GLIBC]
    command = [sys.executable, "-m", "pip", "download", "-qq"]
    command += ["--disable-pip-version-check", "--only-binary=:all:", "--implementation=cp"]
    command += [f"--python-version={python}", *platforms, f"--dest={folder}", *wanted]
    subprocess.run(command, check=True)


def unpack(wheels: Iterable[Path], folder: Path) -> None:
    """Beside one another; a file of two wheels has to be the same in both."""
    for wheel in sorted(wheels):
        with ZipFile(wheel) as archive:
            for name in archive.namelist():
                if not name.endswith("/") and Path(name).name not in FOR_INSTALLERS:
                    _put(folder / name, archive.read(name))


def _put(path: Path, content: bytes) -> None:
    if path.exists() and path.read_bytes() != content:
        raise ValueError(f"two wheels have another {path.name} each, in {path.parent}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
