"""Which group a command is about, and what is said where there is none."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.conftest import PROGRAM, Cli, Start
from tests.support import can_be_nobody

ASLEEP = '[primary]\ncommand = "sleep inf"\n'
SPEAKING = "status logs events why start stop restart reload down top timeline metrics".split()


@pytest.fixture
def shop(cli: Cli, start: Start) -> Path:
    """A group that runs, by a manifest in a folder of that name."""
    manifest = cli.write(ASLEEP, "shop/pairvisor.toml")
    start(manifest).read_until("group shop is ready")
    return manifest


def line(cli: Cli, *words: str, cwd: Path | None = None, **env: str) -> str:
    """The first of a status."""
    ran = cli.run("status", *words, cwd=cwd, **env)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.splitlines()[0]


def test_by_the_nearest_manifest(cli: Cli, shop: Path) -> None:
    below = shop.parent / "a" / "b"
    below.mkdir(parents=True)
    assert line(cli, cwd=below).startswith("shop: running, ready, up ")


def test_by_its_manifest(cli: Cli, shop: Path) -> None:
    assert line(cli, "-f", "shop/pairvisor.toml").startswith("shop: running")
    assert line(cli, "--file", str(shop)).startswith("shop: running")


def test_by_its_name(cli: Cli, shop: Path) -> None:
    assert line(cli, "-g", "shop").startswith("shop: running")


@pytest.mark.parametrize(
    "text",
    [
        "[primary]\ncomand = 5\n",
        "[primary\n",
        '[primary]\ncommand = "sleep inf"\n[primary]\n',
        'name = "other"\n[primary]\ncommand = "sleep inf"\n',
        'name = "not a name"\n',
        "\xff",
    ],
)
def test_by_a_manifest_that_is_broken_or_renamed(cli: Cli, shop: Path, text: str) -> None:
    """The group that was started by it runs, and can be looked at, and stopped."""
    shop.write_text(text, encoding="latin-1")
    assert line(cli, cwd=shop.parent).startswith("shop: running")
    assert cli.run("down", cwd=shop.parent).returncode == 0


def test_by_a_name_that_a_broken_manifest_still_tells(cli: Cli, start: Start) -> None:
    manifest = cli.write('name = "web"\n' + ASLEEP, "shop/pairvisor.toml")
    start(manifest).read_until("group web is ready")
    moved = cli.write('name = "web"\n[primary\n', "elsewhere/pairvisor.toml")
    assert line(cli, "-f", str(moved)).startswith("web: running")


def test_by_a_manifest_that_is_gone(cli: Cli, shop: Path) -> None:
    shop.unlink()
    assert line(cli, "-f", "shop/pairvisor.toml").startswith("shop: running")


def test_in_another_place_of_the_same_user(cli: Cli, shop: Path, tmp_path: Path) -> None:
    """As if it had been started without XDG_RUNTIME_DIR, say by cron."""
    here = Path(cli.env["XDG_RUNTIME_DIR"], "pairvisor")
    (tmp_path / f"pairvisor-{os.geteuid()}").symlink_to(here)
    found = line(cli, "-g", "shop", XDG_RUNTIME_DIR=str(tmp_path / "x"), TMPDIR=str(tmp_path))
    assert found.startswith("shop: running")


def test_in_a_folder_that_is_too_long_for_a_socket(cli: Cli, shop: Path, tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100) / ("y" * 60)
    long.mkdir(parents=True)
    here = Path(cli.env["XDG_RUNTIME_DIR"], "pairvisor")
    (long / "pairvisor").symlink_to(here)
    assert line(cli, "-g", "shop", XDG_RUNTIME_DIR=str(long)).startswith("shop: running")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_that_another_user_has_put_there(cli: Cli, shop: Path) -> None:
    os.chown(Path(cli.env["XDG_RUNTIME_DIR"], "pairvisor"), 65534, 65534)
    assert cli.run("down", "-g", "shop").returncode == 69


@pytest.mark.parametrize("command", SPEAKING)
def test_none_is_running(cli: Cli, command: str) -> None:
    cli.write(ASLEEP, "shop/pairvisor.toml")
    for words, how_to in (
        (
            ["--file", "shop/pairvisor.toml"],
            "start it with `pairvisor up -d -f shop/pairvisor.toml`",
        ),
        (["-g", "shop"], "`pairvisor ls` shows those that are"),
    ):
        ran = cli.run(command, *words)
        assert (ran.returncode, ran.stdout) == (69, "")
        assert ran.stderr == f'pairvisor: no group "shop" is running: {how_to}\n'


def test_none_is_running_in_this_folder(cli: Cli) -> None:
    cli.write('name = "shop"\n' + ASLEEP)
    ran = cli.run("signal", "HUP", "primary")
    assert (ran.returncode, ran.stdout) == (69, "")
    how_to = "start it with `pairvisor up -d`"
    assert ran.stderr == f'pairvisor: no group "shop" is running: {how_to}\n'


def test_one_of_a_like_name_is_running(cli: Cli, shop: Path) -> None:
    ran = cli.run("status", "-g", "shpo")
    assert ran.returncode == 69
    assert ran.stderr.startswith('pairvisor: no group "shpo" is running (did you mean "shop"?): ')


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["-g", "../shop"], 2, "'../shop' can't be a group's name: see `pairvisor ls`"),
        (["-g", "a/b"], 2, "'a/b' can't be a group's name: see `pairvisor ls`"),
        (["-g", "a", "-f", "b"], 2, "-g and -f exclude each other"),
        (["-f", "none.toml"], 78, "none.toml: no such file"),
        (
            [],
            78,
            (
                "no pairvisor.toml in HERE or a folder above it: name a group with -g NAME, "
                "or a manifest with -f FILE"
            ),
        ),
    ],
)
def test_misuse(cli: Cli, words: list[str], code: int, said: str) -> None:
    ran = cli.run("status", *words)
    assert (ran.returncode, ran.stdout) == (code, "")
    assert ran.stderr.replace(str(cli.folder), "HERE") == f"pairvisor: {said}\n"


def test_a_socket_that_a_dead_supervisor_left(cli: Cli) -> None:
    folder = Path(cli.env["XDG_RUNTIME_DIR"], "pairvisor", "shop")
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(folder / "control.sock"))
    assert cli.run("status", "-g", "shop").returncode == 69


def test_a_supervisor_that_does_not_answer_is_not_one_that_does_not_run(cli: Cli) -> None:
    folder = Path(cli.env["XDG_RUNTIME_DIR"], "pairvisor", "shop")
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "control.sock"))
        listening.listen()

        def hang_up() -> None:
            with suppress(OSError):
                while True:
                    listening.accept()[0].close()

        server = threading.Thread(target=hang_up)
        server.start()
        ran = cli.run("status", "-g", "shop")
        listening.shutdown(socket.SHUT_RDWR)
        server.join()
    assert (ran.returncode, ran.stdout) == (70, "")
    assert ran.stderr.startswith("pairvisor: the group's supervisor ended before it had answered")


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can be another user"
)
def test_another_user_is_not_permitted(cli: Cli, shop: Path) -> None:
    """Root's folders may be passed through; the socket says no."""
    if not can_be_nobody():
        pytest.skip("another user can't run this Python")
    folder = Path(cli.env["XDG_RUNTIME_DIR"])
    for path in (folder, folder / "pairvisor"):
        path.chmod(0o755)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    program = [*nobody, sys.executable, *PROGRAM[1:], "status", "-g", "shop"]
    ran = subprocess.run(
        program, env=cli.env, cwd="/", capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout) == (77, "")
    assert ran.stderr == (
        'pairvisor: group "shop" is root\'s, and this user may not use its control socket\n'
    )
