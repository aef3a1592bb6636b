"""Restarts: their pauses, their cost, and who is blamed.

| fault | test |
| --- | --- |
| crash loop | test_a_crash_loop_backs_off_and_costs_little |
| deaths that a group restart itself caused | test_the_first_failure_is_the_cause_of_all |
| kill -9 of a member in its start | test_a_member_that_dies_while_others_start |
"""

import os
from itertools import pairwise
from pathlib import Path
from time import monotonic

import pytest

from tests.support import eventually, up


def cpu_seconds(pid: int) -> float:
    """Of all its threads, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("fate", ["restart", "restart-group"])
def test_a_crash_loop_backs_off_and_costs_little(tmp_path: Path, fate: str) -> None:
    times = tmp_path / "times"
    manifest = f"""
    restart = {{ initial = "150ms", max = "600ms", jitter = 0.0 }}
    [sidecars.side]
    command = ["sh", "-c", "cut -d' ' -f1 /proc/uptime >>{times}; exit 1"]
    on_failure = "{fate}"
    [primary]
    command = "sleep inf"
    after = []
    """
    with up(tmp_path, manifest) as group:
        eventually(times.exists)
        began, spent = monotonic(), cpu_seconds(group.supervisor)
        eventually(lambda: len(times.read_text().split()) >= 6)
        share = (cpu_seconds(group.supervisor) - spent) / (monotonic() - began)
        assert group.stop() == 0
    pauses = [b - a for a, b in pairwise(map(float, times.read_text().split()))]
    for pause, least in zip(pauses, (0, 0.15, 0.3, 0.6, 0.6), strict=False):
        assert least - 0.02 <= pause < least + 2  # uptime is in hundredths
    assert pauses[0] < pauses[3]
    assert share < 0.2


def test_the_first_failure_is_the_cause_of_all(tmp_path: Path) -> None:
    """The others die of the first one's death, or of the stop, badly and at once."""
    sides = "".join(
        f"""
    [sidecars.s{number}]
    command = ["sh", "-c", "trap 'exit 9' TERM; while [ -d /proc/$(cat first) ]; do :; done; false"]
    after = ["first"]
    """
        for number in range(4)
    )
    manifest = f"""
    restart = {{ limit = 3, initial = "10ms" }}
    [sidecars.first]
    command = ["sh", "-c", "echo $$$$ >{tmp_path}/first; exec sleep inf"]
    ready = {{ exec = ["test", "-s", "{tmp_path}/first"] }}
    {sides}
    [primary]
    command = ["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.05; done"]
    """
    with up(tmp_path, manifest) as group:
        for number in range(1, 4):
            group.read_until("group test is ready")
            group.kill("first")
            group.read_until("is restarted: first was killed by SIGKILL")
            group.read_until(rf"starts again \(restart {number}\)")
        group.read_until("group test is ready")
        group.kill("first")
        assert group.wait() == 137
        last = group.said.splitlines()[-1]
        assert "failed: first was killed by SIGKILL (gave up after 3 restarts" in last


def test_a_member_that_dies_while_others_start(tmp_path: Path) -> None:
    manifest = """
    [sidecars.slow]
    command = "sleep inf"
    ready = { exec = ["sleep", "0.5"], timeout = "20s" }
    [sidecars.side]
    command = "sleep inf"
    [primary]
    command = "sleep inf"
    """
    with up(tmp_path, manifest) as group:
        group.read_until("side is ready")
        group.kill("side")
        group.read_until("is restarted: side was killed")
        group.read_until("group test is ready")
        assert group.said.count("primary is ready") <= 1
        assert len(group.processes()) == 3
        assert group.stop() == 0
