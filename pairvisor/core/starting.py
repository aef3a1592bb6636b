"""Up: a round begins, gates open one after the other, members become ready.

A gate that has opened stays open for the round: that a sidecar can't serve for a moment does not
hold back what has only to start after it.
"""

from heapq import heappush
from math import inf

from pairvisor.core import effects as do
from pairvisor.core import probing
from pairvisor.core.moves import move, move_group
from pairvisor.core.state import RUNTIME, GroupPhase, GroupState, MemberState, Phase
from pairvisor.manifest.group import Gate, Hook, Purpose, Role


def begin_life(group: GroupState, now: float) -> None:
    """The first round, from which `max_runtime` counts."""
    group.run_until = now + group.spec.max_runtime
    heappush(group.timers, (group.run_until, RUNTIME))
    begin_round(group, now)


def begin_round(group: GroupState, now: float) -> None:
    """Everything anew, inits too; whoever waits for nobody starts."""
    group.round += 1
    group.ready_since = inf
    group.last_call = False
    group.unsettled = set(group.members) - group.epilogue
    move_group(group, GroupPhase.STARTING, now + group.spec.start_timeout)
    group.effects.append(do.Tidy())
    for member in group.members.values():
        _reset(group, member)
    for member in group.members.values():
        if not member.unmet:
            spawn(group, member, now)


def _reset(group: GroupState, member: MemberState) -> None:
    member.unmet = set(member.spec.after)
    member.exit = member.cause = None
    member.restart = False
    if member.phase is not Phase.WAITING:
        move(group, member, Phase.WAITING)


def spawn(group: GroupState, member: MemberState, now: float) -> None:
    member.run += 1
    member.spawned = False
    member.exit = member.cause = None
    member.restart = False
    member.ready_since = inf
    member.tallies = {}
    is_init = member.spec.role is Role.INIT
    limit = member.spec.timeout if is_init else member.spec.start_timeout
    move(group, member, Phase.STARTING, now + limit)
    group.effects.append(do.Spawn(member.spec.name, member.run))


def spawned(group: GroupState, member: MemberState, now: float) -> None:
    """It runs: those that wait for no more may start; its hook comes before its probes.

    In a stop that has begun, nothing comes of it but its end.
    """
    member.spawned = True
    if group.phase is GroupPhase.STOPPING:
        return
    open_gate(group, member, Gate.STARTED, now)
    if Hook.POST_START in member.spec.hooks:
        group.effects.append(do.RunHook(member.spec.name, member.run, Hook.POST_START))
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
    if group.phase is GroupPhase.STARTING and not group.unsettled:
        group.ready_since = now
        move_group(group, GroupPhase.RUNNING)


def open_gate(group: GroupState, member: MemberState, gate: Gate, now: float) -> None:
    """Start those followers that waited for just this."""
    if group.phase not in (GroupPhase.STARTING, GroupPhase.RUNNING):
        return
    name = member.spec.name
    for follower in map(group.members.__getitem__, member.followers):
        if follower.spec.after[name] is gate:
            follower.unmet.discard(name)
            if not follower.unmet and follower.phase is Phase.WAITING:
                spawn(group, follower, now)


def unready(group: GroupState) -> str:
    """Who is not ready yet, and for whom it waits, as one line for people."""
    waiting = (group.members[name] for name in group.members if name in group.unsettled)
    return ", ".join(
        m.spec.name + (f" (waits for {', '.join(sorted(m.unmet))})" if m.unmet else "")
        for m in waiting
    )
