"""A process that SIGKILL does not end: it is said, the others are stopped, and nothing waits on.

| fault | test |
| --- | --- |
| a member's main process is held by the kernel | test_the_others_are_stopped_in_order |
| only a child of it is | test_a_child_that_cannot_be_killed_is_its_members |
| it dies before it is given up | test_one_that_dies_late_is_an_end_like_others |
| it dies after that | test_one_that_dies_when_it_was_given_up_is_not_named |
| the group was to be restarted | test_nothing_is_started_beside_what_cannot_be_killed |
| the supervisor is killed, too | test_the_guard_gives_up_by_itself |
"""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from tests.process.freezer import Freezer, freezer, needs_freezer
from tests.process.programs import TOLD
from tests.process.test_control import ask, slowest_status
from tests.support import Up, eventually, gone, is_alive, up

pytestmark = [needs_freezer, pytest.mark.slow]
PATIENCE = 10.0  # seconds after SIGKILL, as the core and the guard have it


@pytest.fixture
def cold(tmp_path: Path) -> Iterator[Freezer]:
    with freezer(tmp_path.name) as made:
        yield made


def left(group: Up) -> list[int]:
    """Whom the guard names."""
    found = re.findall(r"^pairvisor: can't be killed: (.*)$", group.said, re.MULTILINE)
    return [int(pid) for line in found for pid in re.findall(r"(\d+) \((?:sleep|sh)\)", line)]


def test_the_others_are_stopped_in_order(tmp_path: Path, cold: Freezer) -> None:
    record = tmp_path / "record"
    manifest = f"""
    grace = "60s"
    [sidecars.side]
    command = ["{TOLD}", "side", "{record}"]
    [primary]
    command = "sleep inf"
    stop = {{ grace = "200ms" }}
    [sidecars.front]
    command = ["{TOLD}", "front", "{record}"]
    after = ["primary"]
    """
    with up(tmp_path, manifest) as group:
        group.read_all("side .* up$", "front .* up$", "group test is ready")
        frozen = group.main("primary")
        cold.freeze(frozen)
        began = monotonic()
        group.signal(signal.SIGTERM)
        group.read_all("primary did not end in time and is killed")
        assert record.read_text() == "front told\n"
        assert slowest_status(group, 20) < 1
        assert group.wait(within=PATIENCE + 15) == 70
        assert PATIENCE < monotonic() - began < 2 * PATIENCE  # the guard has not waited once more
        assert record.read_text() == "front told\nside told\n"
        assert "primary can't be killed: still there 10 s after SIGKILL\n" in group.said
        assert left(group) == [frozen]
        assert is_alive(frozen)
        cold.thaw()
        gone(frozen)
    kept = tmp_path / "xdg-state" / "pairvisor" / "test" / "events.jsonl"
    assert kept.read_text().count('"member-unkillable"') == 1


def test_a_child_that_cannot_be_killed_is_its_members(tmp_path: Path, cold: Freezer) -> None:
    """It is the kernel's, so who waited for the member's end goes on; and it is not the others'."""
    manifest = """
    [sidecars.side]
    command = "sleep inf"
    [primary]
    command = ["sh", "-c", "sleep inf & exec sleep inf"]
    """
    with up(tmp_path, manifest) as group:
        group.read_until("group test is ready")
        main = group.main("primary")
        eventually(lambda: len(group.processes("primary")) == 2)
        (child,) = set(group.processes("primary")) - {main}
        cold.freeze(child)
        group.signal(signal.SIGTERM)
        group.read_all("primary stopped", "side stopped")
        assert group.wait(within=PATIENCE + 15) == 70
        assert "side can't be killed" not in group.said
        assert left(group) == [child]
        cold.thaw()
        gone(child)


def test_one_that_dies_late_is_an_end_like_others(tmp_path: Path, cold: Freezer) -> None:
    manifest = """
    [sidecars.side]
    command = "sleep inf"
    stop = { grace = "200ms" }
    [primary]
    command = "sleep inf"
    """
    with up(tmp_path, manifest) as group:
        group.read_until("group test is ready")
        cold.freeze(group.main("side"))
        group.signal(signal.SIGTERM)
        group.read_all("side did not end in time and is killed")
        cold.thaw()
        assert group.wait() == 0
        assert "can't be killed" not in group.said


def test_one_that_dies_when_it_was_given_up_is_not_named(tmp_path: Path, cold: Freezer) -> None:
    go_on = tmp_path / "go-on"
    os.mkfifo(go_on)
    manifest = f"""
    grace = "60s"
    [sidecars.slow]
    command = ["sh", "-c", "trap 'cat {go_on}; exit 0' TERM; echo up; while :; do sleep 0.02; done"]
    [primary]
    command = "sleep inf"
    stop = {{ grace = "200ms" }}
    """
    with up(tmp_path, manifest) as group:
        group.read_all("up$", "group test is ready")
        frozen = group.main("primary")
        cold.freeze(frozen)
        group.signal(signal.SIGTERM)
        group.read_all("primary can't be killed")
        assert ask(group, "/v1/status")[1]["state"] == "stopping"
        cold.thaw()
        gone(frozen)
        go_on.write_text("")
        assert group.wait() == 70
        assert group.said.count("primary can't be killed") == 2  # when it was, and in the result
        assert left(group) == []


def test_nothing_is_started_beside_what_cannot_be_killed(tmp_path: Path, cold: Freezer) -> None:
    manifest = """
    [sidecars.side]
    command = "sleep inf"
    stop = { grace = "200ms" }
    [primary]
    command = "sleep inf"
    """
    with up(tmp_path, manifest) as group:
        group.read_until("group test is ready")
        frozen = group.main("side")
        cold.freeze(frozen)
        group.kill("primary")
        assert group.wait(within=PATIENCE + 15) == 70
        assert "group test is restarted" in group.said
        assert "starts again" not in group.said
        assert left(group) == [frozen]


def test_the_guard_gives_up_by_itself(tmp_path: Path, cold: Freezer) -> None:
    manifest = """
    [primary]
    command = "sleep inf"
    """
    with up(tmp_path, manifest) as group:
        group.read_until("group test is ready")
        frozen = group.main("primary")
        cold.freeze(frozen)
        os.kill(group.supervisor, signal.SIGKILL)
        assert group.wait(within=PATIENCE + 15) == 137
        assert left(group) == [frozen]
