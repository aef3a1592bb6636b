"""Up: a round begins, gates open one after the other, members become ready.

A gate that has opened stays open for the round: that a sidecar can't serve for a moment does not
hold back what has only to start after it.
"""

from heapq import heappush
from math import inf

from pairvisor.core import effects as do
from pairvisor.core import hooks, probing
from pairvisor.core.moves import move, move_group
from pairvisor.core.state import (
    GOES_ON,
    RUNTIME,
    Cause,
    GroupPhase,
    GroupState,
    MemberState,
    Phase,
    Sequel,
    adopt,
)
from pairvisor.manifest.group import Gate, Hook, Purpose, Role


def begin_life(group: GroupState, now: float) -> None:
    """The first round, from which `max_runtime` counts."""
    group.began = now
    limit_runtime(group)
    begin_round(group, now)


def limit_runtime(group: GroupState) -> None:
    group.run_until = group.began + group.spec.max_runtime
    heappush(group.timers, (group.run_until, RUNTIME))


def begin_round(group: GroupState, now: float, cause: Cause | None = None) -> None:
    """Everything anew, inits too; whoever waits for nobody starts."""
    is_other = group.coming is not None
    adopt(group, group.coming or group.spec)
    if is_other:
        limit_runtime(group)
    group.round += 1
    group.ready_since = inf
    group.last_call = False
    group.unsettled = group.spec.members.keys() - group.epilogue
    move_group(group, GroupPhase.STARTING, now + group.spec.start_timeout, cause=cause)
    group.effects.append(do.Tidy())
    members = [group.members[name] for name in group.spec.members]
    for member in members:
        _reset(group, member)
    for member in members:
        admit(group, member, now)


def _reset(group: GroupState, member: MemberState) -> None:
    member.unmet = set(member.after)
    member.asked = None
    wait(group, member)


def wait(group: GroupState, member: MemberState) -> None:
    """Put it where it was before its first run in this round."""
    member.spawned = False
    member.exit = member.cause = None
    member.sequel = Sequel.END
    if member.phase is not Phase.WAITING:
        move(group, member, Phase.WAITING)


def admit(group: GroupState, member: MemberState, now: float) -> None:
    """Start it if it waits for nothing more."""
    if member.phase is Phase.WAITING and member.sequel is Sequel.END and not member.unmet:
        spawn(group, member, now)


def spawn(group: GroupState, member: MemberState, now: float) -> None:
    """A new run, of what the group's specification says now, and whatever its gates say."""
    asked = member.asked
    member.spec = group.spec.members[member.spec.name]
    member.run += 1
    member.spawned = False
    member.exit = member.cause = member.asked = None
    member.sequel = Sequel.END
    member.ready_since = inf
    member.tallies = {}
    is_init = member.spec.role is Role.INIT
    limit = member.spec.timeout if is_init else member.spec.start_timeout
    move(group, member, Phase.STARTING, now + limit, asked)
    group.effects.append(do.Spawn(member.spec.name, member.run))


def respawn(group: GroupState, member: MemberState, now: float) -> None:
    """The run that was asked for; a reload may have given it something to wait for."""
    if member.unmet:
        wait(group, member)
    else:
        spawn(group, member, now)


def spawned(group: GroupState, member: MemberState, now: float) -> None:
    """It runs: those that wait for no more may start; its hook comes before its probes.

    In a stop that has begun, nothing comes of it but its end.
    """
    member.spawned = True
    if group.phase is GroupPhase.STOPPING:
        return
    open_gate(group, member, Gate.STARTED, now)
    if Hook.POST_START in member.spec.hooks:
        hooks.run(group, member, Hook.POST_START)
    else:
        watch_readiness(group, member, now)


def watch_readiness(group: GroupState, member: MemberState, now: float) -> None:
    """Start the probes that tell when it is ready; without one it is."""
    probes = member.spec.probes
    if Purpose.STARTUP in probes:
        probing.schedule_first(group, member, Purpose.STARTUP)
        return
    probing.schedule_first(group, member, Purpose.LIVE)
    if Purpose.READY in probes:
        probing.schedule_first(group, member, Purpose.READY)
    else:
        reached(group, member, now)


def startup_passed(group: GroupState, member: MemberState, now: float) -> None:
    """The other two probes begin; whoever waited for the member need not wait for them."""
    probing.schedule_first(group, member, Purpose.LIVE)
    probing.schedule_first(group, member, Purpose.READY)
    reached(group, member, now)


def reached(group: GroupState, member: MemberState, now: float) -> None:
    """The start is over. An init keeps its deadline: it still has to end."""
    is_init = member.spec.role is Role.INIT
    move(group, member, Phase.RUNNING, member.deadline if is_init else inf)
    if is_init:
        return
    member.ready_since = now
    if Purpose.READY not in member.spec.probes:
        probing.set_ready(group, member, True)
    settle(group, member, now)
    open_gate(group, member, Gate.READY, now)


def settle(group: GroupState, member: MemberState, now: float) -> None:
    """The group need not wait for it any longer; with the last of them it is up."""
    group.unsettled.discard(member.spec.name)
    up_if_settled(group, now)


def up_if_settled(group: GroupState, now: float) -> None:
    if group.phase is GroupPhase.STARTING and not group.unsettled:
        group.ready_since = now
        move_group(group, GroupPhase.RUNNING)


def open_gate(group: GroupState, member: MemberState, gate: Gate, now: float) -> None:
    """Start those followers that waited for just this; but the next run of one that a reload ends
    is what they are to wait for."""
    name = member.spec.name
    if group.phase not in GOES_ON or name in group.doomed:
        return
    for follower in map(group.members.__getitem__, member.followers):
        if follower.after[name] is gate:
            follower.unmet.discard(name)
            admit(group, follower, now)


def is_open(member: MemberState, gate: Gate) -> bool:
    """Whether one that comes in now need not wait for that."""
    is_down = member.phase is Phase.ENDED and member.sequel is Sequel.END
    match gate:
        case Gate.STARTED:
            return member.spawned and member.sequel in (Sequel.END, Sequel.RESTART)
        case Gate.READY:
            return member.phase is Phase.RUNNING and member.spec.role is not Role.INIT
        case Gate.SUCCEEDED:
            return is_down and member.succeeded
        case Gate.ENDED:
            return is_down


def unready(group: GroupState) -> str:
    """Who is not ready yet, or else waits, and for whom, as one line for people."""
    members = group.members.values()
    late = [m for m in members if m.spec.name in group.unsettled]
    return ", ".join(
        m.spec.name + (f" (waits for {', '.join(sorted(m.unmet))})" if _waits(m) else "")
        for m in late or filter(_waits, members)
    )


def _waits(member: MemberState) -> bool:
    return member.phase is Phase.WAITING and bool(member.unmet)
