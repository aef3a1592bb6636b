"""What a member's end means: a success or a failure, and what becomes of the group.

A member's end is judged once, when its main process ends by itself, or when it is found failing
(a live probe, a hook, a time-out). What ends while the group stops is not judged at all: those
deaths are consequences.
"""

from msgspec.structs import replace

from pairvisor.core import stopping
from pairvisor.core.backoff import is_exhausted, record_restart
from pairvisor.core.events import Exit
from pairvisor.core.state import (
    STARTABLE,
    Cause,
    Goal,
    GroupPhase,
    GroupState,
    MemberState,
    Reason,
    Sequel,
)
from pairvisor.manifest.group import Fate, Member


def fate_of(spec: Member, end: Exit) -> Fate:
    """The manifest's word on this end: `on_exit` before `on_success` and `on_failure`."""
    key = end.code if end.code is not None else -(end.signal or 0)
    if end.error is None and key in spec.on_exit:
        return spec.on_exit[key]
    return spec.on_success if end.code in spec.success_codes else spec.on_failure


def cause_of(member: MemberState, end: Exit, now: float) -> Cause:
    reason = Reason.EXIT if end.signal is None else Reason.SIGNAL
    reason = reason if end.error is None else Reason.SPAWN
    return Cause(reason, member.spec.name, end, at=now)


def exited(group: GroupState, member: MemberState, end: Exit, now: float) -> None:
    """Its main process has ended by itself."""
    cause = cause_of(member, end, now)
    if not member.succeeded:
        member.cause = cause
    _judge(group, member, fate_of(member.spec, end), cause, now)


def failed(group: GroupState, member: MemberState, reason: Reason, detail: str, now: float) -> None:
    """It runs, but is no good: it is ended, and that counts as a failure.

    Where a reload ends it anyway nobody minds.
    """
    if member.spec.name in group.doomed:
        return
    cause = Cause(reason, member.spec.name, None, detail, now)
    member.cause = cause
    _judge(group, member, member.spec.on_failure, cause, now)
    if member.phase in STARTABLE and group.phase is not GroupPhase.STOPPING:
        stopping.tell(group, member, now)


def group_failed(group: GroupState, reason: Reason, detail: str, now: float) -> None:
    """The group itself is no good: its primary's `on_failure` says what follows."""
    fate = group.primary.spec.on_failure
    if fate is Fate.IGNORE:
        return
    cause = Cause(reason, "", None, detail, now)
    if fate is Fate.TEARDOWN:
        stopping.stop_group(group, Goal.FAIL, cause, now)
    else:
        restart_group(group, cause, now)


def _judge(group: GroupState, member: MemberState, fate: Fate, cause: Cause, now: float) -> None:
    policy = group.spec.restart
    if fate is Fate.RESTART and is_exhausted(member.backoff, policy, now):
        fate = Fate.RESTART_GROUP
    match fate:
        case Fate.IGNORE:
            pass
        case Fate.RESTART:
            member.sequel = Sequel.RESTART
            since, noise = member.ready_since, group.noise
            member.pause = record_restart(member.backoff, policy, since, now, noise)
        case Fate.RESTART_GROUP:
            restart_group(group, cause, now)
        case Fate.TEARDOWN:
            goal = Goal.SUCCEED if member.succeeded else Goal.FAIL
            stopping.stop_group(group, goal, cause, now)


def restart_group(group: GroupState, cause: Cause, now: float) -> None:
    """Stop all and start all again, unless that was done too often: then give up."""
    policy = group.spec.restart
    if is_exhausted(group.backoff, policy, now):
        times = "1 restart" if policy.limit == 1 else f"{policy.limit} restarts"
        limit = f"gave up after {times} within {policy.within:g} s"
        detail = f"{cause.detail}; {limit}" if cause.detail else limit
        stopping.stop_group(group, Goal.FAIL, replace(cause, detail=detail), now)
    else:
        group.pause = record_restart(group.backoff, policy, group.ready_since, now, group.noise)
        stopping.stop_group(group, Goal.RESTART, cause, now)
