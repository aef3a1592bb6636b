"""Reloads: what differs is replaced, the rest runs on. The oracles judge every step."""

from math import inf
from typing import Any

import pytest
from msgspec.structs import replace

from pairvisor.core import effects as do
from pairvisor.core.events import Exit, Reloaded, StartRequested
from pairvisor.core.state import Cause, GroupPhase, Phase, Reason
from pairvisor.core.step import step
from pairvisor.manifest.group import Fate, Group, Hook, Member, Method, Probe, Purpose, Restart
from tests.core.test_asking import restart, start, stop
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

LENIENT = {"on_success": Fate.IGNORE, "on_failure": Fate.IGNORE}
NEW = ("new",)


def phases(world: World) -> dict[str, str]:
    return {name: member.phase.value for name, member in world.state.members.items()}


def since_reload(world: World) -> list[str]:
    """What was ordered after the start."""
    starting = len([m for m in orders(world) if m.startswith("spawn")])
    return orders(world)[starting:]


# Who is touched


def test_the_same_manifest_changes_nothing() -> None:
    spec = group(init("i"), sidecar("a", probes=probe("live")), primary("a"))
    world = up(spec, {"i": leaves(0)})
    world.reload(group(*spec.members.values()))
    assert not world.journal[-1].effects


def test_only_what_changed_restarts() -> None:
    world = up(group(sidecar("a"), sidecar("b", "a"), primary("a b")))
    world.reload(group(sidecar("a", command=NEW), sidecar("b", "a"), primary("a b")))
    world.run(10)
    assert orders(world) == ["spawn a", "spawn b", "spawn app", "signal a", "spawn a"]


def test_it_ends_by_its_old_settings_and_starts_by_the_new_ones() -> None:
    old = sidecar("a", stop_signal=2, stop_grace=4)
    new = sidecar("a", stop_signal=3, stop_grace=1, command=NEW)
    world = up(group(old, primary()), {"a": Script(drains=inf)})
    world.reload(group(new, primary()))
    assert world.state.members["a"].spec is old
    assert [e.signal for e in world.journal[-1].effects if isinstance(e, do.Signal)] == [2]
    world.run(10)
    assert times(world, "kill a") == [4]
    assert world.state.members["a"].spec is new
    assert times(world, "spawn a") == [0, 4]


def test_fate_and_backoff_have_no_part_in_it() -> None:
    policy = Restart(limit=1)
    old = sidecar("a", on_failure=Fate.TEARDOWN)
    world = up(group(old, primary("a"), restart=policy), {"a": Script(drained=Exit(code=3))})
    for number in range(10):
        new = replace(old, command=(str(number),))
        world.reload(group(new, primary("a"), restart=policy))
        world.run(1)
    assert len(times(world, "spawn a")) == 11
    assert len(times(world, "spawn app")) == 1


def test_the_news_names_the_request_and_what_differs() -> None:
    world = up(group(sidecar("a", env={"X": "1"}), primary()))
    world.reload(group(sidecar("a", env={"X": "2"}), primary()))
    moved = [e for e in world.journal[-1].effects if isinstance(e, do.Moved)]
    asked = Cause(Reason.REQUEST, "a", None, "to restart: env.X", 0.0, 1)
    assert [(m.phase, m.cause) for m in moved] == [(Phase.STOPPING, asked)]


# Coming and going


def test_one_that_left_the_manifest_is_ended_and_forgotten() -> None:
    world = up(group(sidecar("a"), primary("a")), {"a": Script(drains=2)})
    world.reload(group(primary()))
    world.run(1)
    assert phases(world) == {"app": "running", "a": "stopping"}
    world.run(5)
    world.ask(StartRequested)
    assert phases(world) == {"app": "running"}
    assert since_reload(world) == ["signal a"]


def test_what_is_down_and_left_the_manifest_is_forgotten_at_once() -> None:
    never = sidecar("b", "a=succeeded")
    spec = group(sidecar("a", **LENIENT), never, primary())
    world = play(spec, {"a": leaves(1, 1)})
    world.run(5)
    world.reload(group(primary()))
    world.ask(StartRequested)
    assert phases(world) == {"app": "running"}


def test_a_new_one_starts_once_its_gates_are_open() -> None:
    world = up(group(init("i"), primary("i=succeeded")), {"i": leaves(1), "b": Script()})
    world.run(5)
    slow = sidecar("b", "i=succeeded", probes=probe("ready"))
    late = sidecar("c", "b app")
    world.reload(group(init("i"), slow, late, primary("i=succeeded")))
    world.run(5)
    assert orders(world) == ["spawn i", "spawn app", "spawn b", "spawn c"]
    assert phases(world)["c"] == "running"


def test_never_two_when_a_name_comes_back_while_the_old_one_still_ends() -> None:
    spec = group(sidecar("a"), primary())
    world = up(spec, {"a": Script(drains=5)})
    world.reload(group(primary()))
    world.run(1)
    world.reload(spec)
    world.run(1)
    assert times(world, "spawn a") == [0]
    world.run(10)
    assert times(world, "spawn a") == [0, 5]
    assert world.state.members["a"].run == 2


def test_a_name_that_comes_back_later_goes_on_counting_its_runs() -> None:
    spec = group(sidecar("a"), primary())
    world = up(spec)
    world.reload(group(primary()))
    world.run(1)
    world.reload(spec)
    assert world.state.members["a"].run == 2
    assert world.state.former == {}


def test_the_end_of_the_last_that_was_held_ends_a_group_of_which_nothing_runs() -> None:
    world = play(group(sidecar("a"), primary(**LENIENT)), {"app": leaves(2)})
    stop(world, "a")
    world.run(5)
    assert world.finish is None
    world.reload(group(primary(**LENIENT)))
    assert ended(world) == ("succeeded", 0, "")


# Order


def test_those_that_change_together_stop_and_start_in_order() -> None:
    def spec(shared: str) -> Group:
        env = {"SHARED": shared}
        ready = probe("ready")
        return group(sidecar("a", env=env, probes=ready), primary("a", env=env))

    world = play(spec("1"), {"app": Script(drains=2), "a": Script(drains=3)})
    world.run(10)
    world.reload(spec("2"))
    world.run(20)
    assert orders(world)[2:] == ["signal app", "signal a", "spawn a", "spawn app"]
    assert times(world, "signal a") == [12]
    assert times(world, "spawn a")[1] == 15


def test_one_that_leaves_goes_after_those_that_had_waited_for_it() -> None:
    world = up(group(sidecar("a"), primary("a")), {"app": Script(drains=2)})
    world.reload(group(primary(command=NEW)))
    world.run(10)
    assert times(world, "signal app") == [0]
    assert times(world, "signal a") == times(world, "spawn app")[1:] == [2]


def doomed(**settings: Any) -> tuple[World, Group, Group]:
    """`a` runs, and will be ended once `app` has, which takes five seconds."""
    old = group(sidecar("a", **settings), primary("a"))
    changed = group(sidecar("a", command=NEW, **settings), primary("a", command=NEW))
    world = up(old, {"app": Script(drains=5)})
    world.reload(changed)
    world.run(1)
    assert phases(world) == {"a": "running", "app": "stopping"}
    return world, old, changed


def test_nobody_judges_the_end_of_one_that_is_about_to_be_ended() -> None:
    world, _, _ = doomed(on_failure=Fate.TEARDOWN)
    world.exit("a", Exit(code=3))
    world.run(10)
    assert phases(world) == {"a": "running", "app": "running"}
    assert times(world, "spawn a") == [0, 1]
    assert times(world, "spawn app") == [0, 5]


def test_a_change_that_is_taken_back_before_its_turn_ends_nobody() -> None:
    world, old, _ = doomed()
    world.reload(group(old.members["a"], primary("a", command=NEW)))
    world.run(10)
    assert times(world, "spawn a") == [0]
    assert times(world, "spawn app") == [0, 5]


def test_its_turn_does_not_matter_to_one_that_is_stopped_or_restarted_as_asked() -> None:
    for ask, runs in ((stop, [0]), (restart, [0, 1])):
        world, _, _ = doomed()
        ask(world, "a")
        world.run(10)
        assert times(world, "signal a") == [1]
        assert times(world, "spawn a") == runs


def test_a_stop_of_the_group_ends_all_of_it() -> None:
    world, _, _ = doomed()
    world.stop()
    assert ended(world) == ("stopped", 0, "")
    assert times(world, "signal a") == [5]


def test_the_run_that_is_to_end_opens_no_gate_any_more() -> None:
    old = sidecar("a", probes=probe("ready"))
    spec = group(old, sidecar("b", "a"), primary("a=started"))
    world = up(spec, {"a": [Script(ready_after=2), Script(ready_after=5)], "app": Script(drains=4)})
    changed = replace(old, command=NEW)
    world.reload(group(changed, sidecar("b", "a"), primary("a=started", command=NEW)))
    world.run(60)
    assert times(world, "spawn a") == [0, 4]
    assert times(world, "spawn b")[0] >= 9


# What needs no new process


def test_other_stop_settings_hold_at_once() -> None:
    world = up(group(sidecar("a", stop_grace=30), primary()), {"a": Script(drains=inf)})
    world.reload(group(sidecar("a", stop_grace=3, stop_signal=2), primary()))
    assert not world.journal[-1].effects
    stop(world, "a")
    world.run(60)
    assert times(world, "kill a") == [3]


def test_another_fate_holds_at_once() -> None:
    world = up(group(sidecar("a"), primary("a")))
    world.reload(group(sidecar("a", on_failure=Fate.IGNORE), primary("a")))
    world.exit("a", Exit(code=1))
    world.run(5)
    assert phases(world) == {"a": "ended", "app": "running"}


def test_another_live_probe_is_asked_at_once_and_the_old_one_no_more() -> None:
    def spec(interval: float) -> Group:
        live = probe("live", interval=interval, failures=2)
        return group(sidecar("a", probes=live, on_failure=Fate.RESTART), primary())

    world = play(spec(1000.0), {"a": [Script(sick_after=5), Script()]})
    world.run(10)
    world.reload(spec(1.0))
    world.run(0.5)
    assert times(world, "signal a") == []
    world.run(1)
    assert times(world, "signal a") == [11]


def test_who_is_ready_stays_so_by_another_probe_until_that_fails() -> None:
    def spec(failures: int) -> Group:
        ready = probe("ready", interval=1.0, failures=failures)
        return group(sidecar("a", probes=ready), primary())

    world = play(spec(1), {"a": Script(flaps=100)})
    world.run(99.5)
    world.reload(spec(3))
    world.run(2)
    assert world.state.members["a"].ready
    world.run(2)
    assert not world.state.members["a"].ready


def test_who_is_not_ready_becomes_so_without_a_probe() -> None:
    member = sidecar("a", probes=probe("startup") | probe("ready", failures=1))
    world = up(group(member, primary()), {"a": Script(flaps=2)})
    world.run(3.5)
    assert not world.state.members["a"].ready
    world.reload(group(replace(member, probes=probe("startup")), primary()))
    assert world.state.members["a"].ready


def test_one_that_is_starting_is_asked_by_the_new_probe() -> None:
    member = sidecar("a", probes=probe("startup"), start_timeout=60)
    world = up(group(member, primary("a")), {"a": Script(ready_after=99)})
    world.run(3)
    world.reload(group(replace(member, probes={}), primary("a")))
    assert orders(world) == ["spawn a", "spawn app"]
    world.run(0)
    assert world.state.phase is GroupPhase.RUNNING


def test_a_member_that_said_that_it_is_ready_need_not_say_so_again() -> None:
    told = Probe(method=Method.NOTIFY)
    world = up(group(sidecar("a", probes={Purpose.READY: told}), primary("a")))
    slower = {Purpose.READY: replace(told, timeout=9.0)}
    world.reload(group(sidecar("a", probes=slower), primary("a")))
    world.run(5)
    assert world.state.members["a"].ready
    assert orders(world) == ["spawn a", "spawn app"]


def test_a_hook_that_the_manifest_has_no_more_can_still_be_cancelled() -> None:
    member = sidecar("a", hooks=hooks("post_start"), start_timeout=60)
    stuck = {Hook.POST_START: Command(takes=inf)}
    world = up(group(member, primary()), {"a": Script(hooks=stuck)})
    world.reload(group(replace(member, hooks={}), primary()))
    stop(world, "a")
    told = [effect for entry in world.journal for effect in entry.effects]
    assert do.CancelHook("a", 1) in told
    world.run(5)
    assert phases(world)["a"] == "ended"


def test_a_whole_life_counts_from_its_beginning() -> None:
    world = up(group(primary()))
    world.run(10)
    world.reload(group(primary(), max_runtime=30.0))
    assert ended(world) == ("failed", 1, "")
    assert world.now == 30
    world = up(group(primary(), max_runtime=20.0))
    world.run(10)
    world.reload(group(primary()))
    world.run(100)
    assert world.finish is None


def test_a_shorter_grace_holds_for_the_stop_that_comes() -> None:
    world = up(group(sidecar("a"), primary(), grace=30), {"a": Script(drains=inf)})
    stop(world, "a")
    world.reload(group(sidecar("a"), primary(), grace=5))
    world.run(1)
    world.stop()
    assert ended(world) == ("stopped", 0, "")
    assert times(world, "kill a") == [6]


# Inits


def test_a_changed_init_runs_at_the_groups_next_start() -> None:
    spec = group(init("i"), primary("i=succeeded"))
    world = up(spec, {"i": leaves(0), "app": [leaves(20, 1), Script()]})
    changed = init("i", command=NEW)
    world.reload(group(changed, primary("i=succeeded")))
    world.run(10)
    assert orders(world) == ["spawn i", "spawn app"]
    world.run(20)
    assert orders(world) == ["spawn i", "spawn app", "spawn i", "spawn app"]
    assert world.state.members["i"].spec is changed


def test_a_changed_init_that_has_not_run_yet_runs_as_it_is_now() -> None:
    spec = group(init("i"), init("j", "i=succeeded"), primary("j=succeeded"))
    world = up(spec, {"i": leaves(5), "j": leaves(1)})
    changed = init("j", "i=succeeded", command=NEW)
    world.reload(group(init("i"), changed, primary("j=succeeded")))
    world.run(10)
    assert orders(world) == ["spawn i", "spawn j", "spawn app"]
    assert world.state.members["j"].spec is changed


def test_an_init_that_keeps_failing_is_mended() -> None:
    failing = init("i", on_failure=Fate.RESTART)
    policy = Restart(jitter=0.0, initial=60.0)
    spec = group(failing, primary("i=succeeded"), restart=policy)
    world = play(spec, {"i": [leaves(1, 1), leaves(1, 1), leaves(1)]})
    world.run(10)
    assert phases(world)["i"] == "backoff"
    changed = init("i", command=NEW, on_failure=Fate.RESTART)
    world.reload(group(changed, primary("i=succeeded"), restart=policy))
    world.run(60)
    assert world.state.members["i"].spec is changed
    assert phases(world) == {"i": "ended", "app": "running"}


def test_a_new_init_comes_too_late_for_a_group_that_is_up() -> None:
    world = up(group(primary()))
    world.reload(group(init("i"), primary("i=succeeded")))
    world.run(10)
    assert orders(world) == ["spawn app"]
    start(world, "i")
    assert orders(world) == ["spawn app", "spawn i"]


def test_a_new_init_runs_now_where_somebody_who_starts_now_waits_for_it() -> None:
    world = up(group(primary()), {"i": leaves(2), "j": leaves(1)})
    world.reload(group(init("i"), init("j", "i=succeeded"), sidecar("a", "j=succeeded"), primary()))
    world.run(10)
    assert orders(world) == ["spawn app", "spawn i", "spawn j", "spawn a"]


def test_a_new_init_comes_in_time_for_a_group_that_is_starting() -> None:
    world = up(
        group(sidecar("a", probes=probe("ready")), primary("a")), {"a": Script(ready_after=5)}
    )
    world.reload(group(init("i"), sidecar("a", probes=probe("ready")), primary("a i=succeeded")))
    world.run(4)
    assert orders(world) == ["spawn a", "spawn i"]


def test_another_role_is_another_member() -> None:
    world = up(group(sidecar("a"), primary()), {"a": Script(drains=1)})
    world.reload(group(init("a"), primary()))
    world.run(10)
    assert orders(world) == ["spawn a", "spawn app", "signal a"]
    world.reload(group(sidecar("a"), primary()))
    world.run(10)
    assert orders(world) == ["spawn a", "spawn app", "signal a", "spawn a"]


# What is down


def test_what_is_held_stays_down_and_starts_by_the_new_word() -> None:
    world = up(group(sidecar("a"), primary()))
    stop(world, "a")
    changed = sidecar("a", command=NEW)
    world.reload(group(changed, primary()))
    world.run(5)
    assert phases(world)["a"] == "ended"
    start(world, "a")
    assert world.state.members["a"].spec is changed


def test_what_had_ended_or_waited_for_its_restart_starts_if_it_differs() -> None:
    again = sidecar("b", on_failure=Fate.RESTART)
    policy = Restart(jitter=0.0, initial=60.0)
    spec = group(sidecar("a", **LENIENT), again, primary(), restart=policy)
    failing = [leaves(1, 1), leaves(1, 1), Script()]
    world = play(spec, {"a": [leaves(1, 1), Script()], "b": failing})
    world.run(5)
    assert phases(world) == {"a": "ended", "b": "backoff", "app": "running"}
    mended = [replace(m, command=NEW) for m in (spec.members["a"], again)]
    world.reload(group(*mended, primary(), restart=policy))
    world.run(0)
    assert phases(world) == {"a": "running", "b": "running", "app": "running"}


def test_the_group_does_not_wait_for_one_that_left() -> None:
    spec = group(sidecar("a", probes=probe("ready")), primary())
    world = up(spec, {"a": Script(ready_after=99)})
    assert world.state.phase is GroupPhase.STARTING
    world.reload(group(primary()))
    assert [e.phase for e in world.journal[-1].effects if isinstance(e, do.GroupMoved)] == [
        GroupPhase.RUNNING
    ]


def test_one_that_waits_for_somebody_else_now_starts_if_that_is_ready() -> None:
    spec = group(sidecar("a"), sidecar("b", probes=probe("ready")), primary("a b"))
    world = up(spec, {"b": Script(ready_after=99)})
    world.reload(group(*list(spec.members.values())[:2], primary("a")))
    assert orders(world) == ["spawn a", "spawn b", "spawn app"]


def test_one_that_is_replaced_by_what_can_never_start_ends_the_group() -> None:
    spec = group(sidecar("a", **LENIENT), primary(**LENIENT))
    world = play(spec, {"a": leaves(1)})
    world.run(5)
    members = [sidecar("a", **LENIENT), primary("a", command=NEW, **LENIENT)]
    world.reload(group(*members))
    outcome, status, _ = ended(world)
    assert (outcome, status) == ("failed", 1)
    assert world.finish is not None
    assert world.finish.cause is not None
    assert world.finish.cause.detail == "nothing runs: app (waits for a)"


# The whole group


def test_with_another_primary_the_whole_group_starts_again() -> None:
    web: Member = primary("a", name="web")
    world = up(group(sidecar("a"), primary("a")), {"app": Script(drains=2, left=1)})
    world.reload(group(sidecar("a"), sidecar("b"), web))
    world.run(10)
    assert orders(world)[2:] == ["signal app", "signal a", "spawn a", "spawn b", "spawn web"]
    assert world.state.primary.spec is web
    assert "app" not in world.state.members
    assert world.state.backoff.level == 0


def test_a_stop_wins_over_another_primary_too() -> None:
    world = up(group(primary()), {"app": Script(drains=2)})
    world.reload(group(primary(name="web")))
    world.stop()
    assert ended(world) == ("stopped", 0, "")
    assert "spawn web" not in orders(world)


def test_between_two_rounds_the_next_one_is_by_the_new_word() -> None:
    policy = Restart(jitter=0.0)
    world = play(group(sidecar("a"), primary(), restart=policy), {"app": leaves(1, 1)})
    world.run(2.5)
    assert world.state.phase is GroupPhase.BACKOFF
    world.reload(group(sidecar("b"), primary(name="web"), restart=policy))
    assert not world.journal[-1].effects
    world.run(1)
    assert orders(world)[-2:] == ["spawn b", "spawn web"]
    assert list(world.state.members) == ["b", "web"]


def test_before_the_first_round_it_is_by_the_new_word() -> None:
    world = World(group(primary()), lambda *_: Script())
    world.reload(group(sidecar("b"), primary(name="web")))
    assert not world.journal[-1].effects
    world.start()
    world.run(1)
    assert orders(world) == ["spawn b", "spawn web"]


@pytest.mark.parametrize("goal", ["stop", "restart"])
def test_a_reload_is_too_late_once_the_group_stops(goal: str) -> None:
    world = play(group(sidecar("a"), primary("a")), {"a": Script(drains=5), "app": leaves(2, 1)})
    world.run(1)
    if goal == "stop":
        world.stop()
    world.run(2)
    world.reload(group(primary(command=NEW)))
    assert not world.journal[-1].effects
    assert list(world.state.spec.members) == ["a", "app"]


def test_after_its_end_a_group_is_not_reloaded() -> None:
    world = up(group(primary()))
    world.stop()
    world.run(1)
    assert step(world.state, Reloaded(group(sidecar("a"), primary())), 1.0) == []
    assert list(world.state.members) == ["app"]


def test_a_gate_that_is_not_there_any_more_holds_up_nobody_in_a_stop() -> None:
    """Who leaves still comes before those that it had waited for."""
    world = up(group(sidecar("a"), sidecar("b", "a"), primary()), {"b": Script(drains=3)})
    world.reload(group(sidecar("a"), primary()))
    world.run(1)
    world.stop()
    assert ended(world) == ("stopped", 0, "")
    assert times(world, "signal a") == [3]
