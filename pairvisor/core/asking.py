"""What somebody asks of the group or of one member, while the group goes on.

Fate does not judge what was asked for, and no backoff counts it. A member that is stopped ends as
it always does, by its hook, its signal and its grace, and is held down then: those that wait for it
run on, the group counts on it no longer, and stays although nothing else may run. What is started
starts at once, whatever its gates say; only in a group that is starting one that has not run yet
waits for its turn. Where the group itself stops, nothing of a member's is asked any more.
"""

from collections.abc import Callable

from pairvisor.core import starting, stopping
from pairvisor.core.backoff import forgive
from pairvisor.core.moves import move
from pairvisor.core.state import (
    GOES_ON,
    STARTABLE,
    Cause,
    Goal,
    GroupPhase,
    GroupState,
    MemberState,
    Phase,
    Reason,
    Sequel,
)
from pairvisor.manifest.group import Gate

Ask = Callable[[GroupState, MemberState, Cause, float], None]


def cause_of(request: int, what: str, now: float, member: str = "") -> Cause:
    return Cause(Reason.REQUEST, member, None, what, now, request)


def start_group(group: GroupState, request: int, now: float) -> None:
    if group.phase is GroupPhase.IDLE:
        starting.begin_life(group, now)
    elif group.phase in GOES_ON:
        _start_held(group, request, now)
    else:
        _hurry(group, cause_of(request, "to start", now), now)


def restart_group(group: GroupState, cause: Cause, now: float) -> None:
    """All stop in order, and start at once."""
    if group.phase in GOES_ON:
        forgive(group.backoff, group.spec.restart, group.ready_since, now)
        group.pause = 0.0
        stopping.stop_group(group, Goal.RESTART, cause, now)
    else:
        _hurry(group, cause, now)


def _hurry(group: GroupState, cause: Cause, now: float) -> None:
    """A restart that is ahead needs no pause."""
    if group.phase is GroupPhase.BACKOFF:
        starting.begin_round(group, now, cause)
    elif group.phase is GroupPhase.STOPPING and group.goal is Goal.RESTART:
        group.pause = 0.0


def _start_held(group: GroupState, request: int, now: float) -> None:
    """Those that were stopped, and among themselves in the order of a start."""
    held = {name: member for name, member in group.members.items() if member.held}
    for name, member in held.items():
        member.asked = cause_of(request, "to start", now, name)
        before = member.unmet if member.phase is Phase.WAITING else set()
        gates = member.after.items()
        member.unmet = before | {on for on, gate in gates if on in held and gate in NOT_ENDS}
        _set_free(group, member)
    for member in held.values():
        starting.admit(group, member, now)
    stopping.finish_if_nothing_runs(group, now)


NOT_ENDS = (Gate.STARTED, Gate.READY)


def _set_free(group: GroupState, member: MemberState) -> None:
    """Let it start once its gates are open, and it is down."""
    count_on(group, member)
    if member.phase in (Phase.WAITING, Phase.ENDED):
        starting.wait(group, member)
    else:
        member.sequel = Sequel.RESPAWN


def count_on(group: GroupState, member: MemberState) -> None:
    """A group that is starting is up only once this one is, too."""
    name = member.spec.name
    if group.phase is GroupPhase.STARTING and name not in group.epilogue:
        group.unsettled.add(name)


def start(group: GroupState, member: MemberState, cause: Cause, now: float) -> None:
    if member.phase is Phase.WAITING:
        _start_waiting(group, member, cause, now)
    elif member.phase not in STARTABLE:
        _run_again(group, member, cause, now)


def _start_waiting(group: GroupState, member: MemberState, cause: Cause, now: float) -> None:
    if member.sequel is not Sequel.END:
        count_on(group, member)
        member.sequel = Sequel.END
    elif group.phase is GroupPhase.STARTING:
        return
    member.asked = cause
    if group.phase is GroupPhase.RUNNING or not group.busy:  # nobody would open its gates
        member.unmet = set()
    starting.admit(group, member, now)


def _run_again(group: GroupState, member: MemberState, cause: Cause, now: float) -> None:
    """Its next run, at once, or once the present one has ended."""
    member.asked, member.unmet = cause, set()
    count_on(group, member)
    if member.phase in (Phase.ENDED, Phase.BACKOFF):
        starting.spawn(group, member, now)
    else:
        member.sequel = Sequel.RESPAWN


def stop(group: GroupState, member: MemberState, cause: Cause, now: float) -> None:
    """One that has ended for good, or is about to, is left as it is."""
    if member.phase is Phase.ENDED or (member.phase not in STARTABLE and _ends(member)):
        return
    member.sequel, member.asked = Sequel.HOLD, cause
    if member.phase in STARTABLE:
        stopping.end_as_asked(group, member, now)
    elif member.phase is Phase.BACKOFF:
        move(group, member, Phase.ENDED, cause=cause)
        starting.settle(group, member, now)
    elif member.phase is Phase.WAITING:
        starting.settle(group, member, now)


def _ends(member: MemberState) -> bool:
    return member.phase is not Phase.WAITING and member.sequel is Sequel.END


def restart(group: GroupState, member: MemberState, cause: Cause, now: float) -> None:
    if member.phase in STARTABLE:
        member.sequel, member.asked, member.unmet = Sequel.RESPAWN, cause, set()
        count_on(group, member)
        stopping.end_as_asked(group, member, now)
    elif member.phase is not Phase.WAITING or member.sequel is not Sequel.END:
        start(group, member, cause, now)
