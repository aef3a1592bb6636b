"""Random groups, random processes, random lives. All chance comes from one `Random`.

Times are multiples of a quarter of a second, so that things that could happen at once often do.
"""

from math import inf
from random import Random

from msgspec.structs import replace

from pairvisor.core.events import Emptied, Exit, Exited, HookEnded, ProbeEnded, Spawned, TimePassed
from pairvisor.core.step import step as core_step
from pairvisor.manifest.group import (
    Fate,
    Feed,
    Gate,
    Group,
    Hook,
    Member,
    Method,
    Places,
    Probe,
    Purpose,
    Restart,
    Role,
)
from tests.sim import wishes
from tests.sim.invariants import Judge, a_stop_reaches_the_end, stale_events_change_nothing
from tests.sim.scripts import Command, Script
from tests.sim.world import Step, World

FATES = [Fate.RESTART_GROUP] * 3 + [Fate.RESTART] * 3 + [Fate.IGNORE] * 2 + [Fate.TEARDOWN]
NEVER = [inf, 11.0, 25.0]  # seconds: longer than the core's patience with SIGKILL
EXITS = [Exit(code=0), Exit(code=0), Exit(code=1), Exit(code=42), Exit(signal=9), Exit(signal=11)]


def quarters(random: Random, most: int) -> float:
    return random.randint(0, most) / 4


def often(random: Random, percent: int) -> bool:
    return random.randint(1, 100) <= percent


def random_group(random: Random, size: int) -> Group:
    """`size` members in any order that has no cycle, with anything a manifest may say."""
    roles = [Role.PRIMARY] + [
        Role.INIT if often(random, 30) else Role.SIDECAR for _ in range(size - 1)
    ]
    random.shuffle(roles)
    members: dict[str, Member] = {}
    for number, role in enumerate(roles):
        name = "app" if role is Role.PRIMARY else f"{role}{number}"
        members[name] = random_member(random, name, role, members)
    by_role = sorted(members.values(), key=lambda m: list(Role).index(m.role))
    by_role = wishes.mend_readers([random_reader(random, m, list(members)) for m in by_role])
    return Group(
        name="g",
        places=Places(run="/run/g", state="/state/g"),
        members={member.name: member for member in by_role},
        grace=random.choice([0.25, 1.0, 3.0, 10.0, 30.0]),
        start_timeout=random.choice([2.0, 20.0, 300.0, 300.0, inf, inf]),
        max_runtime=random.choice([5.0, 60.0]) if often(random, 15) else inf,
        restart=random_restart(random),
    )


def random_restart(random: Random) -> Restart:
    return Restart(
        initial=random.choice([0.0, 0.25, 1.0]),
        max=random.choice([1.0, 4.0, 60.0]),
        factor=random.choice([1.0, 1.5, 2.0, 1000.0]),
        jitter=random.choice([0.0, 0.1, 1.0]),
        reset_after=random.choice([0.5, 5.0, 600.0]),
        limit=random.choice([0, 0, 1, 3]),
        within=random.choice([2.0, 600.0]),
    )


def random_member(random: Random, name: str, role: Role, earlier: dict[str, Member]) -> Member:
    is_init = role is Role.INIT
    return Member(
        name=name,
        role=role,
        after=random_waits(random, earlier),
        probes={} if is_init else random_probes(random),
        hooks={hook: ("hook",) for hook in Hook if often(random, 12)},
        start_timeout=random.choice([1.0, 10.0, 60.0, inf]) if not is_init else inf,
        timeout=random.choice([1.0, 10.0, 60.0, inf]) if is_init else inf,
        stop_grace=random.choice([inf, inf, 0.25, 0.5, 5.0]),
        on_exit=random.choice([{}, {}, {42: random.choice(FATES), -11: random.choice(FATES)}]),
        success_codes=random.choice([frozenset({0}), frozenset({0, 42}), frozenset({1})]),
        on_success=Fate.IGNORE if is_init else random.choice(FATES),
        on_failure=random.choice(FATES),
    )


def random_reader(random: Random, member: Member, names: list[str]) -> Member:
    """It may read some of these, whatever the order of the stop has to say to that."""
    if member.role is not Role.SIDECAR or not often(random, 30):
        return member
    sources = [name for name in random.sample(names, min(len(names), 2)) if name != member.name]
    return replace(member, stdin=Feed(tuple(sources)) if sources else None)


def random_waits(random: Random, earlier: dict[str, Member]) -> dict[str, Gate]:
    names = random.sample(sorted(earlier), min(len(earlier), random.randint(0, 3)))
    return {name: random_gate(random, earlier[name]) for name in names}


def random_gate(random: Random, awaited: Member) -> Gate:
    if awaited.role is Role.INIT:
        return random.choice([Gate.SUCCEEDED, Gate.SUCCEEDED, Gate.STARTED, Gate.ENDED])
    return random.choice([Gate.READY, Gate.READY, Gate.STARTED, Gate.SUCCEEDED, Gate.ENDED])


def random_probes(random: Random) -> dict[Purpose, Probe]:
    methods = [Method.EXEC, Method.NOTIFY, Method.TCP]
    return {
        purpose: Probe(
            method=random.choice(methods),
            interval=random.choice([0.25, 1.0, 5.0]),
            timeout=random.choice([0.25, 1.0]),
            failures=random.randint(1, 3),
            successes=random.choice([1, 1, 2]) if purpose is Purpose.READY else 1,
            delay=random.choice([0.0, 0.0, 1.0]),
        )
        for purpose in Purpose
        if often(random, 35)
    }


def random_script(random: Random, spec: Member) -> Script:
    """A process that is mostly well-behaved."""
    is_init = spec.role is Role.INIT
    leaves = is_init or often(random, 35)
    return Script(
        latency=quarters(random, 2) if often(random, 20) else 0.0,
        error="no such file" if often(random, 5) else "",
        ready_after=quarters(random, 8) if often(random, 50) else 0.0,
        flaps=random.choice([inf, inf, 0.25, 2.0]),
        sick_after=quarters(random, 40) if often(random, 15) else inf,
        probe_takes=random.choice([0.0, 0.0, 0.0, 0.25, 2.0]),
        exits_after=quarters(random, 60 if often(random, 70) else 4000) if leaves else inf,
        exit=Exit(code=0) if is_init and often(random, 80) else random.choice(EXITS),
        reads=random.choice([0.0, 0.0, 0.25, 2.0, inf]),
        leaves=random.choice([0.0, 0.25, 5.0, inf]),
        drains=random.choice([0.0, 0.0, 0.0, 0.25, 1.0, 5.0, inf]),
        drained=random.choice([Exit(signal=15), Exit(code=0), Exit(code=1)]),
        left=random.choice([0, 0, 0, 2]),
        dies_within=random.choice(NEVER if often(random, 1) else [0.0, 0.0, 0.25]),
        empties_within=random.choice(NEVER if often(random, 1) else [0.0, 0.25]),
        hooks={
            hook: Command(random.choice([0.0, 0.25, 3.0, inf]), often(random, 80))
            for hook in spec.hooks
        },
    )


def random_world(random: Random, size: int, step: Step = core_step, remember: int = 400) -> World:
    """A judged world that is not started yet."""
    spec = random_group(random, size)
    is_noisy = often(random, 30)
    world = World(
        spec,
        lambda name, _: random_script(random, world.state.members[name].spec),
        step=step,
        noise=random.random if is_noisy else lambda: 0.0,
        remember=remember,
    )
    Judge(world).history.is_noisy = is_noisy
    return world


def live(random: Random, world: World, steps: int) -> None:
    world.start()
    rate = random.choice([0.0, 0.0, 0.02, 0.1, 0.3])  # of requests
    for _ in range(steps):
        if world.finish is not None or not world.tick():
            break
        if random.random() < 0.03:
            disturb(random, world)
        if random.random() < rate:
            wishes.ask(random, world)


def end(random: Random, world: World) -> None:
    if often(random, 50):
        a_stop_reaches_the_end(world)
        return
    world.stop()
    for _ in range(random.randint(0, 20)):
        world.tick()
        disturb(random, world)
        if often(random, 10):
            wishes.stop(random, world)
        if often(random, 10):
            wishes.ask(random, world)
    world.run_to_the_end(steps=100 * len(world.state.members) + 100)


def disturb(random: Random, world: World) -> None:
    """What must change nothing, and what may happen at any time."""
    event = random.choice(world.journal).event
    match event:
        case Spawned() | Exited() | Emptied() | HookEnded():
            stale_events_change_nothing(world, event)
        case ProbeEnded():
            if is_stale(world, event):
                stale_events_change_nothing(world, event)
        case TimePassed():
            if world.next_time() > world.now:
                stale_events_change_nothing(world, event)
        case _:
            disturb_time(random, world)


def is_stale(world: World, event: ProbeEnded) -> bool:
    """Whether it can't be the answer to an attempt that is under way."""
    process = world.processes.get((event.member, event.run))
    return process is None or event.purpose not in process.attempts


def disturb_time(random: Random, world: World) -> None:
    if random.random() < 0.2:
        seconds = quarters(random, 40)
        world.lag(seconds)


SIZES = (1, 2, 3, 3, 3, 4, 5, 6, 8, 12)  # members; most faults need three


def live_through(
    seed: int, size: int | None = None, step: Step = core_step
) -> tuple[World, BaseException | None]:
    """The life that this seed gives, and what was wrong with it."""
    random = Random(seed)
    members = size or random.choice(SIZES)
    world = random_world(random, members, step)
    try:
        live(random, world, random.randint(0, 200 + 40 * members))
        if world.finish is None:
            end(random, world)
    except Exception as wrong:
        return world, wrong
    return world, None
