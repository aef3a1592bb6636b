"""The contract's rules, each as a small whole life. Every step of each is judged by the oracles."""

from itertools import pairwise
from math import inf
from typing import Any, TypeGuard

import pytest

from pairvisor.core import effects as do
from pairvisor.core.events import (
    Exit,
    HookEnded,
    MemberRestartRequested,
    MemberStopRequested,
    ProbeEnded,
    Spawned,
)
from pairvisor.core.state import Cause, Goal, GroupPhase, Phase, Reason, next_deadline
from pairvisor.manifest.group import Fate, Gate, Hook, Member, Method, Probe, Purpose, Restart
from tests.sim.invariants import Judge, a_stop_reaches_the_end, stale_events_change_nothing
from tests.sim.scripts import Command, Script
from tests.sim.told import (
    FAILURE,
    SUCCESS,
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

STUBBORN = Script(drains=inf)
STEADY = Restart(jitter=0.0)


def phases(world: World) -> dict[str, str]:
    return {name: member.phase.value for name, member in world.state.members.items()}


# Up


def pod(**settings: object) -> World:
    """Two inits, two sidecars, the primary, in the derived order."""
    ready = probe("ready", interval=0.5)
    return play(
        group(
            init("one"),
            init("two", "one=succeeded"),
            sidecar("tls", "two=succeeded", probes=ready),
            sidecar("logs", "two=succeeded"),
            primary("tls logs"),
        ),
        {"one": leaves(1), "two": leaves(1), "tls": Script(ready_after=1), **settings},  # type: ignore[dict-item]
    )


def test_inits_run_in_a_row_then_sidecars_together_then_the_primary() -> None:
    world = pod()
    world.run(10)
    assert orders(world) == ["spawn one", "spawn two", "spawn tls", "spawn logs", "spawn app"]
    assert times(world, "spawn two") == [1]
    assert times(world, "spawn tls") == times(world, "spawn logs") == [2]
    assert 3 <= times(world, "spawn app")[0] <= 3.3  # tls was ready at 3, and was seen soon
    assert world.state.phase is GroupPhase.RUNNING


@pytest.mark.parametrize(
    ("gate", "first", "at"),
    [
        (Gate.STARTED, Script(latency=0.5, ready_after=2), 0.5),
        (Gate.READY, Script(ready_after=2), 2.0),
        (Gate.SUCCEEDED, leaves(3), 3.0),
        (Gate.ENDED, leaves(3, code=1), 3.0),
        (Gate.SUCCEEDED, leaves(3, code=1), None),
        (Gate.READY, leaves(3, ready_after=9), None),
    ],
)
def test_each_gate_opens_when_it_says(gate: Gate, first: Script, at: float | None) -> None:
    lenient = {"on_success": Fate.IGNORE, "on_failure": Fate.IGNORE}
    first_member = sidecar("a", probes=probe("ready", interval=0.25), **lenient)
    world = play(group(first_member, sidecar("b"), primary(f"a={gate}")), {"a": first})
    world.run(10)
    found = times(world, "spawn app")
    assert found == ([] if at is None else pytest.approx([at], abs=0.3))


def test_an_ended_gate_stays_shut_while_the_member_restarts_alone() -> None:
    again = sidecar("a", on_failure=Fate.RESTART, on_success=Fate.IGNORE)
    world = play(group(again, primary("a=ended")), {"a": [leaves(1, 1), leaves(1, 1), leaves(1)]})
    world.run(20)
    assert times(world, "spawn app") == [1 + 1 + 1 + 1]  # two restarts: at once, then after 1 s


def test_startup_gates_and_keeps_the_other_probes_off() -> None:
    probes = probe("startup") | probe("ready") | probe("live")
    world = play(group(sidecar("a", probes=probes), primary("a")), {"a": Script(ready_after=2)})
    world.run(5)
    asked = [
        (entry.time, effect.purpose)
        for entry in world.journal
        for effect in entry.effects
        if isinstance(effect, do.Probe)
    ]
    started = times(world, "spawn app")[0]
    assert started >= 2
    assert all((purpose is Purpose.STARTUP) == (at < started) for at, purpose in asked)


def test_readiness_that_comes_and_goes_restarts_nothing() -> None:
    flapping = sidecar("a", probes=probe("ready", failures=1))
    world = play(group(flapping, primary("a")), {"a": Script(flaps=3)})
    world.run(60)
    news = [e for x in world.journal for e in x.effects if isinstance(e, do.ReadinessChanged)]
    assert len([e for e in news if e.member == "a"]) > 10
    assert orders(world) == ["spawn a", "spawn app"]


def test_a_group_is_up_before_members_that_wait_for_the_end_of_its_work() -> None:
    report = sidecar("report", "app=ended")
    spec = group(primary(on_success=Fate.IGNORE), report, start_timeout=5)
    world = play(spec, {"app": leaves(60)})
    world.run(59)
    assert world.state.phase is GroupPhase.RUNNING
    world.run(2)
    assert orders(world) == ["spawn app", "spawn report"]


# Fate


FATES = [
    # who ends, how, its fate; what is ordered then; how it ends, if it does
    ("app", SUCCESS, {}, ["signal tls"], ("succeeded", 0, "app")),
    ("app", FAILURE, {}, ["signal tls", "spawn tls", "spawn app"], None),
    ("app", FAILURE, {"on_failure": Fate.TEARDOWN}, ["signal tls"], ("failed", 3, "app")),
    ("app", Exit(signal=9), {"on_failure": Fate.TEARDOWN}, ["signal tls"], ("failed", 137, "app")),
    ("app", FAILURE, {"on_failure": Fate.RESTART}, ["spawn app"], None),
    ("app", FAILURE, {"on_failure": Fate.IGNORE}, [], None),
    ("app", FAILURE, {"success_codes": frozenset({3})}, ["signal tls"], ("succeeded", 0, "app")),
    (
        "app",
        SUCCESS,
        {"success_codes": frozenset({3}), "on_failure": Fate.TEARDOWN},
        ["signal tls"],
        ("failed", 1, "app"),
    ),
    ("app", FAILURE, {"on_exit": {3: Fate.TEARDOWN}}, ["signal tls"], ("failed", 3, "app")),
    ("app", Exit(signal=1), {"on_exit": {-1: Fate.IGNORE}}, [], None),
    ("tls", SUCCESS, {}, ["signal app", "spawn tls", "spawn app"], None),
    ("tls", FAILURE, {}, ["signal app", "spawn tls", "spawn app"], None),
    ("tls", FAILURE, {"on_failure": Fate.RESTART}, ["spawn tls"], None),
    ("tls", SUCCESS, {"on_success": Fate.TEARDOWN}, ["signal app"], ("succeeded", 0, "tls")),
    ("tls", FAILURE, {"on_failure": Fate.TEARDOWN}, ["signal app"], ("failed", 3, "tls")),
    ("tls", SUCCESS, {"on_success": Fate.IGNORE}, [], None),
]


@pytest.mark.parametrize(("who", "how", "fate", "then", "end"), FATES)
def test_what_an_end_does(
    who: str,
    how: Exit,
    fate: dict[str, Any],
    then: list[str],
    end: tuple[str, int, str] | None,
) -> None:
    members = [sidecar("tls", **(fate if who == "tls" else {}))]
    members.append(primary("tls", **(fate if who == "app" else {})))
    world = play(group(*members))
    world.run(5)
    world.exit(who, how)
    world.run(1)
    assert orders(world, since=5) == then
    assert (world.finish is None) == (end is None)
    if end:
        assert ended(world) == end


def test_a_restart_of_the_group_runs_everything_again_after_all_have_ended() -> None:
    world = pod(tls=Script(ready_after=0.25, drains=2), app=[leaves(5, 1), Script()])
    world.run(30)
    first = ["spawn one", "spawn two", "spawn tls", "spawn logs", "spawn app"]
    assert sorted(orders(world)) == sorted([*first, "signal tls", "signal logs", *first])
    assert times(world, "spawn one")[1] == times(world, "signal tls")[0] + 2
    tidied = [e.time for e in world.journal for x in e.effects if isinstance(x, do.Tidy)]
    assert tidied == times(world, "spawn one")


def test_a_group_that_keeps_failing_waits_longer_each_time_up_to_the_maximum() -> None:
    policy = Restart(jitter=0.0, max=5.0)
    world = play(group(primary(), restart=policy), {"app": leaves(0.5, 1)})
    world.run(30)
    starts = times(world, "spawn app")
    pauses = [b - a - 0.5 for a, b in pairwise(starts)]
    assert pauses == [0, 1, 2, 4, 5, 5, 5]


def test_a_healthy_run_begins_the_row_anew() -> None:
    policy = Restart(jitter=0.0, reset_after=10)
    lives = [leaves(1, 1), leaves(1, 1), leaves(11, 1), leaves(1, 1), Script()]
    world = play(group(primary(), restart=policy), {"app": lives})
    world.run(60)
    assert times(world, "spawn app") == [0, 1, 3, 14, 16]


def test_a_group_gives_up_past_its_limit_and_says_the_cause() -> None:
    policy = Restart(jitter=0.0, limit=2)
    world = play(group(primary(), restart=policy), {"app": leaves(1, 7)})
    assert ended(world) == ("failed", 7, "app")
    assert len(times(world, "spawn app")) == 3
    assert world.finish is not None
    assert world.finish.cause is not None
    assert world.finish.cause.detail == "gave up after 2 restarts within 600 s"


def test_past_its_limit_a_member_that_restarts_alone_restarts_the_group() -> None:
    policy = Restart(jitter=0.0, limit=2)
    spec = group(sidecar("a", on_failure=Fate.RESTART), primary(), restart=policy)
    world = play(spec, {"a": [leaves(1, 1)] * 3 + [Script()]})
    world.run(60)
    assert orders(world) == [
        *["spawn a", "spawn app", "spawn a", "spawn a"],
        *["signal app", "spawn a", "spawn app"],
    ]


def test_a_member_that_cannot_be_started_has_failed() -> None:
    spec = group(primary(on_failure=Fate.TEARDOWN, hooks=hooks("post_stop")))
    world = play(spec, {"app": Script(error="cannot run ./app: no such file")})
    assert ended(world) == ("failed", 126, "app")
    assert world.finish is not None
    assert world.finish.cause is not None
    assert world.finish.cause.reason is Reason.SPAWN
    assert orders(world) == ["spawn app"]  # what never ran has nothing to clean up after


def test_of_two_that_end_at_once_the_first_is_the_cause() -> None:
    world = play(group(sidecar("tls", on_failure=Fate.TEARDOWN), primary("tls")))
    world.run(1)
    world.exit("tls", FAILURE)
    world.exit("app", Exit(code=9))
    assert ended(world) == ("failed", 3, "tls")


def test_when_all_have_ended_the_primary_says_how_it_went() -> None:
    lenient = {"on_success": Fate.IGNORE, "on_failure": Fate.IGNORE}
    spec = group(sidecar("a", **lenient), primary(**lenient))
    assert ended(play(spec, {"a": leaves(2), "app": leaves(1)})) == ("succeeded", 0, "")
    assert ended(play(spec, {"a": leaves(2, 9), "app": leaves(1, 4)})) == ("failed", 4, "app")


def test_when_all_have_ended_before_the_primary_could_start_that_is_a_failure_and_said() -> None:
    lenient = {"on_success": Fate.IGNORE, "on_failure": Fate.IGNORE}
    spec = group(sidecar("a", probes=probe("ready"), **lenient), primary("a"))
    world = play(spec, {"a": leaves(2, ready_after=9)})
    assert ended(world) == ("failed", 1, "")
    assert world.finish is not None
    assert world.finish.cause is not None
    assert "app (waits for a)" in world.finish.cause.detail


def test_what_was_found_failing_has_not_succeeded_even_if_it_leaves_with_0() -> None:
    sick = sidecar("a", on_failure=Fate.IGNORE, probes=probe("live", failures=1))
    spec = group(sick, sidecar("b", "a=succeeded"), sidecar("c", "a=ended"), primary())
    world = play(spec, {"a": Script(sick_after=3, drained=SUCCESS)})
    world.run(10)
    assert orders(world) == ["spawn a", "spawn app", "signal a", "spawn c"]


# Failing without ending


def test_a_member_that_is_late_has_failed() -> None:
    slow = sidecar("a", probes=probe("ready"), start_timeout=5, on_failure=Fate.TEARDOWN)
    world = play(group(slow, primary("a")), {"a": Script(ready_after=9)})
    assert ended(world) == ("failed", 1, "a")
    assert times(world, "signal a") == [5]
    assert world.finish is not None
    assert world.finish.cause is not None
    assert world.finish.cause.reason is Reason.START_TIMEOUT


def test_an_init_that_does_not_end_has_failed() -> None:
    world = play(group(init("a", timeout=5, on_failure=Fate.TEARDOWN), primary("a=succeeded")))
    assert ended(world) == ("failed", 1, "a")
    assert times(world, "signal a") == [5]


def test_a_group_that_is_late_has_failed() -> None:
    spec = group(sidecar("a", probes=probe("ready")), primary("a"), start_timeout=5)
    world = play(spec, {"a": [Script(ready_after=9), Script()]})
    world.run(20)
    assert orders(world) == ["spawn a", "signal a", "spawn a", "spawn app"]


def test_a_member_that_restarts_alone_for_ever_does_not_hide_that_the_group_is_late() -> None:
    again = sidecar("a", probes=probe("ready"), on_failure=Fate.RESTART)
    late = primary("a", on_failure=Fate.TEARDOWN)
    world = play(group(again, late, start_timeout=20), {"a": leaves(1, 1, ready_after=9)})
    assert ended(world) == ("failed", 1, "")
    assert world.now == pytest.approx(20)


def test_a_live_probe_ends_its_member() -> None:
    probes = probe("live", interval=1, failures=3)
    spec = group(sidecar("a", probes=probes, on_failure=Fate.RESTART), primary("a"))
    world = play(spec, {"a": [Script(sick_after=10), Script()]})
    world.run(60)
    assert orders(world) == ["spawn a", "spawn app", "signal a", "spawn a"]
    assert times(world, "signal a") == [12]  # the third failure, a second apart


def test_a_member_ended_alone_is_killed_when_its_own_grace_is_over() -> None:
    probes = probe("live", failures=1)
    sick = sidecar("a", probes=probes, on_failure=Fate.RESTART, stop_grace=4)
    world = play(group(sick, primary("a")), {"a": [Script(sick_after=2, drains=inf), Script()]})
    world.run(60)
    assert times(world, "kill a") == [times(world, "signal a")[0] + 4]
    assert world.state.phase is GroupPhase.RUNNING


def test_a_run_that_is_too_long_is_a_failure() -> None:
    world = play(group(primary(), max_runtime=100), {"app": leaves(40, 1)})
    assert ended(world) == ("failed", 1, "")
    assert world.finish is not None
    assert world.finish.cause is not None
    assert world.finish.cause.reason is Reason.MAX_RUNTIME
    assert world.now == pytest.approx(100)


# Hooks


def test_a_post_start_hook_comes_before_the_probes_and_its_failure_is_the_members() -> None:
    first = Script(hooks={Hook.POST_START: Command(2, passes=False)})
    spec = group(primary(hooks=hooks("post_start"), probes=probe("ready")))
    world = play(spec, {"app": [first, Script()]})
    world.run(5)
    assert orders(world) == [
        *["spawn app", "post_start app", "signal app"],
        *["spawn app", "post_start app"],
    ]
    assert times(world, "signal app") == [2]


def test_a_pre_stop_hook_that_hangs_takes_the_grace_and_leaves_two_seconds() -> None:
    spec = group(sidecar("a"), primary("a", hooks=hooks("pre_stop")), grace=10)
    world = play(spec, {"app": Script(hooks={Hook.PRE_STOP: Command(inf)}, drains=inf)})
    world.run(5)
    world.stop()
    assert ended(world) == ("failed", 137, "app")
    assert sorted(orders(world, since=5)) == ["kill app", "pre_stop app", "signal a", "signal app"]
    assert times(world, "signal app") == times(world, "signal a") == [15]
    assert times(world, "kill app") == [17]


def test_a_pre_stop_hook_that_is_late_just_before_the_grace_is_over_leaves_two_seconds_too() -> (
    None
):
    spec = group(primary(hooks=hooks("pre_stop"), stop_grace=9.75), grace=10)
    world = up(spec, {"app": Script(hooks={Hook.PRE_STOP: Command(inf)}, drains=1)})
    world.stop()
    assert ended(world) == ("stopped", 0, "")


def test_a_post_start_hook_does_not_outlive_a_stop() -> None:
    spec = group(primary(hooks=hooks("post_start")), sidecar("a", "app=started"), grace=2)
    hook = {Hook.POST_START: Command(inf)}
    world = play(spec, {"app": Script(hooks=hook), "a": STUBBORN})
    world.run(1)
    world.stop()
    assert ended(world) == ("stopped", 0, "")


def test_a_post_stop_hook_comes_last_and_holds_up_what_the_member_waited_for() -> None:
    spec = group(sidecar("a"), primary("a", hooks=hooks("post_stop")))
    world = play(spec, {"app": Script(hooks={Hook.POST_STOP: Command(3)})})
    world.run(1)
    world.stop()
    assert ended(world) == ("stopped", 0, "")
    assert times(world, "signal a") == [4]


def test_a_post_stop_hook_that_hangs_is_ended_with_the_grace() -> None:
    spec = group(sidecar("a"), primary("a", hooks=hooks("post_stop")), grace=10)
    world = up(spec, {"app": Script(hooks={Hook.POST_STOP: Command(inf)}), "a": STUBBORN})
    world.stop()
    assert ended(world) == ("stopped", 0, "")
    assert times(world, "kill a") == [12]


# Down


def test_stopping_is_the_reverse_of_starting() -> None:
    slow = {"tls": Script(drains=1), "logs": Script(drains=2), "app": Script(drains=3)}
    world = play(
        group(sidecar("logs"), sidecar("tls", "logs"), primary("tls"), sidecar("top", "app")), slow
    )
    world.run(10)
    world.stop()
    assert ended(world) == ("stopped", 0, "")
    assert orders(world, since=10) == ["signal top", "signal app", "signal tls", "signal logs"]
    assert world.now == 10 + 3 + 1 + 2


def test_order_holds_through_members_that_never_started() -> None:
    never = sidecar("never", "base app", probes=probe("ready"))
    top = sidecar("top", "base=started never=started")
    spec = group(sidecar("base"), primary("base", probes=probe("ready")), never, top)
    world = play(spec, {"app": Script(ready_after=99, drains=2)})
    world.run(5)
    world.stop()
    assert ended(world) == ("stopped", 0, "")
    assert orders(world, since=5) == ["signal app", "signal base"]
    assert times(world, "signal base") == [7]


def test_a_stop_interrupts_a_start_at_once_and_nothing_more_starts() -> None:
    for quarter in range(16):
        world = pod()
        world.run(quarter / 4)
        a_stop_reaches_the_end(world)
        assert world.now == quarter / 4
        assert not [o for o in orders(world, since=world.now) if "spawn tls" in o and quarter < 8]


def test_a_program_that_comes_up_during_a_stop_is_not_probed_and_opens_nothing() -> None:
    slow = sidecar("a", "b=started", hooks=hooks("post_start"), probes=probe("ready"))
    spec = group(sidecar("b"), slow, primary("a=started"))
    world = play(spec, {"a": Script(latency=1), "b": Script()})
    world.stop()
    assert ended(world) == ("stopped", 0, "")
    assert "post_start a" not in orders(world)


def test_what_comes_up_while_those_that_wait_for_it_drain_starts_no_hook() -> None:
    spec = group(
        primary(probes=probe("ready"), hooks=hooks("post_start")), sidecar("a", "app=started")
    )
    world = play(spec, {"app": Script(hooks={Hook.POST_START: Command(2)}), "a": Script(drains=5)})
    world.run(1)
    world.stop()
    assert ended(world) == ("stopped", 0, "")


def test_a_stop_during_a_backoff_of_the_group_is_immediate() -> None:
    world = play(group(primary(), restart=STEADY), {"app": leaves(1, 1)})
    world.run(2.5)
    assert world.state.phase is GroupPhase.BACKOFF
    world.stop()
    assert ended(world) == ("stopped", 0, "")
    assert world.now == 2.5


def test_a_stop_during_a_backoff_of_a_member_is_immediate() -> None:
    spec = group(sidecar("a", on_failure=Fate.RESTART), primary(), restart=STEADY)
    world = play(spec, {"a": leaves(1, 1)})
    world.run(2.5)
    assert phases(world)["a"] == "backoff"
    world.stop()
    assert ended(world) == ("stopped", 0, "")
    assert world.now == 2.5


def test_a_stop_during_a_restart_wins_over_it() -> None:
    world = play(group(sidecar("a"), primary("a")), {"app": leaves(1, 1), "a": Script(drains=3)})
    world.run(2)
    world.stop()
    assert ended(world) == ("stopped", 0, "")
    assert world.now == 4
    assert len(times(world, "spawn app")) == 1
    overruled = [e for x in world.journal for e in x.effects if isinstance(e, do.Overruled)]
    asked = Cause(Reason.REQUEST, detail="to stop", at=2, request=1)
    assert [(e.goal, e.cause) for e in overruled] == [(Goal.STOP, asked)]


def test_a_stop_does_not_undo_a_failure_that_is_under_way() -> None:
    spec = group(sidecar("a"), primary("a", on_failure=Fate.TEARDOWN))
    world = play(spec, {"app": leaves(1, 5), "a": Script(drains=3)})
    world.run(2)
    world.stop()
    assert ended(world) == ("failed", 5, "app")


def test_a_second_request_leaves_two_seconds() -> None:
    world = up(group(sidecar("a"), primary("a"), grace=30), {"app": STUBBORN, "a": STUBBORN})
    world.stop()
    world.run(5)
    world.stop(hasten=True)
    assert ended(world) == ("failed", 137, "app")
    assert times(world, "kill app") == times(world, "signal a") == [7]
    assert times(world, "kill a") == [9]


def test_a_storm_of_requests_changes_nothing_more() -> None:
    world = up(group(sidecar("a"), primary("a"), grace=30), {"app": STUBBORN})
    for _ in range(1000):
        world.stop(hasten=True)
        world.tick(world.now)
    assert ended(world) == ("failed", 137, "app")
    assert world.now == 2


def test_a_primary_that_had_to_be_killed_is_a_failure_a_sidecar_is_not() -> None:
    for stubborn, end in (("app", ("failed", 137, "app")), ("a", ("stopped", 0, ""))):
        world = up(group(sidecar("a"), primary("a"), grace=5), {stubborn: STUBBORN})
        world.stop()
        assert ended(world) == end


def test_a_sidecar_that_ends_badly_once_the_stop_began_is_not_a_failure() -> None:
    world = up(group(sidecar("a"), primary("a")), {"a": Script(drained=Exit(code=9))})
    world.stop()
    assert ended(world) == ("stopped", 0, "")


def test_a_members_own_grace_is_shorter() -> None:
    world = play(group(sidecar("a", stop_grace=2), primary("a"), grace=30), {"a": STUBBORN})
    world.run(10)
    world.stop()
    assert ended(world) == ("stopped", 0, "")
    assert times(world, "kill a") == [12]


def test_many_that_ignore_their_stop_share_one_grace() -> None:
    stubborn = dict.fromkeys(("a", "b", "c", "app"), STUBBORN)
    spec = group(sidecar("a"), sidecar("b", "a"), sidecar("c", "b"), primary("c"), grace=10)
    world = up(spec, stubborn)
    world.stop()
    assert ended(world)[1] == 137
    assert times(world, "kill app") == [10]
    assert times(world, "signal a") == times(world, "signal c") == [10]
    assert times(world, "kill a") == [12]
    assert world.now == 12


def test_one_that_cannot_be_killed_does_not_keep_the_others_up() -> None:
    frozen = Script(drains=inf, dies_within=inf)
    world = up(group(sidecar("a"), primary("a"), grace=5), {"app": frozen})
    world.stop()
    assert ended(world) == ("failed", 70, "app")
    assert phases(world) == {"app": "unkillable", "a": "ended"}
    assert world.now == 15


def test_those_before_one_that_cannot_be_killed_are_told_once_it_was_given_up() -> None:
    frozen = Script(drains=inf, dies_within=inf)
    spec = group(sidecar("a"), primary("a", stop_grace=1), sidecar("b", "app"), grace=60)
    world = up(spec, {"app": frozen})
    world.stop()
    assert ended(world) == ("failed", 70, "app")
    assert orders(world, since=0.1) == ["kill app", "signal a"]
    assert (times(world, "kill app"), times(world, "signal a")) == ([1], [11])


def test_a_first_failure_is_the_cause_whatever_can_not_be_killed_then() -> None:
    frozen = Script(drains=inf, dies_within=inf)
    app = primary("a", on_failure=Fate.TEARDOWN)
    world = up(group(sidecar("a"), app, grace=5), {"a": frozen, "app": leaves(1, code=3)})
    assert ended(world) == ("failed", 3, "app")


def test_one_that_cannot_be_killed_alone_ends_the_group() -> None:
    sick = sidecar("a", probes=probe("live", failures=1), on_failure=Fate.RESTART, stop_grace=1)
    frozen = Script(sick_after=3, drains=inf, dies_within=inf)
    world = play(group(sick, primary("a")), {"a": frozen})
    assert ended(world) == ("failed", 70, "a")
    assert times(world, "spawn a") == [0]


@pytest.mark.parametrize("request_", [MemberRestartRequested, MemberStopRequested])
def test_what_was_asked_of_one_that_cannot_be_killed_ends_the_group(
    request_: type[MemberRestartRequested | MemberStopRequested],
) -> None:
    """Never two of a member: what is left of the last run could write where the next one does."""
    frozen = Script(drains=inf, dies_within=inf)
    world = up(group(sidecar("a", stop_grace=1), primary("a")), {"a": frozen})
    world.ask(lambda number: request_("a", number))
    assert ended(world) == ("failed", 70, "a")
    assert (times(world, "spawn a"), times(world, "signal app")) == ([0], [11])


def test_one_that_dies_before_it_is_given_up_is_an_end_like_others() -> None:
    slow = Script(drains=inf, dies_within=9.75)
    world = up(group(sidecar("a", stop_grace=1), primary("a")), {"a": slow})
    world.ask(lambda number: MemberRestartRequested("a", number))
    world.run(20)
    assert times(world, "spawn a") == [0, 10.75]
    assert phases(world) == {"a": "running", "app": "running"}


def test_of_two_that_cannot_be_killed_the_first_is_the_cause() -> None:
    frozen = Script(drains=inf, dies_within=inf)
    world = up(group(sidecar("a"), primary("a"), grace=5), {"app": frozen, "a": frozen})
    world.stop()
    assert ended(world) == ("failed", 70, "app")


def test_one_that_dies_after_all_is_gone_but_its_group_does_not_go_on() -> None:
    slow = Script(drains=inf, dies_within=11)
    world = play(group(sidecar("a"), primary("a"), grace=5), {"a": slow, "app": leaves(1, 1)})
    assert ended(world) == ("failed", 70, "a")
    assert len(times(world, "spawn app")) == 1


def test_a_late_death_is_noted_and_nothing_else() -> None:
    """The others still stop; its hook is not run, as what waited for its end has gone on."""
    late = Script(drains=inf, dies_within=11, left=2)
    side = sidecar("a", stop_grace=1, hooks=hooks("post_stop"))
    world = up(group(side, primary(), grace=30), {"a": late, "app": Script(drains=25)})
    world.stop()
    world.run(12)
    assert phases(world)["a"] == "ended"
    assert ended(world) == ("failed", 70, "a")
    assert "post_stop a" not in orders(world)
    moved = [e.phase for x in world.journal for e in x.effects if _is_of(e, "a")]
    assert moved[-3:] == [Phase.KILLING, Phase.UNKILLABLE, Phase.ENDED]


def _is_of(effect: do.Effect, member: str) -> TypeGuard[do.Moved]:
    return isinstance(effect, do.Moved) and effect.member == member


def test_what_a_daemon_leaves_behind_is_killed_and_told() -> None:
    world = play(
        group(sidecar("a"), primary("a", on_success=Fate.RESTART)), {"app": leaves(1, left=3)}
    )
    world.run(1)
    left = [e for x in world.journal for e in x.effects if isinstance(e, do.LeftBehind)]
    assert left == [do.LeftBehind("app", 1, 3)]
    assert times(world, "spawn app") == [0, 1]


def test_a_member_is_only_ended_when_its_whole_tree_is() -> None:
    slow = Script(left=3, empties_within=2)
    world = up(group(sidecar("a"), primary("a")), {"app": slow})
    world.stop()
    assert ended(world) == ("stopped", 0, "")
    assert times(world, "signal a") == [2]


# Alone and together


def test_a_member_ended_alone_goes_on_ending_when_the_group_stops() -> None:
    sick = sidecar("a", probes=probe("live", failures=1), on_failure=Fate.RESTART, stop_grace=8)
    world = play(group(sick, primary("a"), grace=20), {"a": Script(sick_after=3, drains=5)})
    world.run(4)
    world.stop()
    assert ended(world) == ("stopped", 0, "")
    assert orders(world) == ["spawn a", "spawn app", "signal a", "signal app"]


def test_a_restart_alone_does_not_start_its_followers_again() -> None:
    spec = group(sidecar("a", on_failure=Fate.RESTART), primary("a"))
    world = play(spec, {"a": [leaves(2, 1), Script()]})
    world.run(10)
    assert orders(world) == ["spawn a", "spawn app", "spawn a"]


def test_a_start_that_is_late_while_the_group_stops_is_no_failure() -> None:
    slow = sidecar("a", probes=probe("ready"), start_timeout=3, on_failure=Fate.TEARDOWN)
    spec = group(slow, primary("a=started"))
    world = play(spec, {"a": Script(ready_after=9), "app": Script(drains=5)})
    world.run(1)
    world.stop()
    assert ended(world) == ("stopped", 0, "")


# What is late or repeated


def busy() -> World:
    probes = probe("ready") | probe("live")
    member: Member = primary(probes=probes, hooks=hooks("post_start", "pre_stop", "post_stop"))
    scripts = {"a": Script(drains=2), "app": Script(ready_after=5)}
    return play(group(member, sidecar("a", "app=started")), scripts)


def test_a_program_starts_once() -> None:
    world = busy()
    world.run(0)
    stale_events_change_nothing(world, Spawned("app", 1))
    stale_events_change_nothing(world, HookEnded("app", 1, Hook.POST_START, True))


def test_a_probe_that_was_not_asked_has_no_say() -> None:
    told = {Purpose.READY: Probe(method=Method.NOTIFY)}
    world = up(group(sidecar("a", probes=told), primary("a")))
    assert orders(world) == ["spawn a", "spawn app"]
    for _ in range(5):
        stale_events_change_nothing(world, ProbeEnded("a", 1, Purpose.READY, False))


def test_news_of_an_older_run_is_dropped() -> None:
    spec = group(primary(on_failure=Fate.RESTART, hooks=hooks("post_start")))
    world = play(spec, {"app": [leaves(1, 1), Script()]})
    world.run(2)
    told = [e.event for e in world.journal if getattr(e.event, "run", 0) == 1]
    assert len(told) >= 4
    for event in told:
        stale_events_change_nothing(world, event)


def test_what_comes_after_the_end_is_dropped() -> None:
    world = busy()
    world.run(1)
    world.stop()
    world.run_to_the_end()
    for entry in list(world.journal):
        stale_events_change_nothing(world, entry.event)
    assert next_deadline(world.state) == inf


def test_a_stop_before_the_start_is_the_end() -> None:
    spec = group(primary())
    world = World(spec, lambda _, __: Script())
    Judge(world)
    world.stop()
    assert ended(world) == ("stopped", 0, "")
    world.start()
    assert orders(world) == []


def test_a_clock_that_was_not_looked_at_for_a_minute_does_no_harm() -> None:
    spec = group(sidecar("a"), primary("a", probes=probe("live")), grace=10)
    world = play(spec, {"app": Script(drains=3)})
    world.run(5)
    world.lag(60)
    world.run(5)
    assert orders(world) == ["spawn a", "spawn app"]
    world.stop()
    world.lag(60)
    world.run_to_the_end()
    assert orders(world, since=60)[:2] == ["signal app", "signal a"]
