"""The two assignments that all rules share: a member's, and the group's, next phase."""

from math import inf

from pairvisor.core import effects as do
from pairvisor.core.state import (
    AT_REST,
    Cause,
    GroupPhase,
    GroupState,
    MemberState,
    Phase,
    set_deadline,
)


def move(
    group: GroupState,
    member: MemberState,
    phase: Phase,
    deadline: float = inf,
    cause: Cause | None = None,
) -> None:
    """Put the member into a phase whose deadline that is, and tell."""
    group.busy += (phase not in AT_REST) - (member.phase not in AT_REST)
    member.phase = phase
    set_deadline(group, member, deadline)
    group.effects.append(do.Moved(member.spec.name, member.run, phase, member.exit, cause))


def move_group(
    group: GroupState,
    phase: GroupPhase,
    deadline: float = inf,
    delay: float = 0.0,
    cause: Cause | None = None,
) -> None:
    """Put the group into a phase whose deadline that is, and tell; the group's cause, or a nearer
    one."""
    group.phase = phase
    set_deadline(group, None, deadline)
    group.effects.append(do.GroupMoved(phase, cause or group.cause, delay))
