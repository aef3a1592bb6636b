"""What somebody may ask for at a random moment: of the group, of a member, and another group."""

from collections.abc import Callable
from random import Random

from msgspec.structs import replace

from pairvisor.core.events import (
    Event,
    MemberRestartRequested,
    MemberStartRequested,
    MemberStopRequested,
    RestartRequested,
    StartRequested,
    StopRequested,
)
from pairvisor.manifest.group import Feed, Gate, Group, Member, Role
from pairvisor.manifest.stop import ends_after
from tests.sim import groups
from tests.sim.world import World

OF_MEMBERS: list[Callable[[str, int], Event]] = [
    MemberStartRequested,
    MemberStopRequested,
    MemberStopRequested,
    MemberRestartRequested,
]


def ask(random: Random, world: World) -> None:
    """Anything but a stop of the group."""
    chance = random.randint(1, 100)
    if chance <= 4:
        world.ask(RestartRequested)
    elif chance <= 10:
        world.ask(StartRequested)
    elif chance <= 45:
        world.reload(another_group(random, world.state.spec))
    else:
        wish = random.choice(OF_MEMBERS)
        member = random.choice([*world.state.members, "nobody"])
        world.ask(lambda number: wish(member, number))


def stop(random: Random, world: World) -> None:
    hasten = groups.often(random, 50)
    world.ask(lambda number: StopRequested(hasten, number))


def another_group(random: Random, old: Group) -> Group:
    """One that differs a little, or not at all; still without a cycle."""
    members = in_order(old)
    for _ in range(random.choice([0, 1, 1, 1, 2, 3])):
        change = random.choice([change_member] * 6 + [add_member] * 3 + [remove_member] * 3)
        change(random, members)
    if groups.often(random, 20):
        share_variable(random, members)
    if groups.often(random, 3):
        rename_primary(random, members)
    by_role = sorted(members, key=lambda m: list(Role).index(m.role))
    mended = mend_readers(mend_gates(random, by_role))
    new = replace(old, members={m.name: m for m in mended})
    if groups.often(random, 20):
        new = replace(new, grace=random.choice([0.25, 3.0, 30.0]))
    if groups.often(random, 20):
        new = replace(new, restart=groups.random_restart(random))
    if groups.often(random, 10):
        new = replace(new, max_runtime=random.choice([20.0, 200.0]), start_timeout=20.0)
    return new


def in_order(group: Group) -> list[Member]:
    """Whoever is waited for comes first."""
    found: dict[str, Member] = {}

    def visit(member: Member) -> None:
        if member.name not in found:
            for name in member.after:
                visit(group.members[name])
            found[member.name] = member

    for member in group.members.values():
        visit(member)
    return list(found.values())


def change_member(random: Random, members: list[Member]) -> None:
    place = random.randrange(len(members))
    old, earlier = members[place], {m.name: m for m in members[:place]}
    fresh = groups.random_member(random, old.name, old.role, earlier)
    keys = ["probes", "hooks", "stop_grace", "on_failure", "start_timeout", "success_codes"]
    chance = random.randint(1, 100)
    if chance <= 45:
        new = replace(old, command=(str(random.randint(0, 10**9)),))
    elif chance <= 55:
        new = replace(old, after=fresh.after)
    elif chance <= 60:
        new = groups.random_reader(random, replace(old, stdin=None), [m.name for m in members])
    elif chance <= 90:
        new = replace(old, **{key: getattr(fresh, key) for key in random.sample(keys, 2)})
    else:
        new = with_another_role(random, old, earlier)
    members[place] = new


def with_another_role(random: Random, old: Member, earlier: dict[str, Member]) -> Member:
    if old.role is Role.PRIMARY:
        return old
    role = Role.SIDECAR if old.role is Role.INIT else Role.INIT
    return groups.random_member(random, old.name, role, earlier)


def share_variable(random: Random, members: list[Member]) -> None:
    """The group's env, of which most have a part."""
    value = str(random.randint(0, 10**9))
    for place, member in enumerate(members):
        if groups.often(random, 80):
            members[place] = replace(member, env=member.env | {"SHARED": value})


def add_member(random: Random, members: list[Member]) -> None:
    """New, or one that was there before under the same name."""
    place = random.randint(0, len(members))
    role = random.choice([Role.INIT, Role.SIDECAR])
    name = f"{role}{random.randint(0, 14)}"
    if all(m.name != name for m in members):
        earlier = {m.name: m for m in members[:place]}
        members.insert(place, groups.random_member(random, name, role, earlier))
        for later in range(place + 1, len(members)):
            if groups.often(random, 30):
                gate = groups.random_gate(random, members[place])
                old = members[later]
                members[later] = replace(old, after=old.after | {name: gate})


def remove_member(random: Random, members: list[Member]) -> None:
    gone = random.choice(members)
    if gone.role is Role.PRIMARY:
        return
    members.remove(gone)
    for place, member in enumerate(members):
        after = {name: gate for name, gate in member.after.items() if name != gone.name}
        members[place] = replace(member, after=after)


def rename_primary(random: Random, members: list[Member]) -> None:
    name = random.choice(["app", "web"])
    old = next(m for m in members if m.role is Role.PRIMARY)
    for place, member in enumerate(members):
        after = {name if on == old.name else on: gate for on, gate in member.after.items()}
        members[place] = replace(member, after=after, name=name if member is old else member.name)


def mend_gates(random: Random, members: list[Member]) -> list[Member]:
    """No one can wait for an init to be ready."""
    inits = {m.name for m in members if m.role is Role.INIT}
    return [
        replace(
            member,
            after={
                name: Gate.SUCCEEDED if name in inits and gate is Gate.READY else gate
                for name, gate in member.after.items()
            },
        )
        for member in members
    ]


def mend_readers(members: list[Member]) -> list[Member]:
    """Nobody reads what isn't there, and the order of the stop has no cycle."""
    names = {m.name for m in members}
    mended = {m.name: m for m in members}
    for member in members:
        if member.stdin is None:
            continue
        sources = tuple(s for s in member.stdin.sources if s in names - {member.name})
        feed = Feed(sources) if sources and member.role is Role.SIDECAR else None
        mended[member.name] = replace(member, stdin=feed)
    for name in [m.name for m in members if m.stdin is not None]:
        if _ends_in_a_cycle(mended):
            mended[name] = replace(mended[name], stdin=None)
    return list(mended.values())


def _ends_in_a_cycle(members: dict[str, Member]) -> bool:
    reads = {name: m.stdin.sources for name, m in members.items() if m.stdin is not None}
    inits = [name for name, m in members.items() if m.role is Role.INIT]
    first = ends_after({name: m.after for name, m in members.items()}, reads, inits)
    while free := [name for name, others in first.items() if not others & first.keys()]:
        for name in free:
            del first[name]
    return bool(first)
