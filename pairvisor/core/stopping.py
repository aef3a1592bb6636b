"""Down: the reverse order inside one grace, then SIGKILL; and what comes after.

A member is told to stop once all are at rest that waited for it, or whose output it reads. One that
isn't alive passes the word on only when they are at rest, so order holds through members that never
started. Who reads others' output is told by the end of its input first, behind all that they wrote.
What a stop leads to can change while it is under way (`Goal`): a stop that was asked for always
wins, a restart never does.
"""

from math import inf

from pairvisor.core import effects as do
from pairvisor.core import hooks, probing, starting
from pairvisor.core.backoff import forgive
from pairvisor.core.moves import move, move_group
from pairvisor.core.state import (
    AT_REST,
    STARTABLE,
    Cause,
    Goal,
    GroupPhase,
    GroupState,
    MemberState,
    Phase,
    Reason,
    Sequel,
    set_deadline,
)
from pairvisor.manifest.group import Gate, Hook

ON_GRACE = frozenset({Phase.PRE_STOP, Phase.DRAINING, Phase.STOPPING, Phase.POST_STOP})
LAST_CALL = 2.0  # seconds between the last stop signals and the last SIGKILL
LEAVE = 1.0  # seconds to end by itself at the end of its input, as filters do
PATIENCE = 10.0  # seconds after SIGKILL before a process counts as unkillable
STATUS = {Reason.NOT_STOPPED: 128 + 9, Reason.UNKILLABLE: 70}  # SIGKILL's; EX_SOFTWARE


def stop_group(group: GroupState, goal: Goal, cause: Cause | None, now: float) -> None:
    """Begin to stop, or change what the stop that is under way leads to."""
    if group.phase is GroupPhase.STOPPING:
        _overrule(group, goal, cause)
        return
    at_rest = group.phase in (GroupPhase.IDLE, GroupPhase.BACKOFF)
    group.goal, group.cause = goal, cause
    if at_rest:
        _finish(group)
        return
    group.doomed.clear()
    move_group(group, GroupPhase.STOPPING, now + group.spec.grace)
    for member in group.members.values():
        member.undone, member.is_done = set(member.ends_after), False
        _quieten(group, member)
        if member.phase is Phase.BACKOFF:
            move(group, member, Phase.ENDED)
    _limit_to_grace(group)
    release(group, [m for m in group.members.values() if not m.ends_after], now)


def _overrule(group: GroupState, goal: Goal, cause: Cause | None) -> None:
    if group.goal is Goal.RESTART and goal is not Goal.RESTART:
        group.goal, group.cause = goal, cause
        group.effects.append(do.Overruled(goal, cause))


def hasten(group: GroupState, now: float) -> None:
    """Leave what is left of a stop no more than its last two seconds."""
    if group.phase is not GroupPhase.STOPPING or group.deadline <= now + LAST_CALL:
        return
    set_deadline(group, None, now + LAST_CALL)
    _limit_to_grace(group)
    for member in group.members.values():
        if member.phase is Phase.DRAINING:
            signal_stop(group, member, group.deadline, now)


def _limit_to_grace(group: GroupState) -> None:
    """Those that were told before may have had more time until now."""
    for member in group.members.values():
        if member.phase in ON_GRACE and member.deadline > group.deadline:
            set_deadline(group, member, group.deadline)


def release(group: GroupState, members: list[MemberState], now: float) -> None:
    """Tell these to stop, if all are at rest that end before them. Go on where they are, too."""
    while members:
        member = members.pop()
        if member.undone or member.is_done:
            continue
        if member.phase in AT_REST:
            member.is_done = True
            for name in member.ends_before:
                group.members[name].undone.discard(member.spec.name)
                members.append(group.members[name])
        elif member.phase in STARTABLE:
            tell(group, member, now)
    if not group.busy:
        _all_at_rest(group, now)


def end_as_asked(group: GroupState, member: MemberState, now: float) -> None:
    """Tell one that runs to stop, for no fault of its own: `asked` says why."""
    since, policy = member.ready_since, group.spec.restart
    forgive(member.backoff, policy, since, now)
    group.doomed.pop(member.spec.name, None)
    member.cause = member.asked
    tell(group, member, now)


def release_doomed(group: GroupState, name: str, now: float) -> None:
    """That one has ended: of those that a reload ends, some may have waited for just this."""
    for other, first in list(group.doomed.items()):
        first.discard(name)
        if not first:
            end_as_asked(group, group.members[other], now)


def tell(group: GroupState, member: MemberState, now: float) -> None:
    """Begin to end a member that runs: its hook, then its stop signal, inside its grace."""
    if group.phase is not GroupPhase.STOPPING:
        _quieten(group, member)
    probing.set_ready(group, member, False)
    deadline = _deadline(group, member, now)
    if Hook.PRE_STOP in member.spec.hooks:
        move(group, member, Phase.PRE_STOP, deadline, member.cause)
        hooks.run(group, member, Hook.PRE_STOP)
    else:
        _drain_or_signal(group, member, deadline, now)


def _drain_or_signal(group: GroupState, member: MemberState, deadline: float, now: float) -> None:
    """Where only the member is to end, those whose output it reads go on, and it needs no drain."""
    if member.spec.stdin is None or group.phase is not GroupPhase.STOPPING:
        signal_stop(group, member, deadline, now)
        return
    member.stop_by = deadline
    move(group, member, Phase.DRAINING, deadline, member.cause)
    group.effects.append(do.EndInput(member.spec.name, member.run))


def input_ended(group: GroupState, member: MemberState, now: float) -> None:
    """All was handed over to it; if it doesn't end by itself because of that, it is signalled."""
    if member.phase is Phase.DRAINING:
        set_deadline(group, member, min(member.deadline, now + LEAVE))


def _quieten(group: GroupState, member: MemberState) -> None:
    """Nothing more is asked of it: neither its probes nor the hook that comes before them."""
    probing.cancel(group, member)
    if member.phase is Phase.STARTING:
        hooks.cancel(group, member)


def _deadline(group: GroupState, member: MemberState, now: float) -> float:
    stops = group.phase is GroupPhase.STOPPING
    grace_ends = group.deadline if stops else now + group.spec.grace
    return min(now + member.spec.stop_grace, grace_ends)


def signal_stop(group: GroupState, member: MemberState, deadline: float, now: float) -> None:
    """One that is told late, for its hook or for those it waited for, has two seconds all the
    same, as a Pod's container has; only a grace that is shorter as a whole leaves it less."""
    least = min(LAST_CALL, member.spec.stop_grace, group.spec.grace)
    move(group, member, Phase.STOPPING, max(deadline, now + least), member.cause)
    signal = member.spec.stop_signal
    group.effects.append(do.Signal(member.spec.name, member.run, signal))


def late_to_stop(group: GroupState, member: MemberState, now: float) -> None:
    """What comes before its stop signal has had its time."""
    if member.phase is Phase.PRE_STOP:
        hooks.cancel(group, member)
        signal_stop(group, member, member.deadline, now)
    else:
        signal_stop(group, member, min(member.stop_by, group.deadline), now)


def pre_stop_over(group: GroupState, member: MemberState, now: float) -> None:
    """Its hook has ended."""
    hooks.cancel(group, member)
    _drain_or_signal(group, member, member.deadline, now)


def kill(group: GroupState, member: MemberState, now: float) -> None:
    """It has not ended in time."""
    if member is group.primary and group.phase is GroupPhase.STOPPING:
        detail = "did not end within its grace"
        group.killed = group.killed or Cause(
            Reason.NOT_STOPPED, member.spec.name, None, detail, now
        )
    move(group, member, Phase.KILLING, now + PATIENCE, member.cause)
    group.effects.append(do.Kill(member.spec.name, member.run))


def grace_over(group: GroupState, now: float) -> None:
    """Whoever has not been told gets the stop signal, and two seconds.

    All others have deadlines of their own, and none of these is later.
    """
    if group.last_call:
        return
    group.last_call = True
    set_deadline(group, None, now + LAST_CALL)
    for member in group.members.values():
        if member.phase in STARTABLE:
            probing.set_ready(group, member, False)
            signal_stop(group, member, _deadline(group, member, now), now)


def emptied(group: GroupState, member: MemberState, now: float) -> None:
    """Nothing of it is alive. One that never ran has nothing to clean up after."""
    ran = member.exit is None or member.exit.error is None
    deadline = _deadline(group, member, now)
    if Hook.POST_STOP in member.spec.hooks and ran and deadline > now:
        move(group, member, Phase.POST_STOP, deadline, member.cause)
        hooks.run(group, member, Hook.POST_STOP)
    else:
        ended(group, member, now)


def post_stop_over(group: GroupState, member: MemberState, now: float) -> None:
    hooks.cancel(group, member)
    ended(group, member, now)


def ended(group: GroupState, member: MemberState, now: float) -> None:
    """The end of a run: the next one, or what others wait for, or the group's stop goes on."""
    if group.phase is GroupPhase.STOPPING:
        move(group, member, Phase.ENDED, inf, member.cause)
        release(group, [member], now)
        return
    if member.spec.name not in group.spec.members:
        move(group, member, Phase.ENDED, inf, member.cause)
        leave(group, member, now)
    elif member.sequel is Sequel.RESTART:
        move(group, member, Phase.BACKOFF, now + member.pause, member.cause)
        if not member.pause:
            starting.spawn(group, member, now)
    else:
        move(group, member, Phase.ENDED, inf, member.cause)
        _go_on(group, member, now)
    release_doomed(group, member.spec.name, now)


def _go_on(group: GroupState, member: MemberState, now: float) -> None:
    """What was asked for comes next; or else the group goes on without it.

    One that was stopped as asked opens no gate: nobody is to start because of that.
    """
    if member.sequel is Sequel.RESPAWN:
        starting.respawn(group, member, now)
        finish_if_nothing_runs(group, now)
        return
    starting.settle(group, member, now)
    if member.sequel is Sequel.END:
        starting.open_gate(group, member, Gate.ENDED, now)
        if member.succeeded:
            starting.open_gate(group, member, Gate.SUCCEEDED, now)
    finish_if_nothing_runs(group, now)


def leave(group: GroupState, member: MemberState, now: float) -> None:
    """It is at rest, and not in the specification any more."""
    group.gone.append(member.spec.name)
    starting.settle(group, member, now)
    finish_if_nothing_runs(group, now)


def finish_if_nothing_runs(group: GroupState, now: float) -> None:
    """The primary says how it went. Whatever was stopped as asked may be started again."""
    if group.busy or any(member.held for member in group.members.values()):
        return
    if group.primary.succeeded:
        stop_group(group, Goal.SUCCEED, None, now)
    else:
        stop_group(group, Goal.FAIL, _first_failure(group, now), now)


def _first_failure(group: GroupState, now: float) -> Cause:
    """Of members that were let go: the primary's, or the earliest that kept it from running."""
    if group.primary.cause is not None:
        return group.primary.cause
    causes = [m.cause for m in group.members.values() if m.cause]
    causes = [cause for cause in causes if cause.reason is not Reason.REQUEST]
    stuck = Cause(Reason.STUCK, "", None, f"nothing runs: {starting.unready(group)}", now)
    return min(causes, key=lambda cause: cause.at, default=stuck)


def give_up(group: GroupState, member: MemberState, now: float) -> None:
    """SIGKILL did not help. The others are stopped all the same, and nothing starts again."""
    detail = f"still there {PATIENCE:g} s after SIGKILL"
    cause = Cause(Reason.UNKILLABLE, member.spec.name, None, detail, now)
    if not _has_unkillable(group):
        group.killed = cause
    move(group, member, Phase.UNKILLABLE, inf, cause)
    if group.phase is GroupPhase.STOPPING:
        release(group, [member], now)
    else:
        stop_group(group, Goal.FAIL, cause, now)


def _has_unkillable(group: GroupState) -> bool:
    return group.killed is not None and group.killed.reason is Reason.UNKILLABLE


def _all_at_rest(group: GroupState, now: float) -> None:
    if group.goal is not Goal.RESTART or _has_unkillable(group):
        _finish(group)
        return
    group.killed = None
    move_group(group, GroupPhase.BACKOFF, now + group.pause, group.pause)
    if not group.pause:
        starting.begin_round(group, now)


def _finish(group: GroupState) -> None:
    finish = result(group)
    group.cause = finish.cause
    move_group(group, GroupPhase.OVER)
    group.run_until = inf
    group.effects.append(finish)


def result(group: GroupState) -> do.Finish:
    """How it ended and the exit status: the cause's, where it went badly."""
    if group.goal is Goal.FAIL:
        return do.Finish(do.Outcome.FAILED, _status(group.cause), group.cause)
    if group.killed is not None:
        return do.Finish(do.Outcome.FAILED, _status(group.killed), group.killed)
    if group.goal is Goal.SUCCEED:
        return do.Finish(do.Outcome.SUCCEEDED, 0, group.cause)
    return do.Finish(do.Outcome.STOPPED, 0, group.cause)


def _status(cause: Cause | None) -> int:
    """Its exit's code, or 128 + its signal; or what stands for its reason. Never 0."""
    if cause is None:
        return 1
    return (cause.exit.status if cause.exit else STATUS.get(cause.reason, 1)) or 1
