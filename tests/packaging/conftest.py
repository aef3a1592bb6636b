"""All packages, built once for the tests of this folder, as `./dev package` builds them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EPOCH = 1_700_000_000


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with them."""
    folder = tmp_path_factory.mktemp("packages")
    command = [sys.executable, str(ROOT / "packaging/packages.py"), "--out", str(folder)]
    env = {"SOURCE_DATE_EPOCH": str(EPOCH)}
    done = subprocess.run(["env", *(f"{k}={v}" for k, v in env.items()), *command], check=False)
    assert done.returncode == 0
    return folder


def the_one(folder: Path, pattern: str) -> Path:
    """The only file there with such a name."""
    (found,) = folder.glob(pattern)
    return found
