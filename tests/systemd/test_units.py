"""The units, as systemd's own tools see them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pairvisor.cli import exits

UNITS = Path(__file__).parents[2] / "systemd"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed"),
]


def analyze(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """With a folder that a user's manager may have."""
    command, env = ["systemd-analyze", *words], {**os.environ, "XDG_RUNTIME_DIR": str(folder)}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "manager"),
    [
        ("pairvisor@.service", "--system"),
        ("pairvisor-root@.service", "--system"),
        ("user/pairvisor@.service", "--user"),
    ],
)
def test_a_unit_is_as_it_should_be(tmp_path: Path, name: str, manager: str) -> None:
    """But that its program, which may not be installed here, is another one."""
    written = (UNITS / name).read_text()
    assert "ExecStart=/usr/bin/pairvisor run " in written
    unit = tmp_path / Path(name).name
    unit.write_text(written.replace("/usr/bin/pairvisor", "/bin/true"))
    # `default.target` and the like are the machine's: a user's manager may have none here.
    done = analyze(tmp_path, "verify", manager, "--man=no", "--recursive-errors=no", str(unit))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "most"), [("pairvisor@.service", 2.0), ("pairvisor-root@.service", 3.5)]
)
def test_a_unit_is_hardened(tmp_path: Path, name: str, most: float) -> None:
    words = ("security", "--offline=true", f"--threshold={most * 10:g}", str(UNITS / name))
    done = analyze(tmp_path, *words)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= most
    assert done.returncode == 0


def test_systemd_starts_again_what_it_should() -> None:
    for path in UNITS.rglob("*.service"):
        text = path.read_text()
        assert "Restart=on-abnormal" in text
        again = re.search("^RestartForceExitStatus=(.*)$", text, re.MULTILINE)
        never = re.search("^RestartPreventExitStatus=(.*)$", text, re.MULTILINE)
        assert again
        assert never
        assert str(exits.INTERNAL) in again[1].split()
        assert {str(exits.BAD_MANIFEST), str(exits.ALREADY_RUNNING)} <= set(never[1].split())


def test_the_user_and_the_folder_are_made(tmp_path: Path) -> None:
    for tool, file in (("systemd-sysusers", "sysusers"), ("systemd-tmpfiles", "tmpfiles")):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is missing")
        (tmp_path / "etc").mkdir(exist_ok=True)
        create = ["--create"] if file == "tmpfiles" else []
        command = [tool, f"--root={tmp_path}", *create, str(UNITS / f"pairvisor.{file}")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert "pairvisor:" in (tmp_path / "etc/passwd").read_text()
    assert (tmp_path / "run/pairvisor").is_dir()
