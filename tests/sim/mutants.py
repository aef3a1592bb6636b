"""The core with one line changed for the worse.

The modules that hold the rules are loaded anew, one of them from changed text; the types that
they share (state, events, effects) stay the same, so that a world can drive a mutant's `step`.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from msgspec import Struct

import pairvisor.core as room
from tests.sim.world import Step

RULES = "moves backoff hooks probing starting stopping fate asking reloading step".split()


class Mutation(Struct, frozen=True):
    """`seed` is where the search for a life that shows it begins: what is rare takes long."""

    name: str
    module: str
    old: str
    new: str
    seed: int = 0


def step_of(mutation: Mutation) -> Step:
    """The mutant's `step`. The text to change must be there exactly once."""
    with _set_aside():
        for name in RULES:
            _hold(name, mutation if name == mutation.module else None)
        step: Step = importlib.import_module("pairvisor.core.step").step
        return step


def _hold(name: str, mutation: Mutation | None) -> None:
    """Import it, unless another of the rules has."""
    full = f"pairvisor.core.{name}"
    if mutation is None or full in sys.modules:
        importlib.import_module(full)
        return
    path = Path(str(room.__file__)).with_name(f"{name}.py")
    text = path.read_text()
    assert text.count(mutation.old) == 1, f"{mutation.name}: found {text.count(mutation.old)} times"
    module = ModuleType(full)
    module.__file__ = str(path)
    sys.modules[full] = module
    setattr(room, name, module)
    exec(compile(text.replace(mutation.old, mutation.new), str(path), "exec"), module.__dict__)


@contextmanager
def _set_aside() -> Iterator[None]:
    """Put the real modules away, and back again."""
    real = {name: importlib.import_module(f"pairvisor.core.{name}") for name in RULES}
    for name in RULES:
        del sys.modules[f"pairvisor.core.{name}"]
        delattr(room, name)
    try:
        yield
    finally:
        for name, module in real.items():
            sys.modules[f"pairvisor.core.{name}"] = module
            setattr(room, name, module)
