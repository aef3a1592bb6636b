"""`./dev package [--out DIR] [--lock]`: all forms in which pairvisor is given to others.

The same sources make the same files, byte by byte: what is packed is dated as SOURCE_DATE_EPOCH
says, or as the last commit is.
"""

import argparse
import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import archive
import debian
import redhat
import tree
import wheels

from pairvisor import __version__

ROOT = Path(__file__).resolve().parents[1]
MAINTAINER = "The pairvisor maintainers <pairvisor@pairvisor.invalid>"
NO_SOURCES = (".git", ".venv*", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev package", description="Build all packages.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="DIR")
    parser.add_argument("--lock", action="store_true", help="renew requirements.txt, build nothing")
    asked = parser.parse_args()
    os.umask(0o022)
    with tempfile.TemporaryDirectory() as work:
        if asked.lock:
            wheels.lock(Path(work))
        else:
            asked.out.mkdir(parents=True, exist_ok=True)
            _build(asked.out.resolve(), Path(work))


def _build(out: Path, work: Path) -> None:
    release = tree.Release(__version__, _epoch(), MAINTAINER)
    own, sdist = _build_for_python(work, release.epoch)
    for path in (own, sdist):
        shutil.copy(path, out)
        _say(out / path.name)
    machine = os.uname().machine
    found, everywhere, here = work / "wheels", work / "everywhere", work / "here"
    found.mkdir()
    wheels.download(found)
    wheels.unpack([own, *found.glob("*.whl")], everywhere)
    wheels.unpack([own, *wheels.fitting(found, machine)], here)
    _say(archive.build(everywhere, out / "pairvisor.pyz", release.epoch))
    if shutil.which("dpkg-deb"):
        _say(debian.build(here, out, release, machine, work))
    if shutil.which("rpmbuild"):
        _say(redhat.build(here, out, release, machine, work))


def _say(path: Path) -> None:
    sys.stderr.write(f"{path.stat().st_size:>10,} bytes  {path}\n")


def _epoch() -> int:
    if "SOURCE_DATE_EPOCH" not in os.environ:
        command = ["git", "log", "-1", "--format=%ct"]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if said.returncode:
            sys.exit("no git repository here: set SOURCE_DATE_EPOCH")
        os.environ["SOURCE_DATE_EPOCH"] = said.stdout.strip()
    return int(os.environ["SOURCE_DATE_EPOCH"])


def _build_for_python(work: Path, epoch: int) -> tuple[Path, Path]:
    """The wheel and the sdist, of a copy of the sources: nothing of an earlier build gets in."""
    sources = work / "sources"
    shutil.copytree(ROOT, sources, ignore=shutil.ignore_patterns(*NO_SOURCES))
    made = work / "made"
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(made), str(sources)]
    subprocess.run(command, cwd=work, check=True, stdout=subprocess.DEVNULL)
    sdist = next(made.glob("*.tar.gz"))
    _date(sdist, epoch)
    return next(made.glob("*.whl")), sdist


def _date(sdist: Path, epoch: int) -> None:
    """setuptools leaves in it when it was made, and by whom."""
    content = io.BytesIO()
    with tarfile.open(sdist) as old, tarfile.open(fileobj=content, mode="w") as new:
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            member.mtime, member.uid, member.gid = epoch, 0, 0
            member.uname = member.gname = "root"
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    sdist.write_bytes(gzip.compress(content.getvalue(), mtime=epoch))


if __name__ == "__main__":
    main()
