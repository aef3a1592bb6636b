"""What `./dev package` builds, once for all tests of a run."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("dpkg-deb", "strip", "git")
missing = [tool for tool in TOOLS if not shutil.which(tool)]
needs_tools = pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def built(factory: pytest.TempPathFactory) -> Path:
    """The folder that has all packages, made once in this run of the tests, by whoever is first:
    there may be several processes, which have folders of their own in one."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with open(shared / "dist.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = shared / "dist"
        if not folder.exists():
            _build(shared / "unfinished")
            (shared / "unfinished").rename(folder)
    return folder


def _build(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "packaging/build.py", "--out", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def renewed(package: Path, folder: Path, version: str) -> Path:
    """The same Debian package, as another version: pairvisor says so, too."""
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "-R", str(package), str(tree)], check=True)
    control, init = tree / "DEBIAN/control", tree / "usr/lib/pairvisor/pairvisor/__init__.py"
    for path, start in ((control, "Version: "), (init, "__version__ = ")):
        lines = path.read_text().splitlines()
        new = f'"{version}"' if path is init else version
        path.write_text(
            "".join(f"{start}{new}\n" if x.startswith(start) else f"{x}\n" for x in lines)
        )
    target = folder / f"renewed_{version}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(tree), str(target)], check=True)
    return target
