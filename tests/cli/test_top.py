"""`top`: what it shows, and how it leaves the terminal."""

import re
import signal

import pytest
from msgspec.structs import replace

from pairvisor.cli.screen import Screen, width
from pairvisor.cli.top import Sample, shown
from tests.cli.conftest import Cli, Open, Start
from tests.cli.examples import INIT, NOW, STATUS, TLS, WEB
from tests.cli.terminal import CTRL_C, colours, plain
from tests.support import Up

BUSY = """\
name = "shop"
[sidecars.busy]
command = ["sh", "-c", "while :; do :; done"]
concern = "heats the room"
[primary]
command = "sleep inf"
"""
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"

BEFORE = Sample(STATUS, 100.0)
LATER = Sample(
    replace(
        STATUS,
        members=[
            INIT,
            replace(TLS, cpu_seconds=1.74, log_bytes=4096 + 2048),
            replace(WEB, pid=9, cpu_seconds=0.1),
        ],
    ),
    102.0,
)


@pytest.fixture
def shop(cli: Cli, start: Start) -> Up:
    group = start(cli.write(BUSY))
    group.read_until("group shop is ready")
    return group


def test_rates_are_differences() -> None:
    head, totals, _, titles, migrate, tls, web = shown(BEFORE, LATER, Screen(), NOW)
    assert head.startswith("shop: running, ready, up 2h05m, 1 restart: ")
    assert totals == "25% CPU, 322M memory, 7 processes"
    assert titles.split()[6:] == "CPU% MEMORY PROCS LOG B/S ROLE CONCERN".split()
    assert tls.split()[6:10] == ["25.0", "12M", "2", "1.0K"]
    # Another process: what it has used since when is not known yet.
    assert web.split()[6:9] == ["-", "310M", "5"]
    assert migrate.split() == ["migrate", "succeeded", "1", "init"]


@pytest.mark.parametrize("columns", [45, 80, 200])
def test_it_fits(columns: int) -> None:
    drawn = shown(BEFORE, LATER, Screen(columns), NOW)
    assert all(width(line) <= columns for line in drawn)


def test_with_more_members_than_rows_the_interesting_ones_are_shown() -> None:
    many = [replace(TLS, name=f"m{i}", cpu_seconds=float(i)) for i in range(50)]
    many[7] = replace(many[7], ready=False)
    idle = [replace(member, cpu_seconds=0.0) for member in many]
    drawn = shown(
        Sample(replace(STATUS, members=idle), 100.0),
        Sample(replace(STATUS, members=many), 101.0),
        Screen(200),
        NOW,
        rows=10,
    )
    assert len(drawn) <= 10
    assert [line.split()[0] for line in drawn[4:]] == ["m7", "m49", "m48", "m47", "m46", "and"]
    assert drawn[-1] == "and 45 more"


def test_a_pipe_gets_one_look(cli: Cli, shop: Up) -> None:
    ran = cli.run("top")
    assert (ran.returncode, ran.stderr) == (0, "")
    busy = next(line for line in ran.stdout.splitlines() if line.startswith("busy"))
    assert float(busy.split()[6]) > 5


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("key", [b"q", CTRL_C])
def test_on_a_terminal(cli: Cli, shop: Up, terminal: Open, columns: int, key: bytes) -> None:
    opened = terminal("top", columns=columns)
    opened.read_until(r"heats the room|sidecar")
    opened.read_until(r"busy(?s:.*busy)")
    modes = opened.modes
    opened.press(key)
    assert opened.wait() == 0
    assert opened.written.startswith(ENTER)
    assert LEAVE in opened.written
    assert opened.written.rindex(SHOW) > opened.written.rindex(HIDE)
    assert modes != opened.modes
    pages = re.sub(r"\x1b\[H", "\n", opened.written.partition(LEAVE)[0])
    pages = re.sub(r"\x1b\[[?\d;]*[a-z]", "", pages)
    assert all(len(line.rstrip()) <= columns for line in pages.replace("\r", "").split("\n"))
    assert colours(opened.written) <= {"31", "32", "35"}


def test_it_ends_with_the_group(cli: Cli, shop: Up, terminal: Open) -> None:
    opened = terminal("top")
    opened.read_until("busy")
    assert cli.run("down").returncode == 0
    assert opened.wait() == 0
    after = plain(opened.written.rpartition(LEAVE)[2])
    assert re.search(r"shop: stopped \S+ ago: ", after)


def test_a_signal_restores_the_terminal(cli: Cli, shop: Up, terminal: Open) -> None:
    opened = terminal("top")
    opened.read_until("busy")
    opened.popen.send_signal(signal.SIGTERM)
    assert opened.wait() == 128 + signal.SIGTERM
    assert LEAVE in opened.written
    assert SHOW in opened.written


def test_another_size_is_noticed(cli: Cli, shop: Up, terminal: Open) -> None:
    opened = terminal("top", columns=45)
    opened.read_until("busy")
    assert "heats" not in opened.written
    opened.resize(50, 200)
    opened.read_until("heats the room")
    opened.press(b"q")
    assert opened.wait() == 0
