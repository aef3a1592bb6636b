"""pairvisor.pyz: one file, copied anywhere, on each of the supported Pythons."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pairvisor import __version__
from tests.packaging.built import built, needs_tools

pytestmark = [pytest.mark.slow, needs_tools, pytest.mark.timeout(300)]
MANIFEST = """
name = "tiny"
[primary]
command = ["sh", "-c", "echo it runs"]
"""
NOT_ROOTS = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's folder")


def run(archive: Path, home: Path, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """With nothing of this environment but a PATH."""
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
    return subprocess.run(
        [sys.executable, "-S", str(archive), *words],
        cwd=home,
        env=clean | env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory) / "pairvisor.pyz"


def test_it_unpacks_itself_once(archive: Path, tmp_path: Path) -> None:
    said = (0, f"pairvisor {__version__}\n", "")
    for _ in range(2):
        ran = run(archive, tmp_path, "--version")
        assert (ran.returncode, ran.stdout, ran.stderr) == said
        (modules,) = (tmp_path / ".cache/pairvisor").iterdir()
        assert re.fullmatch("[0-9a-f]{64}", modules.name)
        assert modules.stat().st_mode & 0o777 == 0o700
        # Whoever has put the modules there is believed the next time.
        said = (0, "from the cache\n", "")
        (modules / "pairvisor/__main__.py").write_text(
            "def main() -> None:\n    print('from the cache')\n"
        )


def test_a_group_runs(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "pairvisor.toml").write_text(MANIFEST)
    ran = run(archive, tmp_path, "up")
    assert "primary   | it runs\n" in ran.stdout, ran.stderr
    assert ran.returncode == 0


@pytest.mark.parametrize(
    "words", [["plan"], ["top", "--help"], ["schema"], ["doctor"], ["sidecars", "show", "stunnel"]]
)
def test_what_is_left_out_is_not_missed(archive: Path, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "pairvisor.toml").write_text(MANIFEST)
    ran = run(archive, tmp_path, *words)
    assert (ran.returncode, "Error" in ran.stderr) == (0, False), ran.stderr


def test_where_others_may_write_it_does_not_unpack(archive: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    ran = run(archive, tmp_path, "--version", XDG_CACHE_HOME=str(shared))
    assert ran.returncode == 0
    assert not list(shared.rglob("__main__.py"))
    assert list((tmp_path / ".cache/pairvisor").iterdir())


@NOT_ROOTS
def test_what_another_user_has_made_is_not_believed(archive: Path, tmp_path: Path) -> None:
    run(archive, tmp_path, "--version")
    (modules,) = (tmp_path / ".cache/pairvisor").iterdir()
    (modules / "pairvisor/__main__.py").write_text("def main() -> None:\n    print('wrong')\n")
    os.chown(tmp_path / ".cache/pairvisor", 1234, 1234)
    ran = run(archive, tmp_path, "--version", XDG_CACHE_HOME=str(tmp_path / "other"))
    assert ran.stdout == f"pairvisor {__version__}\n"
    os.chown(tmp_path / "other/pairvisor", 1234, 1234)
    ran = run(archive, tmp_path, "--version", CACHE_DIRECTORY=str(tmp_path / "third"))
    assert ran.stdout == f"pairvisor {__version__}\n"
    assert list((tmp_path / "third").iterdir())


def test_other_pythons_are_told_so(archive: Path, tmp_path: Path) -> None:
    assert archive.read_bytes().startswith(b"#!/usr/bin/env python3\n")
    script = "import sys, runpy; sys.version_info = (3, 10, 1); runpy.run_path(sys.argv[1])"
    script = script.replace("run_path(sys.argv[1])", "run_path(sys.argv[1], run_name='__main__')")
    ran = subprocess.run(
        [sys.executable, "-c", script, str(archive)],
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 64
    assert "this file is for Python 3.11 3.12 3.13 3.14 on" in ran.stderr
    assert list(tmp_path.iterdir()) == []
