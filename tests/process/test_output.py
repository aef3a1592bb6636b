"""The members' output, and readers that are slow, gone, or never there.

| fault | test |
| --- | --- |
| stdout is a pipe that nobody reads | test_a_reader_that_does_not_read_* |
| stdout closed by its reader | test_a_reader_that_is_gone |
| an outlet that breaks | test_an_outlet_that_breaks_* |
| what waits for a pump that is held up is bounded | test_words_that_wait_are_bounded |
| a grandchild keeps the pipe open | test_a_writer_elsewhere_does_not_hold_up_the_end |
"""

import os
import signal
from pathlib import Path
from time import monotonic

from pairvisor.runtime.logs.lines import Data
from pairvisor.runtime.logs.outlet import Account, Fact, Fault
from pairvisor.runtime.logs.pump import MOST_ORDERS, Pump
from pairvisor.runtime.rings import Rings
from tests.process.pumping import Taking, lead_to, pump_to_pipe
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


class Breaking(Taking):
    """Fails at each second call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def put(self, account: Account, data: Data) -> None:
        self.calls += 1
        if self.calls % 2:
            raise ValueError(account.member)
        super().put(account, data)


def test_an_outlet_that_breaks_costs_no_more_than_what_it_was_given() -> None:
    outlet, facts = Breaking(), list[Fact]()
    pump = Pump(None, Rings(["m"]))
    lead_to(pump, outlet)
    pump.listen(facts.append)
    pump.start()
    write = pump.attach("m", "stdout")
    for number in range(1, 20):
        os.write(write, b"%d\n" % number)
        eventually(lambda number=number: outlet.calls == number)  # type: ignore[misc]
    os.close(write)
    pump.finish(WITHIN)
    assert outlet.lines == [f"m stdout {number}" for number in range(2, 20, 2)]
    assert facts == [Fault("ValueError('all')")]


def test_words_that_wait_are_bounded() -> None:
    with pump_to_pipe("m") as (pump, _):
        for number in range(3 * MOST_ORDERS):
            pump.say(str(number))
        assert len(pump._orders) <= MOST_ORDERS + 1
