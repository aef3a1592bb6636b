"""Words in which a scenario is told: small groups, their scripts, and what was ordered, as text."""

from collections.abc import Mapping
from math import inf
from typing import Any

from pairvisor.core import effects as do
from pairvisor.core.events import Exit
from pairvisor.core.state import Phase
from pairvisor.core.step import step as core_step
from pairvisor.manifest.group import (
    Fate,
    Gate,
    Group,
    Hook,
    Member,
    Method,
    Places,
    Probe,
    Purpose,
    Role,
)
from tests.sim.invariants import Judge
from tests.sim.scripts import Script
from tests.sim.world import Step, World

SUCCESS, FAILURE = Exit(code=0), Exit(code=3)
Scripts = Mapping[str, Script | list[Script]]


def primary(after: str = "", **settings: Any) -> Member:
    settings = {"name": "app", "on_success": Fate.TEARDOWN} | settings
    return Member(role=Role.PRIMARY, after=waits(after), **settings)


def sidecar(name: str, after: str = "", **settings: Any) -> Member:
    return Member(name=name, role=Role.SIDECAR, after=waits(after), **settings)


def init(name: str, after: str = "", **settings: Any) -> Member:
    settings = {"on_success": Fate.IGNORE} | settings
    return Member(name=name, role=Role.INIT, after=waits(after), **settings)


def waits(text: str) -> dict[str, Gate]:
    """`a b=started` waits for a to be ready and for b to have started."""
    pairs = (word.partition("=") for word in text.split())
    return {name: Gate(gate) if gate else Gate.READY for name, _, gate in pairs}


def group(*members: Member, **settings: Any) -> Group:
    return Group(
        name="g",
        places=Places(run="/g", state="/state/g"),
        members={m.name: m for m in members},
        **settings,
    )


def probe(purpose: str, **settings: Any) -> dict[Purpose, Probe]:
    return {Purpose(purpose): Probe(method=Method.EXEC, **settings)}


def hooks(*names: str) -> dict[Hook, tuple[str, ...]]:
    return {Hook(name): ("hook",) for name in names}


def leaves(after: float, code: int = 0, **more: Any) -> Script:
    """Ends by itself."""
    return Script(exits_after=after, exit=Exit(code=code), **more)


def play(spec: Group, scripts: Scripts | None = None, step: Step = core_step) -> World:
    """A judged world that has started. A list has one script for each run; the last one stays."""
    given = scripts or {}

    def behave(name: str, run: int) -> Script:
        script = given.get(name, Script())
        return script[min(run, len(script)) - 1] if isinstance(script, list) else script

    world = World(spec, behave, step=step)
    Judge(world)
    world.start()
    return world


def up(spec: Group, scripts: Scripts | None = None) -> World:
    """One in which all has happened that takes no time."""
    world = play(spec, scripts)
    world.run(0)
    return world


def orders(world: World, since: float = 0.0, before: float = inf) -> list[str]:
    """What was ordered in that time: `spawn app`, `signal app`, `kill app`, `post_stop app` …

    The cleaning up after a main process that has ended is left out.
    """
    told: list[str] = []
    for entry in world.journal:
        if since <= entry.time <= before:
            told += [word for effect in entry.effects if (word := _order(effect))]
    return told


def times(world: World, order: str) -> list[float]:
    """When that was ordered."""
    return [e.time for e in world.journal for effect in e.effects if _order(effect) == order]


def _order(effect: do.Effect) -> str:
    match effect:
        case do.Spawn():
            return f"spawn {effect.member}"
        case do.Signal():
            return f"signal {effect.member}"
        case do.RunHook():
            return f"{effect.hook} {effect.member}"
        case do.Moved(phase=Phase.KILLING):
            return f"kill {effect.member}"
        case _:
            return ""


def ended(world: World) -> tuple[str, int, str]:
    """The outcome, the status and the cause's member, once the life is over."""
    finish = world.run_to_the_end()
    return finish.outcome.value, finish.status, finish.cause.member if finish.cause else ""
