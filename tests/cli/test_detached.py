"""`up -d`: back when the group is ready, or with the cause."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Open
from tests.cli.terminal import CTRL_C
from tests.support import eventually, is_alive

pytestmark = pytest.mark.usefixtures("background")

ASLEEP = 'name = "shop"\n[primary]\ncommand = "sleep inf"\n'
AFTER = r", after [\d.]+m?s\n"


def test_it_comes_back_when_the_group_is_ready(cli: Cli) -> None:
    cli.write(ASLEEP + 'ready = { exec = "sleep 0.2" }\n')
    ran = cli.run("up", "-d")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert re.fullmatch("group shop is ready" + AFTER, ran.stdout)
    assert cli.run("status").stdout.startswith("shop: running, ready, ")


def test_it_has_left_us_altogether(cli: Cli) -> None:
    """Its session, its descriptors: a pipe that we write to ends with us."""
    cli.write(ASLEEP)
    assert cli.run("up", "-d").returncode == 0  # its end is the pipe's
    supervisor = int(re.findall(r'"pid": (\d+)', cli.run("status", "--json").stdout)[0])
    guard = int(Path(f"/proc/{supervisor}/stat").read_text().rpartition(") ")[2].split()[1])
    for pid in (guard, supervisor):
        assert os.getsid(pid) != os.getsid(0)
    assert [os.readlink(f"/proc/{supervisor}/fd/{fd}") for fd in range(3)] == ["/dev/null"] * 3


def test_a_bad_manifest(cli: Cli) -> None:
    cli.write("[primary]\ncomand = 5\n")
    ran = cli.run("up", "-d")
    assert (ran.returncode, ran.stdout) == (78, "")
    assert ran.stderr.startswith("pairvisor.toml:2: primary.comand: unknown key")


def test_a_warning_is_said_once(cli: Cli) -> None:
    cli.write('name = "shop"\n[primary]\ncommand = "sleep 1000 | cat"\non_failure = "teardown"\n')
    assert cli.run("up", "-d").stderr.count("(warning)") == 1


def test_one_that_runs_already(cli: Cli) -> None:
    cli.write(ASLEEP)
    assert cli.run("up", "-d").returncode == 0
    ran = cli.run("up", "-d")
    assert (ran.returncode, ran.stdout) == (75, "")
    assert ran.stderr == "pairvisor: group shop is running already\n"


def test_what_keeps_it_from_starting_is_said(cli: Cli) -> None:
    cli.write(ASLEEP)
    taken = Path(cli.env["XDG_RUNTIME_DIR"], "pairvisor", "shop")
    taken.parent.mkdir(mode=0o700)
    taken.touch()
    ran = cli.run("up", "-d")
    assert (ran.returncode, ran.stdout) == (73, "")
    assert ran.stderr == f"pairvisor: {taken} is not a folder: remove it\n"


def test_the_first_failure_that_restarts_the_group(cli: Cli) -> None:
    cli.write(
        'name = "shop"\nrestart = { initial = "50s" }\n[primary]\ncommand = "sleep inf"\n'
        "[sidecars.tls]\ncommand = ['sh', '-c', 'seq 20; echo no key >&2; exit 3']\n"
        'ready = { file = "none" }\nafter = ["primary"]\n',
        "my shop.toml",
    )
    ran = cli.run("up", "-d", "-f", "my shop.toml")
    assert (ran.returncode, ran.stdout) == (1, "")
    first, *lines, last = ran.stderr.splitlines()
    assert first == "pairvisor: group shop is restarted: tls exited with 3"
    assert set(lines) == {*(f"tls | {i}" for i in range(12, 21)), "tls | no key"}
    assert last == (
        "pairvisor: it goes on trying: `pairvisor logs --file 'my shop.toml' tls` shows more, "
        "`pairvisor down --file 'my shop.toml'` stops it"
    )
    assert cli.run("status", "-g", "shop").stdout.startswith("shop: ")


def test_the_first_failure_that_stops_it(cli: Cli) -> None:
    cli.write(
        "name = 'shop'\n[primary]\ncommand = ['sh', '-c', 'echo no luck; exit 3']\n"
        "ready = { file = 'none' }\non_failure = 'teardown'\n"
    )
    ran = cli.run("up", "-d")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert re.search(
        "^pairvisor: group shop (is stopped|failed): primary exited with 3\n", ran.stderr
    )
    assert ran.stderr.endswith("primary | no luck\n")
    ended = cli.run("logs", "-g", "shop")
    assert (ended.returncode, ended.stdout) == (0, "primary | no luck\n")


def test_a_group_that_succeeds_before_it_was_ready(cli: Cli) -> None:
    cli.write("name = 'shop'\n[primary]\ncommand = 'true'\nready = { file = 'none' }\n")
    ran = cli.run("up", "-d")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "group shop succeeded: primary exited with 0\n"


def test_a_terminal_shows_whom_it_waits_for(cli: Cli, terminal: Open) -> None:
    cli.write(ASLEEP + 'ready = { file = "${volume}/go" }\n')
    waiting = terminal("up", "-d", columns=40)
    waiting.read_until("shop: not ready, waits for primary")
    Path(cli.env["XDG_RUNTIME_DIR"], "pairvisor", "shop", "volume", "go").touch()
    assert waiting.wait() == 0
    assert re.fullmatch(r"group shop is ready, after [\d.]+m?s", waiting.screen.strip())


def test_ctrl_c_leaves_the_group_running(cli: Cli, terminal: Open) -> None:
    cli.write(ASLEEP + 'ready = { file = "none" }\n')
    waiting = terminal("up", "-d")
    waiting.read_until("waits for primary")
    waiting.press(CTRL_C)
    assert waiting.wait() == 130
    assert "pairvisor: group shop goes on starting: `pairvisor down` stops it" in waiting.screen
    assert cli.run("status").stdout.startswith("shop: starting")


def test_a_terminal_that_is_closed_leaves_the_group_running(cli: Cli, terminal: Open) -> None:
    cli.write(ASLEEP)
    waiting = terminal("up", "-d")
    assert waiting.wait() == 0
    waiting.hang_up()
    assert cli.run("status").stdout.startswith("shop: running, ready")


def test_modules_in_this_folder_are_not_taken_for_ours(cli: Cli) -> None:
    for name in ("click.py", "pairvisor.py", "socket.py"):
        cli.write("raise SystemExit('not me')\n", name)
    cli.write(ASLEEP)
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "pairvisor", "up", "-d"],  # as an installed program runs
        cwd=cli.folder,
        env=cli.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_supervisor_that_is_killed_while_it_starts(cli: Cli, terminal: Open) -> None:
    cli.write(ASLEEP + 'ready = { file = "none" }\n')
    waiting = terminal("up", "-d")
    waiting.read_until("waits for primary")
    supervisor = int(re.findall(r'"pid": (\d+)', cli.run("status", "--json").stdout)[0])
    os.kill(supervisor, signal.SIGKILL)
    assert waiting.wait() == 1
    assert "pairvisor: the supervisor of group shop was killed" in waiting.screen
    eventually(lambda: not is_alive(supervisor))
