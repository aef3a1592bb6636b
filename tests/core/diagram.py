"""Makes docs/states.md from the core's own tables: `python -m tests.core.diagram`.

A diagram that is kept by hand is wrong after a while.
"""

import ast
import inspect
from enum import StrEnum
from pathlib import Path

from pairvisor.core import state
from pairvisor.core.state import MOVES, GroupPhase, Phase

PAGE = Path(__file__).parents[2] / "docs" / "states.md"

HEAD = """\
# States

Made by `python -m tests.core.diagram` from `pairvisor/core/state.py`; a test holds it up to date.

A member, or the group, is in one phase at a time, and has at most one deadline: what its passing
means is said beside the phase. What else moves them is news of what they did.

## Members

"""

GROUP = """
## The group

A group starts, runs, stops; then it starts again, after its backoff, or is over.

"""


def page() -> str:
    return HEAD + diagram() + "\n" + table(Phase) + GROUP + table(GroupPhase)


def diagram() -> str:
    lines = ["```mermaid", "stateDiagram-v2", "  [*] --> waiting"]
    for phase, following in MOVES.items():
        lines += [f"  {_id(phase)} --> {_id(to)}" for to in Phase if to in following]
    return "\n".join([*lines, "```", ""])


def _id(phase: Phase) -> str:
    """Mermaid takes a hyphen for the beginning of an arrow."""
    return phase.value.replace("-", "_")


def table(phases: type[StrEnum]) -> str:
    notes = comments(phases)
    rows = [f"| `{phase.value}` | {notes[phase.name]} |" for phase in phases]
    return "\n".join(
        [
            "| phase | what it is: what the passing of its deadline means |",
            "| --- | --- |",
            *rows,
            "",
        ]
    )


def comments(phases: type[StrEnum]) -> dict[str, str]:
    """The comment beside each name."""
    lines = inspect.getsource(state).splitlines()
    tree = ast.parse("\n".join(lines))
    body = next(
        node.body
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == phases.__name__
    )
    return {
        node.targets[0].id: lines[node.lineno - 1].partition("  # ")[2]
        for node in body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


if __name__ == "__main__":
    PAGE.write_text(page())
