"""Groups for which there is little: descriptors, processes, a place to write to."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import up

MANY = 120


def many(command: str) -> str:
    sidecars = (f'[sidecars.s{n}]\ncommand = "{command}"\n' for n in range(MANY))
    return f'grace = "60s"\n[primary]\ncommand = "{command}"\n' + "".join(sidecars)


def limited(soft: int, hard: int = -1) -> list[str]:
    """A command that runs its arguments with that many descriptors."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1] if hard < 0 else hard
    code = f"import os, resource, sys; resource.setrlimit(7, ({soft}, {hard})); "
    return [sys.executable, "-c", code + "os.execv(sys.argv[1], sys.argv[1:])"]


def test_more_members_than_the_soft_limit_has_descriptors_for(tmp_path: Path) -> None:
    """The supervisor raises its own limit; members have the one that it was started with."""
    manifest = (
        many("sleep inf") + '[init.told]\ncommand = ["sh", "-c", "echo limit $(ulimit -n)"]\n'
    )
    with up(tmp_path, manifest, *limited(100)) as group:
        group.read_until(r"^told .* limit 100$")
        group.read_until("group test is ready")
        assert group.stop(within=60) == 0
        assert "did not end in time" not in group.said


def test_a_first_start_that_can_not_be_tells_all_that_run_to_stop(tmp_path: Path) -> None:
    """Those whose start was put off until the loop ran must not start into the stop."""
    manifest = 'restart = { limit = 1, initial = "10ms" }\n' + many("sleep inf")
    with up(tmp_path, manifest, *limited(64, 128)) as group:
        assert group.wait(within=60) in (70, 126)
        assert "did not end in time" not in group.said
        assert not group.processes()


@pytest.mark.parametrize("descriptors", [5, 8, 12, 15, 20])
def test_too_few_descriptors_are_no_traceback(tmp_path: Path, descriptors: int) -> None:
    manifest = 'restart = { limit = 1 }\n[primary]\ncommand = "true"\n'
    with up(tmp_path, manifest, *limited(descriptors, descriptors)) as group:
        assert group.wait() in (0, 1, 70, 71, 73, 78, 126)
        assert "Traceback" not in group.said
        assert not group.processes()


@pytest.mark.parametrize("command", ["check", "plan", "schema"])
def test_a_full_disk_is_no_traceback(tmp_path: Path, command: str) -> None:
    (tmp_path / "pairvisor.toml").write_text('[primary]\ncommand = "true"\n')
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "pairvisor", command],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (
        74,
        "pairvisor: cannot write to stdout: No space left on device\n",
    )


def test_a_folder_that_is_gone_is_no_traceback(tmp_path: Path) -> None:
    code = "import os; os.rmdir(os.getcwd()); from pairvisor.__main__ import main; main()"
    gone = tmp_path / "gone"
    gone.mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", code, "check"], cwd=gone, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 78
    assert ran.stderr.startswith("pairvisor: this folder has been removed: ")


def test_a_module_that_can_not_be_read_is_no_traceback(tmp_path: Path) -> None:
    """Python takes a file that it can't look at for one that isn't there."""
    code = "import sys; sys.modules['pairvisor.cli.foreground'] = None; "
    code += "from pairvisor.__main__ import main; main()"
    command = [sys.executable, "-c", code, "up"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 71
    assert ran.stderr.startswith("pairvisor: cannot run: ")
    assert len(ran.stderr.splitlines()) == 1


def test_a_folder_with_something_in_it_is_not_emptied(tmp_path: Path) -> None:
    """RUNTIME_DIRECTORY may have been set by anybody, to anything."""
    precious = tmp_path / "home" / "precious"
    precious.parent.mkdir()
    precious.write_text("x")
    folder = str(precious.parent)
    with up(tmp_path, '[primary]\ncommand = "true"\n', RUNTIME_DIRECTORY=folder) as group:
        assert group.wait() == 73
        assert 'home holds "precious", which no group has put there' in group.said
    assert precious.read_text() == "x"
