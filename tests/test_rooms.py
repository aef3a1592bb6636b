"""Which room may import what: read from the sources, so that no import is needed to know."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pairvisor"
OUTSIDE_WORLD = frozenset(
    "_posixsubprocess _socket _thread array asyncio ctypes curses datetime fcntl glob http io"
    " locale logging mmap multiprocessing os pathlib platform posix pty pwd random resource"
    " secrets select selectors shutil signal socket socketserver ssl subprocess sys syslog"
    " tempfile termios threading time tty urllib uuid".split()
)


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """What a module imports, at its head or later, and where."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        where = f"{path.relative_to(PACKAGE.parent)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            yield from ((alias.name, where) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{where}: write where from"
            yield from ((f"{node.module}.{alias.name}", where) for alias in node.names)


def imports_of(room: str) -> list[tuple[str, str]]:
    return [found for path in sorted((PACKAGE / room).rglob("*.py")) for found in imports(path)]


def is_below(name: str, *rooms: str) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


SIGNALS = "pairvisor.manifest.signals"  # a table
PURE = ("pairvisor.manifest.group", "pairvisor.manifest.changes", "pairvisor.manifest.stop")


def test_the_core_knows_the_groups_types_and_nothing_else_of_ours() -> None:
    wrong = [
        f"{where}: {name}"
        for name, where in imports_of("core")
        if is_below(name, "pairvisor") and not is_below(name, "pairvisor.core", *PURE)
    ]
    assert not wrong


def test_the_core_knows_no_kernel_no_clock_and_no_chance() -> None:
    wrong = [
        f"{where}: {name}"
        for name, where in imports_of("core")
        if name.partition(".")[0] in OUTSIDE_WORLD
    ]
    assert not wrong


def test_the_core_opens_nothing() -> None:
    for path in (PACKAGE / "core").glob("*.py"):
        names = {n.id for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Name)}
        assert not names & {"open", "print", "input", "exec", "eval", "__import__"}, path


def test_the_record_knows_the_core_the_groups_types_and_nothing_else_of_ours() -> None:
    allowed = ("pairvisor.record", "pairvisor.core", "pairvisor.manifest.group", SIGNALS)
    wrong = [
        f"{where}: {name}"
        for name, where in imports_of("record")
        if is_below(name, "pairvisor") and not is_below(name, *allowed)
    ]
    assert not wrong


def test_the_record_knows_no_kernel_and_no_clock() -> None:
    """To read a time is not to ask for it."""
    wrong = [
        f"{where}: {name}"
        for name, where in imports_of("record")
        if name.partition(".")[0] in OUTSIDE_WORLD - {"datetime"}
    ]
    assert not wrong
    for path in (PACKAGE / "record").glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        called = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        names = {node.id for node in nodes if isinstance(node, ast.Name)}
        assert not called & {"now", "today", "utcnow", "fromtimestamp", "raise_signal"}, path
        assert not names & {"open", "print", "input", "exec", "eval", "__import__"}, path


@pytest.mark.parametrize(
    ("room", "closed"),
    [
        ("core", ("pairvisor.runtime", "pairvisor.api", "pairvisor.cli")),
        ("manifest", ("pairvisor.runtime", "pairvisor.api", "pairvisor.cli", "pairvisor.core")),
        ("runtime", ("pairvisor.cli",)),
    ],
)
def test_a_room_does_not_look_into_those_above_it(room: str, closed: tuple[str, ...]) -> None:
    assert [f"{where}: {name}" for name, where in imports_of(room) if is_below(name, *closed)] == []


def test_the_groups_types_need_no_more_than_the_core_may_have() -> None:
    allowed = ("collections.abc", "enum", "math", "msgspec", "typing", "pairvisor.manifest.errors")
    files = [PACKAGE.parent / f"{name.replace('.', '/')}.py" for name in PURE]
    found = [name for path in files for name, _ in imports(path) if not is_below(name, *PURE)]
    assert [name for name in found if not is_below(name, *allowed)] == []
