"""What somebody asks of a group and of its members, rule by rule. The oracles judge every step."""

from collections.abc import Callable
from math import inf

import pytest

from pairvisor.core import effects as do
from pairvisor.core.events import (
    Event,
    Exit,
    MemberRestartRequested,
    MemberStartRequested,
    MemberStopRequested,
    RestartRequested,
    StartRequested,
)
from pairvisor.core.state import Cause, GroupPhase, Phase, Reason
from pairvisor.manifest.group import Fate, Hook, Restart
from tests.sim.scripts import Command, Script
from tests.sim.told import (
    ended,
    group,
    hooks,
    init,
    leaves,
    orders,
    play,
    primary,
    probe,
    sidecar,
    times,
    up,
)
from tests.sim.world import World

STEADY = Restart(jitter=0.0)
LENIENT = {"on_success": Fate.IGNORE, "on_failure": Fate.IGNORE}


def stop(world: World, *members: str) -> None:
    _ask(world, MemberStopRequested, *members)


def start(world: World, *members: str) -> None:
    _ask(world, MemberStartRequested, *members)


def restart(world: World, *members: str) -> None:
    _ask(world, MemberRestartRequested, *members)


def _ask(world: World, wish: Callable[[str, int], Event], *members: str) -> None:
    """Of one after the other; what takes no time happens in between."""
    for member in members:
        world.ask(lambda number, member=member: wish(member, number))  # type: ignore[misc]
        world.run(0)


def phase(world: World, member: str) -> str:
    return world.state.members[member].phase.value


def news_of(world: World, member: str) -> list[do.Moved]:
    effects = (effect for entry in world.journal for effect in entry.effects)
    return [e for e in effects if isinstance(e, do.Moved) and e.member == member]


# Stop


def test_a_stop_ends_one_member_and_those_that_wait_for_it_run_on() -> None:
    world = up(group(sidecar("a"), primary("a")))
    stop(world, "a")
    world.run(60)
    assert orders(world) == ["spawn a", "spawn app", "signal a"]
    assert world.state.phase is GroupPhase.RUNNING
    assert world.state.members["a"].held


def test_a_stop_takes_the_hook_the_signal_and_the_grace() -> None:
    member = sidecar("a", hooks=hooks("pre_stop", "post_stop"), stop_grace=5)
    hook = {Hook.PRE_STOP: Command(2), Hook.POST_STOP: Command(1)}
    world = up(group(member, primary("a")), {"a": Script(drains=inf, hooks=hook)})
    stop(world, "a")
    world.run(60)
    told = ["pre_stop a", "signal a", "kill a", "post_stop a"]
    assert [(order, times(world, order)[0]) for order in told] == list(
        zip(told, [0, 2, 5, 5], strict=True)
    )
    assert phase(world, "a") == "ended"


@pytest.mark.parametrize("fate", Fate)
def test_fate_does_not_judge_an_end_that_was_asked_for(fate: Fate) -> None:
    member = sidecar("a", on_failure=fate, on_success=fate)
    world = up(group(member, primary("a")), {"a": Script(drained=Exit(code=9))})
    stop(world, "a")
    world.run(60)
    assert orders(world) == ["spawn a", "spawn app", "signal a"]
    assert world.state.members["a"].backoff.level == 0


def test_the_news_of_a_stop_names_its_request() -> None:
    world = up(group(sidecar("a"), primary("a")))
    stop(world, "a")
    told = Cause(Reason.REQUEST, "a", None, "to stop", 0.0, 1)
    assert [m.cause for m in news_of(world, "a") if m.phase is Phase.STOPPING] == [told]


def test_who_waits_and_is_stopped_does_not_start_when_its_gates_open() -> None:
    spec = group(sidecar("a", probes=probe("ready")), sidecar("b", "a"), primary("a"))
    world = up(spec, {"a": Script(ready_after=3)})
    stop(world, "b")
    world.run(10)
    assert orders(world) == ["spawn a", "spawn app"]
    assert phase(world, "b") == "waiting"
    assert world.state.phase is GroupPhase.RUNNING  # it is not counted on


def test_the_groups_next_round_starts_what_was_stopped() -> None:
    world = up(group(sidecar("a"), primary()), {"app": leaves(20, 1)})
    stop(world, "a")
    world.run(30)
    assert orders(world) == ["spawn a", "spawn app", "signal a", "spawn a", "spawn app"]
    assert not world.state.members["a"].held


def test_a_stop_ends_the_wait_for_a_restart() -> None:
    spec = group(sidecar("a", on_failure=Fate.RESTART), primary(), restart=STEADY)
    world = play(spec, {"a": leaves(1, 1)})
    world.run(2.5)
    assert phase(world, "a") == "backoff"
    stop(world, "a")
    world.run(60)
    assert phase(world, "a") == "ended"
    assert len(times(world, "spawn a")) == 2


def test_a_stop_wins_over_a_restart_that_is_under_way() -> None:
    sick = sidecar("a", on_failure=Fate.RESTART, probes=probe("live", failures=1))
    world = play(group(sick, primary()), {"a": Script(sick_after=3, drains=5)})
    world.run(4)
    stop(world, "a")
    world.run(60)
    assert phase(world, "a") == "ended"


def test_one_that_ends_for_good_anyway_is_left_alone() -> None:
    world = play(
        group(init("a"), primary("a=succeeded")), {"a": leaves(1, left=1, empties_within=2)}
    )
    world.run(2)
    stop(world, "a")
    world.run(10)
    assert orders(world) == ["spawn a", "spawn app"]


def test_an_init_that_was_stopped_has_not_succeeded_and_opens_nothing() -> None:
    spec = group(init("a"), sidecar("b", "a=ended"), primary("a=succeeded"))
    world = up(spec, {"a": [Script(drained=Exit(code=0)), leaves(2)]})
    stop(world, "a")
    world.run(10)
    assert orders(world) == ["spawn a", "signal a"]
    start(world, "a")
    world.run(10)
    assert sorted(orders(world)) == ["signal a", "spawn a", "spawn a", "spawn app", "spawn b"]


def test_a_group_of_which_all_was_stopped_stays_until_it_is_stopped() -> None:
    world = up(group(sidecar("a"), primary("a")))
    stop(world, "app", "a")
    world.run(1000)
    assert world.state.phase is GroupPhase.RUNNING
    world.stop()
    assert ended(world) == ("stopped", 0, "")


def test_a_group_of_which_all_else_has_ended_stays_while_one_may_be_started_again() -> None:
    spec = group(sidecar("a", **LENIENT), primary(**LENIENT))
    world = play(spec, {"app": leaves(5), "a": [Script(), leaves(2)]})
    world.run(1)
    stop(world, "a")
    world.run(60)
    assert world.finish is None
    start(world, "a")  # its second run ends by itself, and that counts
    assert ended(world) == ("succeeded", 0, "")
    assert world.now == 63


# Start


def test_a_start_ends_a_hold_whatever_the_gates_say() -> None:
    world = up(group(sidecar("a"), primary("a")))
    stop(world, "app", "a")
    start(world, "app")
    world.run(5)
    assert orders(world) == ["spawn a", "spawn app", "signal app", "signal a", "spawn app"]


def test_a_start_runs_again_what_had_ended() -> None:
    world = play(group(sidecar("a", **LENIENT), primary()), {"a": [leaves(1), Script()]})
    world.run(5)
    start(world, "a")
    assert times(world, "spawn a") == [0, 5]
    started = [m for m in news_of(world, "a") if m.phase is Phase.STARTING][-1]
    assert started.cause == Cause(Reason.REQUEST, "a", None, "to start", 5.0, 1)


def test_a_start_does_not_wait_for_the_backoff() -> None:
    policy = Restart(jitter=0.0, initial=50.0)
    spec = group(sidecar("a", on_failure=Fate.RESTART), primary(), restart=policy)
    world = play(spec, {"a": [leaves(1, 1), leaves(1, 1), Script()]})
    world.run(10)
    start(world, "a")
    world.run(100)
    assert times(world, "spawn a") == [0, 1, 10]


def test_a_start_of_what_waits_for_its_turn_changes_nothing() -> None:
    spec = group(sidecar("a", probes=probe("ready")), primary("a"))
    world = up(spec, {"a": Script(ready_after=5)})
    start(world, "app")
    assert orders(world) == ["spawn a"]
    stop(world, "app")
    start(world, "app")
    assert orders(world) == ["spawn a"]
    world.run(10)
    assert orders(world) == ["spawn a", "spawn app"]


def test_in_a_group_that_is_up_a_start_asks_no_gate() -> None:
    world = up(group(primary(), sidecar("report", "app=ended")))
    start(world, "report")
    assert orders(world) == ["spawn app", "spawn report"]


def test_a_start_of_what_is_about_to_end_comes_once_it_has() -> None:
    world = up(group(sidecar("a"), primary()), {"a": Script(drains=3, left=1, empties_within=1)})
    stop(world, "a")
    world.run(1)
    start(world, "a")
    assert times(world, "spawn a") == [0]
    world.run(10)
    assert times(world, "spawn a") == [0, 4]


def test_a_start_of_what_runs_changes_nothing() -> None:
    world = up(group(sidecar("a"), primary()))
    start(world, "a")
    assert not world.journal[-1].effects


def test_a_group_that_is_starting_counts_on_what_is_started_again() -> None:
    spec = group(
        sidecar("a", probes=probe("ready")), sidecar("b", probes=probe("ready")), primary()
    )
    slow = Script(ready_after=5)
    world = up(spec, {"a": slow, "b": slow})
    stop(world, "a")
    world.run(4)
    start(world, "a")
    world.run(3)
    assert world.state.unsettled == {"a"}
    world.run(3)
    assert world.state.phase is GroupPhase.RUNNING


# Restart


def test_a_restart_comes_as_soon_as_the_member_has_ended() -> None:
    world = up(group(sidecar("a"), primary("a")), {"a": Script(drains=2)})
    restart(world, "a")
    world.run(10)
    assert times(world, "signal a") == [0]
    assert times(world, "spawn a") == [0, 2]
    assert len(times(world, "spawn app")) == 1


def test_restarts_that_are_asked_for_count_in_no_backoff() -> None:
    policy = Restart(jitter=0.0, limit=1)
    spec = group(sidecar("a", on_failure=Fate.RESTART), primary("a"), restart=policy)
    world = up(spec)
    for _ in range(20):
        restart(world, "a")
    world.exit("a", Exit(code=1))
    world.run(0)
    assert len(times(world, "spawn a")) == 22
    assert len(times(world, "spawn app")) == 1


def test_a_healthy_run_that_ends_as_asked_begins_the_row_anew() -> None:
    policy = Restart(jitter=0.0, reset_after=100.0)
    spec = group(sidecar("a", on_failure=Fate.RESTART), primary("a"), restart=policy)
    failing = [leaves(1, 1)] * 4
    world = play(spec, {"a": [*failing, Script()]})
    world.run(200)
    restart(world, "a")
    assert world.state.members["a"].backoff.level == 0


def test_a_restart_of_what_is_down_starts_it() -> None:
    spec = group(sidecar("a", **LENIENT), sidecar("b"), primary())
    world = play(spec, {"a": [leaves(1), Script()]})
    world.run(2)
    stop(world, "b")
    restart(world, "a", "b")
    assert times(world, "spawn a") == times(world, "spawn b") == [0, 2]


def test_a_restart_of_what_waits_changes_nothing_unless_it_is_held() -> None:
    spec = group(sidecar("a", probes=probe("ready")), primary("a"))
    world = up(spec, {"a": Script(ready_after=5)})
    restart(world, "app")
    assert not world.journal[-1].effects
    stop(world, "app")
    restart(world, "app")
    world.run(10)
    assert orders(world) == ["spawn a", "spawn app"]


def test_the_gates_of_one_that_is_restarted_open_for_those_that_still_wait() -> None:
    spec = group(sidecar("a", probes=probe("ready")), primary("a"))
    world = up(spec, {"a": [Script(ready_after=99), Script(ready_after=1)]})
    world.run(5)
    restart(world, "a")
    world.run(5)
    assert orders(world) == ["spawn a", "signal a", "spawn a", "spawn app"]


# The group


def test_a_restart_of_the_group_is_in_order_and_at_once() -> None:
    world = up(group(sidecar("a"), primary("a")), {"a": Script(drains=2)})
    for _ in range(5):
        world.ask(RestartRequested)
        world.run(10)
    ways = ["signal app", "signal a", "spawn a", "spawn app"]
    assert orders(world) == ["spawn a", "spawn app", *ways * 5]
    assert times(world, "spawn a") == [0, 2, 12, 22, 32, 42]
    assert world.state.backoff.level == 0
    assert world.state.cause == Cause(Reason.REQUEST, "", None, "to restart", 40.0, 5)


def test_a_restart_or_a_start_ends_the_groups_backoff() -> None:
    for wish in (RestartRequested, StartRequested):
        world = play(group(primary(), restart=STEADY), {"app": leaves(1, 1)})
        world.run(2.5)
        assert world.state.phase is GroupPhase.BACKOFF
        world.ask(wish)
        assert times(world, "spawn app") == [0, 1, 2.5]
        (begun,) = (e for e in world.journal[-1].effects if isinstance(e, do.GroupMoved))
        assert begun.cause is not None
        assert begun.cause.request == 1


def test_a_restart_that_is_under_way_needs_no_pause_once_somebody_asks() -> None:
    policy = Restart(jitter=0.0, initial=60.0)
    spec = group(sidecar("a"), primary("a"), restart=policy)
    world = play(spec, {"app": leaves(1, 1), "a": Script(drains=4)})
    world.run(7)  # once at once; it ended again at 6
    world.ask(RestartRequested)
    world.run(4)
    assert times(world, "spawn app") == [0, 5, 10]


def test_a_stop_wins_over_a_restart() -> None:
    world = up(group(sidecar("a"), primary("a")), {"app": Script(drains=3)})
    world.ask(RestartRequested)
    world.run(1)
    world.stop()
    assert ended(world) == ("stopped", 0, "")
    assert world.finish is not None
    assert world.finish.cause == Cause(Reason.REQUEST, "", None, "to stop", 1.0, 2)


def test_a_restart_does_not_undo_a_stop() -> None:
    world = up(group(sidecar("a"), primary("a")), {"app": Script(drains=3)})
    world.stop()
    world.ask(RestartRequested)
    world.ask(StartRequested)
    assert ended(world) == ("stopped", 0, "")


def test_a_start_of_the_group_starts_what_was_stopped_in_its_order() -> None:
    spec = group(sidecar("a", probes=probe("ready")), sidecar("b"), primary("a b"))
    world = play(spec, {"a": [Script(), Script(ready_after=2)]})
    world.run(5)
    stop(world, "app", "a")
    world.ask(StartRequested)
    world.run(5)
    assert orders(world, since=5) == ["signal app", "signal a", "spawn a", "spawn app"]
    assert times(world, "spawn app")[1] >= 7


# When it is too late


@pytest.mark.parametrize(
    "wish", [MemberStartRequested, MemberStopRequested, MemberRestartRequested]
)
def test_of_a_member_nothing_is_asked_while_the_group_stops_waits_or_is_over(
    wish: Callable[[str, int], Event],
) -> None:
    def ignored(world: World) -> bool:
        world.ask(lambda number: wish("a", number))
        return not world.journal[-1].effects

    world = up(group(sidecar("a"), primary("a")), {"app": Script(drains=3)})
    world.stop()
    assert ignored(world)
    assert ended(world) == ("stopped", 0, "")
    assert ignored(world)
    world = play(group(sidecar("a"), primary(), restart=STEADY), {"app": leaves(1, 1)})
    world.run(2.5)
    assert world.state.phase is GroupPhase.BACKOFF
    assert ignored(world)


def test_nobody_is_asked_of_one_that_is_not_there() -> None:
    world = up(group(primary()))
    for ask in (start, stop, restart):
        ask(world, "nobody")
        assert not world.journal[-1].effects
