"""`status`: what it shows where, what it waits for, what it tells of a group that has ended."""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from pairvisor.cli.screen import Screen, width
from pairvisor.cli.statuses import readiness, shown
from pairvisor.core.state import Reason
from pairvisor.record.model import Cause, Exit, Status
from tests.cli.conftest import PROGRAM, Cli, Open, Start
from tests.cli.examples import INIT, NOW, STATUS, TLS, WEB
from tests.cli.terminal import colours
from tests.support import eventually

GOLDEN = Path(__file__).parent / "golden"
SLOW = """\
name = "shop"
[sidecars.tls]
command = "sleep inf"
ready = { file = "${volume}/go" }
after = ["web"]
[primary]
name = "web"
command = "sleep inf"
"""


def text(status: Status, columns: int | None = None) -> str:
    return "".join(f"{line}\n" for line in shown(status, Screen(columns), NOW))


@pytest.mark.parametrize("columns", [None, 200, 80, 60])
def test_a_group_that_runs(columns: int | None) -> None:
    golden = GOLDEN / f"status-{columns or 'piped'}.txt"
    assert text(STATUS, columns) == golden.read_text()


@pytest.mark.parametrize("columns", [200, 120, 100, 80, 60, 45])
def test_it_fits(columns: int) -> None:
    long = replace(TLS, name="a" * 63, concern="c" * 300)
    status = replace(STATUS, members=[long, WEB])
    assert all(width(line) <= columns for line in shown(status, Screen(columns), NOW))


HEADLINES = [
    (replace(STATUS, cause=None, restarts=0), "shop: running, ready, up 2h05m, no restarts"),
    (
        replace(STATUS, restarts=2),
        ("shop: running, ready, up 2h05m, 2 restarts: tls was killed by SIGKILL (out of memory)"),
    ),
    (
        replace(
            STATUS,
            state="starting",
            ready=False,
            cause=None,
            restarts=0,
            members=[replace(TLS, state="starting", ready=False), replace(WEB, ready=True)],
        ),
        "shop: starting, not ready, waits for tls, up 2h05m, no restarts",
    ),
    (replace(STATUS, state="backoff", ready=False), "shop: backoff, up 2h05m, 1 restart: tls was"),
    (
        replace(STATUS, state="failed", ended_at="2026-05-01T11:57:00.000Z", exit_status=137),
        "shop: failed 3m00s ago with exit code 137: tls was killed by SIGKILL (out of memory)",
    ),
    (
        replace(STATUS, state="stopped", ended_at="2026-05-01T11:57:00.000Z", exit_status=0),
        "shop: stopped 3m00s ago: tls was",
    ),
]


@pytest.mark.parametrize(("status", "said"), HEADLINES)
def test_the_group_in_a_line(status: Status, said: str) -> None:
    assert text(status).splitlines()[0].startswith(said)


def test_whom_a_group_waits_for() -> None:
    """Those who wait for others themselves are not to be blamed, nor those who are done."""
    members = [
        replace(INIT, state="succeeded"),
        replace(TLS, name="a", ready=False),
        replace(TLS, name="b", ready=False, state="waiting", waits_for=["a"]),
        replace(TLS, name="c", ready=False, state="stopped"),
        replace(WEB, ready=False, state="starting"),
    ]
    waiting = replace(STATUS, ready=False, members=members)
    assert readiness(waiting) == "not ready, waits for a, web"


ENDS = [
    (replace(TLS, exit=None, cause=None), ""),
    (replace(TLS, exit=Exit(code=3), cause=None), "exit 3, 3m02s ago"),
    (TLS, "SIGKILL, 3m02s ago (out of memory)"),
    (
        replace(
            TLS,
            exit=Exit(signal="SIGTERM"),
            cause=Cause(reason=Reason.LIVE, text="tls failed its live probe: 500", member="tls"),
        ),
        "SIGTERM, 3m02s ago (tls failed its live probe: 500)",
    ),
    (
        replace(TLS, exit=Exit(error='cannot run "x": no such file'), cause=None),
        'not started, 3m02s ago (cannot run "x": no such file)',
    ),
]


@pytest.mark.parametrize(("member", "said"), ENDS)
def test_how_a_member_ended_last(member: object, said: str) -> None:
    row = text(replace(STATUS, members=[member])).splitlines()[2]
    assert row.rpartition("TLS termination")[2].strip() == said


def test_what_is_degraded_is_said() -> None:
    status = replace(STATUS, degraded=["events are not kept in /x: No space left on device"])
    assert text(status).splitlines()[1] == (
        "degraded: events are not kept in /x: No space left on device"
    )


def test_colours_read_well_on_light_and_on_dark() -> None:
    states = ("running", "starting", "failed", "stopped", "backoff")
    members = [replace(WEB, state=state) for state in states]
    screen = Screen(200, has_colour=True)
    drawn = "\n".join(shown(replace(STATUS, members=members), screen, NOW))
    assert colours(drawn) == {"31", "32", "35"}


def test_a_terminal_is_not_ordered_about() -> None:
    evil = replace(TLS, concern="x\x1b]0;title\x07", exit=Exit(error="y\x1b[2J"))
    drawn = text(replace(STATUS, members=[evil]), 200)
    assert "\x1b" not in drawn
    assert "\\x1b]0;title\\x07" in drawn


def test_of_a_real_group(cli: Cli, start: Start) -> None:
    group = start(cli.write(SLOW))
    group.read_until("web is ready")
    ran = cli.run("status")
    assert (ran.returncode, ran.stderr) == (0, "")
    head, titles, tls, web, containment = ran.stdout.splitlines()
    assert re.fullmatch(r"shop: starting, not ready, waits for tls, up \S+, no restarts", head)
    assert titles.split() == "MEMBER ROLE STATE READY PID UP RESTARTS CPU MEMORY".split()
    assert tls.split()[:4] == ["tls", "sidecar", "starting", "no"]
    assert web.split()[:4] == ["web", "primary", "running", "yes"]
    assert int(web.split()[4]) == group.main("web")
    assert re.fullmatch(r"containment: (cgroup|session \(.+\))", containment)


def test_as_json_it_is_the_document(cli: Cli, start: Start) -> None:
    start(cli.write(SLOW)).read_until("web is ready")
    ran = cli.run("status", "--json")
    status = msgspec.json.decode(ran.stdout, type=Status)
    assert (status.group, status.state, status.ready) == ("shop", "starting", False)
    assert list(json.loads(ran.stdout)) == list(Status.__struct_fields__)


@pytest.mark.parametrize("columns", [80, 200])
def test_on_a_terminal(cli: Cli, start: Start, terminal: Open, columns: int) -> None:
    start(cli.write(SLOW.replace("[sidecars", 'grace = "5s"\n[sidecars'))).read_until(
        "web is ready"
    )
    opened = terminal("status", columns=columns)
    assert opened.wait() == 0
    assert all(len(line) <= columns for line in opened.screen.splitlines())
    assert "\x1b[1mshop\x1b[0m: \x1b[35mstarting\x1b[0m" in opened.written
    plain = terminal("status", columns=columns, NO_COLOR="1")
    assert plain.wait() == 0
    assert "\x1b" not in plain.written


def go(cli: Cli) -> None:
    Path(cli.env["XDG_RUNTIME_DIR"], "pairvisor", "shop", "volume", "go").touch()


@dataclass
class Waiting:
    """A `status --wait` in the background."""

    popen: "subprocess.Popen[str]"

    def end(self) -> tuple[int, str, str]:
        out, err = self.popen.communicate(timeout=30)
        return self.popen.returncode, out.splitlines()[0] if out else "", err


def wait(cli: Cli, *words: str) -> Waiting:
    """It waits once it follows the events."""
    program = [*PROGRAM, "status", "--wait", *words]
    popen = subprocess.Popen(
        program,
        cwd=cli.folder,
        env=cli.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    connected = f"/proc/{popen.pid}/fd"
    eventually(
        lambda: len([x for x in os.listdir(connected) if is_socket(f"{connected}/{x}")]) == 1
    )
    return Waiting(popen)


def is_socket(path: str) -> bool:
    try:
        return os.readlink(path).startswith("socket:")
    except OSError:
        return False


def test_it_waits_until_the_group_is_ready(cli: Cli, start: Start) -> None:
    start(cli.write(SLOW)).read_until("web is ready")
    waiting = wait(cli, "ready", "--timeout", "30s")
    go(cli)
    code, line, said = waiting.end()
    assert (code, said) == (0, "")
    assert line.startswith("shop: running, ready, ")


def test_what_is_so_already_is_not_waited_for(cli: Cli, start: Start) -> None:
    start(cli.write('name = "shop"\n[primary]\ncommand = "sleep inf"\n')).read_until(
        "shop is ready"
    )
    assert cli.run("status", "--wait", "ready").returncode == 0


def test_it_says_who_is_not_ready_in_time(cli: Cli, start: Start) -> None:
    start(cli.write(SLOW)).read_until("web is ready")
    ran = cli.run("status", "--wait", "ready", "--timeout", "200ms")
    assert ran.returncode == 1
    assert ran.stdout.startswith("shop: starting, not ready, waits for tls, ")
    assert ran.stderr == "pairvisor: not ready within 200ms: not ready, waits for tls\n"


def test_a_group_that_ends_is_not_going_to_be_ready(cli: Cli, start: Start, terminal: Open) -> None:
    group = start(cli.write(SLOW + 'on_failure = "teardown"\n'))
    group.read_until("web is ready")
    waiting = terminal("status", "--wait", "ready")
    waiting.read_until("waiting for shop")
    group.kill("web")
    assert waiting.wait() == 1
    lines = [line.rstrip() for line in waiting.screen.splitlines()]
    assert "pairvisor: the group ended before it was ready" in lines
    failed = r"shop: failed \S+ ago with exit code 137: web was killed by SIGKILL"
    assert [line for line in lines if re.fullmatch(failed, line)]


def test_it_waits_until_the_group_has_ended(cli: Cli, start: Start) -> None:
    group = start(cli.write(SLOW))
    group.read_until("web is ready")
    waiting = wait(cli, "ended")
    group.signal(signal.SIGTERM)
    code, line, said = waiting.end()
    assert (code, said) == (0, "")
    assert re.match(r"shop: stopped \S+ ago", line)


def test_a_restart_is_no_end(cli: Cli, start: Start) -> None:
    group = start(cli.write(SLOW))
    group.read_until("web is ready")
    waiting = wait(cli, "ready", "--timeout", "30s")
    group.kill("web")
    group.read_until("starts again")
    group.read_until("web is ready")
    go(cli)
    code, line, _ = waiting.end()
    assert code == 0
    assert line.startswith("shop: running, ready, ")
    assert line.endswith(", 1 restart: web was killed by SIGKILL")


def test_how_a_group_ended(cli: Cli) -> None:
    cli.write(
        'name = "shop"\n[primary]\ncommand = "sh -c \'echo sorry; exit 3\'"\n'
        'on_failure = "teardown"\n'
    )
    assert cli.run("up").returncode == 3
    ran = cli.run("status")
    assert (ran.returncode, ran.stderr) == (0, "")
    head, *_, primary, last, line = ran.stdout.splitlines()
    assert re.fullmatch(r"shop: failed \S+ ago with exit code 3: primary exited with 3", head)
    assert re.fullmatch(r"primary +primary +failed +0 +exit 3, \S+ ago", primary)
    assert (last, line) == ("the last that primary wrote:", "  sorry")
    assert json.loads(cli.run("status", "--json").stdout)["state"] == "failed"


def test_a_supervisor_that_was_killed(cli: Cli, start: Start) -> None:
    group = start(cli.write(SLOW))
    group.read_until("web is ready")
    assert cli.run("status").returncode == 0  # by now it keeps a history
    os.kill(group.supervisor, signal.SIGKILL)
    group.wait()
    ran = cli.run("status")
    assert ran.returncode == 0
    assert re.fullmatch(r"shop: killed \S+ ago\n", ran.stdout)


def test_a_time_out_is_for_waiting(cli: Cli) -> None:
    ran = cli.run("status", "--timeout", "5s")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "--timeout is for --wait" in ran.stderr
    ran = cli.run("status", "--wait", "ready", "--timeout", "soon")
    assert 'expected a duration such as "500ms"' in ran.stderr


def test_it_needs_nothing_heavy_and_is_quick(cli: Cli, start: Start) -> None:
    """A bound for what has gone wrong altogether: some 60 ms more than Python's are usual."""
    sides = "".join(f"[sidecars.s{i}]\ncommand = 'sleep inf'\n" for i in range(9))
    start(cli.write(f'name = "ten"\n[primary]\ncommand = "sleep inf"\n{sides}')).read_until(
        "group ten is ready"
    )
    program = [sys.executable, "-X", "importtime", *PROGRAM[1:], "status"]
    ran = subprocess.run(
        program, cwd=cli.folder, env=cli.env, capture_output=True, text=True, check=True, timeout=60
    )
    modules = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert not modules & {"rich", "asyncio", "unicodedata", "pairvisor.manifest.load"}

    def took(*command: str) -> float:
        began = time.monotonic()
        subprocess.run(command, env=cli.env, cwd=cli.folder, capture_output=True, check=True)
        return time.monotonic() - began

    bare = statistics.median(took(sys.executable, "-c", "pass") for _ in range(5))
    whole = statistics.median(took(*PROGRAM, "status") for _ in range(5))
    assert whole < 6 * (bare + 0.06)
