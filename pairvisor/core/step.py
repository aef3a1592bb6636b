"""One event after the other: which rule it meets. Nothing but this is called from outside."""

from heapq import heappop
from typing import assert_never

from pairvisor.core import asking, fate, hooks, probing, reloading, starting, stopping
from pairvisor.core import effects as do
from pairvisor.core.events import (
    Emptied,
    Event,
    Exited,
    GroupRequest,
    HookEnded,
    InputEnded,
    MemberEvent,
    MemberRequest,
    MemberRestartRequested,
    MemberStartRequested,
    MemberStopRequested,
    ProbeEnded,
    Reloaded,
    RestartRequested,
    Spawned,
    StartRequested,
    StopRequested,
    TimePassed,
)
from pairvisor.core.moves import move
from pairvisor.core.probing import Verdict
from pairvisor.core.state import (
    GOES_ON,
    GROUP,
    RUNTIME,
    STARTABLE,
    STOPPABLE,
    Cause,
    Goal,
    GroupPhase,
    GroupState,
    MemberState,
    Phase,
    Reason,
    due,
    forget_gone,
)
from pairvisor.manifest.group import Hook, Purpose, Role


def step(group: GroupState, event: Event, now: float) -> list[do.Effect]:
    """Change `group` by one event at time `now` (seconds, monotonic) and say what is to be done.

    The effects are to be carried out in their order, and before the next step. Events that are
    late (of an earlier run), repeated, or come after the end change nothing.
    """
    group.effects = []
    if group.gone:
        forget_gone(group)
    if group.phase is not GroupPhase.OVER:
        _dispatch(group, event, now)
    return group.effects


def _dispatch(group: GroupState, event: Event, now: float) -> None:
    match event:
        case TimePassed():
            _time_passed(group, now)
        case StartRequested() | StopRequested() | RestartRequested() | Reloaded():
            _group_request(group, event, now)
        case MemberStartRequested() | MemberStopRequested() | MemberRestartRequested():
            if group.phase in GOES_ON and event.member in group.spec.members:
                _member_request(group, group.members[event.member], event, now)
        case Spawned() | Exited() | Emptied() | ProbeEnded() | HookEnded() | InputEnded():
            member = group.members.get(event.member)
            if member is not None and event.run == member.run:
                _member_event(group, member, event, now)
        case _:
            assert_never(event)


def _group_request(group: GroupState, event: GroupRequest, now: float) -> None:
    match event:
        case StartRequested():
            asking.start_group(group, event.request, now)
        case StopRequested():
            if event.hasten:
                stopping.hasten(group, now)
            cause = asking.cause_of(event.request, "to stop", now)
            stopping.stop_group(group, Goal.STOP, cause, now)
        case RestartRequested():
            cause = asking.cause_of(event.request, "to restart", now)
            asking.restart_group(group, cause, now)
        case Reloaded():
            reloading.reload(group, event.group, event.request, now)
        case _:
            assert_never(event)


def _member_request(
    group: GroupState, member: MemberState, event: MemberRequest, now: float
) -> None:
    match event:
        case MemberStartRequested():
            ask, what = asking.start, "to start"
        case MemberStopRequested():
            ask, what = asking.stop, "to stop"
        case MemberRestartRequested():
            ask, what = asking.restart, "to restart"
        case _:
            assert_never(event)
    ask(group, member, asking.cause_of(event.request, what, now, event.member), now)


def _member_event(group: GroupState, member: MemberState, event: MemberEvent, now: float) -> None:
    match event:
        case Spawned():
            _spawned(group, member, now)
        case Exited():
            _exited(group, member, event, now)
        case Emptied():
            _emptied(group, member, event, now)
        case ProbeEnded():
            _probe_ended(group, member, event, now)
        case HookEnded():
            _hook_ended(group, member, event, now)
        case InputEnded():
            stopping.input_ended(group, member, now)
        case _:
            assert_never(event)


def _spawned(group: GroupState, member: MemberState, now: float) -> None:
    if member.phase is Phase.STARTING and not member.spawned:
        starting.spawned(group, member, now)


def _exited(group: GroupState, member: MemberState, event: Exited, now: float) -> None:
    phase = member.phase
    if phase not in STOPPABLE:
        return
    group.noise = event.noise
    member.exit = event.exit
    probing.cancel(group, member)
    probing.set_ready(group, member, False)
    if phase is Phase.PRE_STOP or phase is Phase.STARTING:
        hooks.cancel(group, member)
    move(group, member, Phase.EMPTYING, now + stopping.PATIENCE)
    group.effects.append(do.Kill(member.spec.name, member.run))
    if phase in STARTABLE and group.phase is not GroupPhase.STOPPING:
        if group.doomed.pop(event.member, None) is None:
            fate.exited(group, member, event.exit, now)
        else:  # a reload was about to end it
            member.cause = member.asked


def _emptied(group: GroupState, member: MemberState, event: Emptied, now: float) -> None:
    if member.phase not in (Phase.EMPTYING, Phase.UNKILLABLE):
        return
    if event.left:
        group.effects.append(do.LeftBehind(event.member, event.run, event.left))
    if member.phase is Phase.EMPTYING:
        stopping.emptied(group, member, now)
    else:
        move(group, member, Phase.ENDED)


def _probe_ended(group: GroupState, member: MemberState, event: ProbeEnded, now: float) -> None:
    tally = member.tallies.get(event.purpose)
    if tally is None or not tally.asked:
        return
    tally.asked = False
    verdict = probing.record(member.spec.probes[event.purpose], tally, event.passed)
    if verdict is not Verdict.NOTHING:
        _probe_verdict(group, member, event, verdict, now)
    if event.purpose in member.tallies:
        probing.schedule_next(group, member, event.purpose)


def _probe_verdict(
    group: GroupState, member: MemberState, event: ProbeEnded, verdict: Verdict, now: float
) -> None:
    if event.purpose is Purpose.LIVE:
        if verdict is Verdict.FAILED:
            fate.failed(group, member, Reason.LIVE, event.detail, now)
        return
    if event.purpose is Purpose.READY:
        probing.set_ready(group, member, verdict is Verdict.PASSED, event.detail)
        if member.phase is Phase.STARTING:
            starting.reached(group, member, now)
    elif verdict is Verdict.PASSED:
        starting.startup_passed(group, member, now)


def _hook_ended(group: GroupState, member: MemberState, event: HookEnded, now: float) -> None:
    if event.hook is not member.hook:
        return
    member.hook = None
    match event.hook, member.phase:
        case Hook.POST_START, Phase.STARTING:
            if event.passed:
                starting.watch_readiness(group, member, now)
            else:
                fate.failed(group, member, Reason.HOOK, f"post_start {event.detail}", now)
        case Hook.PRE_STOP, Phase.PRE_STOP:
            stopping.pre_stop_over(group, member, now)
        case Hook.POST_STOP, Phase.POST_STOP:
            stopping.post_stop_over(group, member, now)
        case _:
            pass


def _time_passed(group: GroupState, now: float) -> None:
    while group.timers and group.timers[0][0] <= now:
        at, owner = heappop(group.timers)
        if due(group, owner) == at:
            _expired(group, owner, now)


def _expired(group: GroupState, owner: str, now: float) -> None:
    if owner == GROUP:
        _group_expired(group, now)
    elif owner == RUNTIME:
        detail = f"ran for {group.spec.max_runtime:g} s"
        cause = Cause(Reason.MAX_RUNTIME, "", None, detail, now)
        stopping.stop_group(group, Goal.FAIL, cause, now)
    else:
        _member_expired(group, group.members[owner], now)


def _group_expired(group: GroupState, now: float) -> None:
    if group.phase is GroupPhase.STARTING:
        late = f"not ready within {group.spec.start_timeout:g} s: {starting.unready(group)}"
        fate.group_failed(group, Reason.START_TIMEOUT, late, now)
    elif group.phase is GroupPhase.STOPPING:
        stopping.grace_over(group, now)
    elif group.phase is GroupPhase.BACKOFF:
        starting.begin_round(group, now)


def _member_expired(group: GroupState, member: MemberState, now: float) -> None:
    match member.phase:
        case Phase.STARTING | Phase.RUNNING:
            _too_late(group, member, now)
        case Phase.PRE_STOP | Phase.DRAINING:
            stopping.late_to_stop(group, member, now)
        case Phase.STOPPING:
            stopping.kill(group, member, now)
        case Phase.KILLING | Phase.EMPTYING:
            stopping.give_up(group, member, now)
        case Phase.POST_STOP:
            stopping.post_stop_over(group, member, now)
        case Phase.BACKOFF:
            starting.spawn(group, member, now)
        case Phase.WAITING | Phase.ENDED | Phase.UNKILLABLE:
            pass
        case _:
            assert_never(member.phase)


def _too_late(group: GroupState, member: MemberState, now: float) -> None:
    """In a stop that is under way, a member that was not told yet has nothing to be late for."""
    if group.phase is GroupPhase.STOPPING:
        return
    if member.spec.role is Role.INIT:
        late = f"not finished within {member.spec.timeout:g} s"
        fate.failed(group, member, Reason.TIMEOUT, late, now)
    else:
        late = f"not ready within {member.spec.start_timeout:g} s"
        fate.failed(group, member, Reason.START_TIMEOUT, late, now)
