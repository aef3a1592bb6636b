"""The members' output, and readers that are slow, gone, or never there.

| fault | test |
| --- | --- |
| stdout is a pipe that nobody reads | test_a_reader_that_does_not_read_* |
| stdout closed by its reader | test_a_reader_that_is_gone |
| a sink that breaks | test_a_sink_that_breaks_costs_no_output |
| what waits for a blocked sink is bounded | test_words_that_wait_are_bounded |
| a grandchild keeps the pipe open | test_a_writer_elsewhere_does_not_hold_up_the_end |
"""

import os
import signal
import threading
from pathlib import Path
from time import monotonic

from pairvisor.runtime import pump as pumps
from pairvisor.runtime.pump import Pump
from pairvisor.runtime.rings import Rings
from tests.support import WITHIN, eventually, up

FLOOD = """
    grace = "60s"
    [sidecars.flood]
    command = "yes"
    [primary]
    command = ["sh", "-c", "trap 'exit 0' TERM; touch up; while :; do sleep 0.05; done"]
"""


def test_a_reader_that_does_not_read_holds_up_no_stop(tmp_path: Path) -> None:
    with up(tmp_path, FLOOD) as group:
        eventually((tmp_path / "up").exists)
        began = monotonic()
        group.signal(signal.SIGTERM)
        assert group.popen.wait(WITHIN) == 0
        assert monotonic() - began < 15
        assert not group.processes()


def test_a_reader_that_is_gone(tmp_path: Path) -> None:
    """The group is run on, and what its members write goes nowhere."""
    with up(tmp_path, FLOOD) as group:
        eventually((tmp_path / "up").exists)
        assert group.popen.stdout is not None
        group.popen.stdout.close()
        (tmp_path / "up").unlink()
        group.kill("primary")
        eventually((tmp_path / "up").exists)
        assert group.popen.poll() is None
        group.signal(signal.SIGTERM)
        assert group.popen.wait(WITHIN) == 0


def test_a_writer_elsewhere_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """Somebody outside of the group holds a member's stdout: we, by /proc."""
    manifest = """
    [primary]
    command = ["sh", "-c", "echo up; exec sleep inf"]
    """
    with up(tmp_path, manifest) as group:
        group.read_until("up$")
        with open(f"/proc/{group.main('primary')}/fd/1", "wb"):
            assert group.stop() == 0
            assert "stopped, as asked, after" in group.said


class Broken:
    """A sink that fails at each second call, and remembers the others."""

    def __init__(self) -> None:
        self.calls = 0
        self.got: list[bytes] = []
        self.said: list[str] = []

    def lines(self, member: str, stream: str, text: bytes) -> None:
        self.calls += 1
        if self.calls % 2:
            raise OSError(member, stream)
        self.got += text.splitlines()

    def say(self, text: str) -> None:
        self.calls += 1
        if self.calls % 2:
            raise UnicodeError(text)
        self.said.append(text)

    progress = say


def test_a_sink_that_breaks_costs_no_output() -> None:
    sink = Broken()
    pump = Pump(sink, Rings([]))
    pump.start()
    write = pump.attach("m", "stdout")
    for number in range(1, 20):
        os.write(write, b"%d\n" % number)
        eventually(lambda number=number: sink.calls == number)  # type: ignore[misc]
    assert len(sink.got) == 9
    pump.say("lost")
    pump.say("kept")
    os.close(write)
    pump.finish(WITHIN)
    assert sink.said in (["kept"], ["lost"])


class Blocked(Broken):
    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()

    def say(self, text: str) -> None:
        self.may_go_on.wait()
        self.said.append(text)


def test_words_that_wait_are_bounded() -> None:
    sink = Blocked()
    pump = Pump(sink, Rings([]))
    pump.start()
    most = pumps.MOST_WORDS
    for number in range(3 * most):
        pump.say(str(number))
    sink.may_go_on.set()
    pump.finish(WITHIN)
    assert len(sink.said) <= most + 1
    assert sink.said[-1] == str(3 * most - 1)
