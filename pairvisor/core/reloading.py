"""A reload: the group is to be as another specification says, and what is the same runs on.

What a difference takes is `manifest.changes`' word; here it meets what the group is doing. A member
that needs a new process is ended by its old settings, and starts by the new ones once nothing of
it is left. One that is new waits for its gates, as they are now; one that is gone is forgotten when
it has ended. Those that are ended keep to the order in which the group would stop, among
themselves, and those that start to the order of a start. Until its turn to end comes a member is
`doomed`: it runs, but opens no gate, and nobody judges what it does.

What is held stays down. A member that had ended, or waited for its restart, starts if it differs:
somebody will have mended it.
"""

from msgspec import Struct

from pairvisor.core import probing, starting, stopping
from pairvisor.core.asking import cause_of, restart_group
from pairvisor.core.moves import move
from pairvisor.core.state import (
    ENDING,
    GOES_ON,
    STARTABLE,
    Cause,
    GroupPhase,
    GroupState,
    MemberState,
    Phase,
    Sequel,
    adopt,
    join,
    link,
)
from pairvisor.manifest.changes import awaited, difference, has_another_primary
from pairvisor.manifest.group import Gate, Group, Member, Role


class Before(Struct, frozen=True):
    """What the group was like, as far as it matters afterwards."""

    waits: dict[str, tuple[dict[str, Gate], set[str]]]  # whom each waited for, and whom still
    followers: dict[str, tuple[str, ...]]
    epilogue: frozenset[str]


class Plan(Struct, frozen=True):
    """Which members get a process by the reload, and which inits come too late for that."""

    entering: set[str]
    skipped: set[str]


def reload(group: GroupState, new: Group, request: int, now: float) -> None:
    """Where the group stops it is too late; between two rounds nothing runs that could differ, and
    before the first one, neither."""
    if group.phase is GroupPhase.IDLE:
        adopt(group, new)
    elif group.phase is GroupPhase.BACKOFF:
        adopt(group, new)
        starting.limit_runtime(group)
    elif group.phase not in GOES_ON:
        return
    elif has_another_primary(group.spec, new):
        group.coming = new
        what = f"to restart: the primary is {new.primary.name} instead of {group.primary.spec.name}"
        restart_group(group, cause_of(request, what, now), now)
    else:
        _take_over(group, new, request, now)


def _take_over(group: GroupState, new: Group, request: int, now: float) -> None:
    before = _picture(group)
    plan = _plan(group, new)
    _change_members(group, new, plan, request, now)
    link(group)
    _shut_gates(group, plan, before)
    _count_anew(group, plan, before)
    _end_doomed(group, before, now)
    for name, spec in new.members.items():
        _adjust(group, group.members[name], spec, now)
    for name in new.members:
        starting.admit(group, group.members[name], now)
    starting.up_if_settled(group, now)
    stopping.finish_if_nothing_runs(group, now)


def _picture(group: GroupState) -> Before:
    return Before(
        waits={name: (m.after, m.unmet) for name, m in group.members.items()},
        followers={name: m.followers for name, m in group.members.items()},
        epilogue=group.epilogue,
    )


def _plan(group: GroupState, new: Group) -> Plan:
    inits = {name for name, spec in new.members.items() if _is_late(group, name, spec)}
    entering = {
        name
        for name, spec in new.members.items()
        if spec.role is not Role.INIT and _needs_process(group, name, spec)
    }
    waiting = {
        name
        for name, member in group.members.items()
        if name in new.members and name not in inits and _is_to_start(member)
    }
    due = awaited(new.members, entering | waiting, inits)
    return Plan(entering | due, inits - due)


def _is_to_start(member: MemberState) -> bool:
    return member.phase is Phase.WAITING or member.sequel is Sequel.RESPAWN


def _is_late(group: GroupState, name: str, spec: Member) -> bool:
    """Whether it is an init that those which have started did not wait for."""
    if spec.role is not Role.INIT:
        return False
    member = group.members.get(name)
    if member is None or (member.sequel is Sequel.SKIP and name in group.spec.members):
        return True
    return not member.held and _is_fresh(group, member, spec)


def _needs_process(group: GroupState, name: str, spec: Member) -> bool:
    member = group.members.get(name)
    if member is None:
        return True
    if member.held:
        return False
    return _is_fresh(group, member, spec) or (
        member.phase is not Phase.WAITING and bool(difference(member.spec, spec).process)
    )


def _is_fresh(group: GroupState, member: MemberState, spec: Member) -> bool:
    """Whether it gets another role, or comes back while what it was is about to end."""
    if member.phase in STARTABLE:
        return member.spec.role is not spec.role
    old = group.spec.members.get(spec.name)
    return old is None or old.role is not spec.role


def _change_members(group: GroupState, new: Group, plan: Plan, request: int, now: float) -> None:
    old, was_doomed, group.doomed = group.spec, group.doomed, {}
    leaving = {name: m for name, m in group.members.items() if name not in new.members}
    present, group.spec = group.members, new
    if new.max_runtime != old.max_runtime:
        starting.limit_runtime(group)
    group.members = {n: present.get(n) or join(group, s) for n, s in new.members.items()} | leaving
    for name, spec in new.members.items():
        member = group.members[name]
        if name in plan.entering:
            _enter(group, member, spec, cause_of(request, _why(present, spec), now, name))
        elif name in plan.skipped:
            _skip(group, member, cause_of(request, "to stop: it is an init now", now, name))
        elif name in was_doomed:
            member.sequel, member.asked = Sequel.END, None
    for name, member in leaving.items():
        if name in old.members:
            member.asked = cause_of(request, "to stop: it left the manifest", now, name)
        _dismiss(group, member)


def _why(present: dict[str, MemberState], spec: Member) -> str:
    if spec.name not in present:
        return "to start: it is new"
    keys = difference(present[spec.name].spec, spec).process
    return f"to restart: {', '.join(keys)}" if keys else "to start"


def _enter(group: GroupState, member: MemberState, spec: Member, cause: Cause) -> None:
    """It starts once its gates are open, and of its last run nothing is left."""
    member.asked = cause
    if _lay_down(group, member, Sequel.RESPAWN):
        member.spec = spec
        starting.wait(group, member)


def _skip(group: GroupState, member: MemberState, cause: Cause) -> None:
    member.asked = cause
    _lay_down(group, member, Sequel.SKIP)


def _dismiss(group: GroupState, member: MemberState) -> None:
    """One that is at rest is forgotten now, another when it has ended."""
    if _lay_down(group, member, Sequel.SKIP):
        group.gone.append(member.spec.name)


def _lay_down(group: GroupState, member: MemberState, sequel: Sequel) -> bool:
    """Decide what follows once it is at rest; whether it is now."""
    member.sequel = sequel
    if member.phase in STARTABLE:
        group.doomed[member.spec.name] = set()
    if member.phase is Phase.BACKOFF:
        move(group, member, Phase.ENDED, cause=member.asked)
    return member.phase in (Phase.WAITING, Phase.ENDED)


def _shut_gates(group: GroupState, plan: Plan, before: Before) -> None:
    """Who starts waits for whom it had to wait for already, and for those that start with it.

    Of one that runs it is noted, too: a later reload may start it anew.
    """
    for name in group.spec.members:
        member = group.members[name]
        waited, unmet = before.waits.get(name, ({}, set()))
        met = {on for on, gate in waited.items() if gate is member.after.get(on)} - unmet
        member.unmet = {
            on
            for on, gate in member.after.items()
            if on in plan.entering
            or (on not in met and not starting.is_open(group.members[on], gate))
        }


def _count_anew(group: GroupState, plan: Plan, before: Before) -> None:
    """Whom a group that is starting has to wait for until it is up."""
    if group.phase is not GroupPhase.STARTING:
        return
    waiting = {
        name
        for name in before.epilogue & group.spec.members.keys()
        if group.members[name].phase is Phase.WAITING and not group.members[name].held
    }
    counted = (group.unsettled | plan.entering | waiting) & group.spec.members.keys()
    group.unsettled = counted - group.epilogue - plan.skipped


def _end_doomed(group: GroupState, before: Before, now: float) -> None:
    """Each once those that had waited for it have ended, as far as they end at all."""
    ending = {name for name, member in group.members.items() if member.phase in ENDING}
    for name, first in group.doomed.items():
        first.update((ending | group.doomed.keys()) & set(before.followers.get(name, ())))
    for name in [name for name, first in group.doomed.items() if not first]:
        stopping.end_as_asked(group, group.members[name], now)


def _adjust(group: GroupState, member: MemberState, spec: Member, now: float) -> None:
    """Let it go on by what its process need not know of; what has ended is not judged again."""
    if member.phase is Phase.WAITING:
        member.spec = spec
    is_up = member.phase in STARTABLE and spec.name not in group.doomed
    if not is_up or difference(member.spec, spec).process:
        return
    old, member.spec = member.spec, spec
    if old.probes == spec.probes or spec.role is Role.INIT:
        return
    if member.phase is Phase.RUNNING:
        probing.go_on(group, member, old.probes)
    elif member.tallies:
        probing.cancel(group, member)
        starting.watch_readiness(group, member, now)
