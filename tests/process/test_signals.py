"""Signals to pairvisor itself, at any moment and in any number; the terminal's among them.

| fault | test |
| --- | --- |
| TERM while starting | test_term_at_any_moment_of_a_start |
| TERM twice, TERM then INT, storms | test_a_storm_of_signals, test_a_second_stop_* |
| a second Ctrl-C | test_a_second_interrupt_shortens_the_grace |
| SIGHUP during a stop | test_a_second_stop_changes_nothing |
| SIGHUP under nohup | test_under_nohup_a_hangup_stops_nothing |
| Ctrl-C reaches everyone | test_ctrl_c_reaches_the_supervisor_alone |
| the terminal is closed | test_a_closed_terminal_stops_the_group_in_order |
"""

import os
import pty
import random
import re
import select
import signal
from pathlib import Path
from time import monotonic

import pytest

from tests.process.leash import leash
from tests.process.programs import STUBBORN, TOLD
from tests.support import WITHIN, Up, eventually, gone, up

SLOW = """
    grace = "60s"
    [primary]
    command = ["sh", "-c", "trap 'echo told' TERM; echo up; while :; do sleep 0.05; done"]
"""


def test_term_at_any_moment_of_a_start(tmp_path: Path) -> None:
    """Every 10 ms of a start that takes about 200 ms; the interpreter's own start is not ours."""
    record = tmp_path / "record"
    manifest = f"""
    [init.first]
    command = ["sh", "-c", "echo first >>{record}; sleep 0.05"]
    [sidecars.side]
    command = ["sh", "-c", "echo side >>{record}; exec sleep inf"]
    ready = {{ exec = ["sleep", "0.05"] }}
    [primary]
    command = ["sh", "-c", "echo primary >>{record}; exec sleep inf"]
    """
    for moment in range(20):
        record.write_text("")
        with up(tmp_path, manifest) as group:
            eventually(lambda group=group: _is_deaf(group.guard))  # type: ignore[misc]
            select.select([], [], [], moment * 0.01)
            group.signal(signal.SIGTERM)
            began = monotonic()
            assert group.wait() == 0
            assert monotonic() - began < 10
            assert not group.processes()
            started = re.findall(r"(\w+) (?:is ready|succeeded|stopped)", group.said)
            assert len(record.read_text().split()) <= len(started) + 2
            before, _, after = group.said.partition("is stopped, as asked")
            assert "is ready" not in after
            assert before or not after


def _is_deaf(pid: int) -> bool:
    """Whether it has blocked signals, as the guard does first of all: SIGUSR1 with the others."""
    status = Path(f"/proc/{pid}/status").read_text()
    blocked = re.search(r"SigBlk:\s+(\w+)", status)
    return blocked is not None and bool(int(blocked[1], 16) & 1 << (signal.SIGUSR1 - 1))


@pytest.mark.parametrize("target", ["guard", "supervisor"])
def test_a_storm_of_signals(tmp_path: Path, target: str) -> None:
    storm = [getattr(signal, f"SIG{name}") for name in "INT TERM HUP USR1 USR2 CHLD WINCH".split()]
    with leash(tmp_path) as held:
        manifest = f"""
        grace = "3s"
        [sidecars.side]
        command = ["{STUBBORN}", "{held.path}"]
        [primary]
        command = ["{TOLD}", "primary", "{tmp_path}/record"]
        """
        with up(tmp_path, manifest) as group:
            group.read_all("side .* up$", "primary .* up$", "group test is ready")
            pid = group.guard if target == "guard" else group.supervisor
            for _ in range(10_000):
                try:
                    os.kill(pid, random.choice(storm))
                except ProcessLookupError:
                    break
            assert group.wait() == 0
            assert not held.is_held
            assert (tmp_path / "record").read_text() == "primary told\n"
            assert "internal" not in group.said
            assert "Exception" not in group.said


def test_no_stop_is_lost_in_a_storm(tmp_path: Path) -> None:
    """A supervisor that is busy meanwhile: thousands of signals come before it looks."""
    with up(tmp_path, SLOW.replace("60s", "500ms")) as group:
        group.read_all("up$", "group test is ready")
        supervisor = group.supervisor
        for _ in range(5_000):
            os.kill(supervisor, signal.SIGCHLD)
        os.kill(supervisor, signal.SIGTERM)
        group.read_until("is stopped, as asked")
        assert group.wait() == 137
        assert "Exception" not in group.said


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGHUP])
def test_a_second_stop_changes_nothing(tmp_path: Path, second: signal.Signals) -> None:
    manifest = """
    grace = "20s"
    [primary]
    command = ["sh", "-c", '''
        trap 'echo told; i=0; while [ $i -lt 30 ]; do sleep 0.1; i=$((i + 1)); done; exit 0' TERM
        echo up; while :; do sleep 0.05; done''']
    """
    with up(tmp_path, manifest) as group:
        group.read_all("up$", "group test is ready")
        group.signal(signal.SIGTERM)
        group.read_until("told$")
        group.signal(second)
        assert group.wait() == 0
        assert "told" not in group.said
        assert "killed" not in group.said


def test_a_second_interrupt_shortens_the_grace(tmp_path: Path) -> None:
    with up(tmp_path, SLOW) as group:
        group.read_all("up$", "group test is ready")
        group.signal(signal.SIGTERM)
        group.read_until("told$")
        group.signal(signal.SIGINT)
        select.select([], [], [], 0.2)
        assert "killed" not in group.said
        began = monotonic()
        group.signal(signal.SIGINT)
        assert group.wait() == 137
        assert 1.5 <= monotonic() - began < WITHIN
        assert not group.processes()


def test_under_nohup_a_hangup_stops_nothing(tmp_path: Path) -> None:
    def ignore() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    manifest = """
    [primary]
    command = "sleep inf"
    """
    with up(tmp_path, manifest, how={"preexec_fn": ignore}) as group:
        group.read_until("group test is ready")
        group.signal(signal.SIGHUP)
        group.signal(signal.SIGTERM)
        assert group.wait() == 0
    with up(tmp_path, SLOW, how={"preexec_fn": ignore}) as group:
        group.read_all("up$", "group test is ready")
        group.signal(signal.SIGHUP)
        assert group.popen.stdout is not None
        readable, _, _ = select.select([group.popen.stdout], [], [], 0.5)
        assert not readable


class Terminal:
    """A group whose controlling terminal we hold the other end of."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        self.said = ""

    def how(self) -> dict[str, object]:
        return {"stdin": self.theirs, "stdout": self.theirs, "preexec_fn": self._take}

    @staticmethod
    def _take() -> None:
        os.login_tty(0)

    def read_until(self, *words: str) -> None:
        end = monotonic() + WITHIN
        while not all(word in self.said for word in words):
            readable, _, _ = select.select([self.ours], [], [], end - monotonic())
            assert readable, self.said
            self.said += os.read(self.ours, 1 << 16).decode(errors="replace")


TWO = """
    grace = "20s"
    [sidecars.side]
    command = ["sh", "-c", '''
        trap 'echo side told >>{record}; exit 0' TERM; trap 'echo side INT >>{record}' INT HUP
        echo side-up; while :; do sleep 0.05; done''']
    [primary]
    command = ["sh", "-c", '''
        trap 'echo primary told >>{record}; {last}' TERM; trap 'echo primary INT >>{record}' INT HUP
        echo primary-up; while :; do sleep 0.05; done''']
"""


def started(folder: Path, terminal: Terminal, group: Up) -> None:
    os.close(terminal.theirs)
    terminal.read_until("side-up", "primary-up", "is ready")
    assert not (folder / "record").exists()
    for member in ("primary", "side"):
        assert os.getsid(group.main(member)) == group.main(member)


def test_ctrl_c_reaches_the_supervisor_alone(tmp_path: Path) -> None:
    record, terminal = tmp_path / "record", Terminal()
    with up(tmp_path, TWO.format(record=record, last="exit 0"), how=terminal.how()) as group:
        started(tmp_path, terminal, group)
        os.write(terminal.ours, b"\x03")
        terminal.read_until("stopped, as asked, after")
        assert group.popen.wait(WITHIN) == 0
        assert record.read_text() == "primary told\nside told\n"
    os.close(terminal.ours)


def test_a_second_ctrl_c_hastens(tmp_path: Path) -> None:
    record, terminal = tmp_path / "record", Terminal()
    with up(tmp_path, TWO.format(record=record, last=":"), how=terminal.how()) as group:
        started(tmp_path, terminal, group)
        os.write(terminal.ours, b"\x03")
        eventually(record.exists)
        began = monotonic()
        os.write(terminal.ours, b"\x03")
        terminal.read_until("had to be killed")
        assert monotonic() - began < 15
        assert group.popen.wait(WITHIN) == 137
        assert "INT" not in record.read_text()
    os.close(terminal.ours)


def test_a_closed_terminal_stops_the_group_in_order(tmp_path: Path) -> None:
    record, terminal = tmp_path / "record", Terminal()
    with up(tmp_path, TWO.format(record=record, last="exit 0"), how=terminal.how()) as group:
        started(tmp_path, terminal, group)
        os.close(terminal.ours)
        gone(group.guard)
        assert group.popen.wait(WITHIN) == 0
        assert record.read_text() == "primary told\nside told\n"
        assert not group.processes()
