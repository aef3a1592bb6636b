"""A pump whose terminal is a pipe, and outlets that note what they are given."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import cast

import pytest

from pairvisor.manifest.group import Group, Log, Member, Places, Role
from pairvisor.runtime.logs import terminal
from pairvisor.runtime.logs.lines import Data, Lines, wrapped
from pairvisor.runtime.logs.outlet import Account, Fact, Outlet
from pairvisor.runtime.logs.pump import Pump
from pairvisor.runtime.logs.routes import Routes, Way
from pairvisor.runtime.rings import Rings


class Plain:
    """A view that shows who wrote what."""

    def lines(self, lines: Lines) -> bytes:
        text = lines.text.removesuffix(b"\n") + b"\n"
        return wrapped(text, f"{lines.member} {lines.stream} ".encode())

    def say(self, text: str) -> bytes:
        return f"{text}\n".encode()

    progress = say


class Keeping:
    """In a pump's place: it notes what an outlet tells."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.watched: set[int] = set()

    def tell(self, fact: Fact) -> None:
        self.facts.append(fact)

    def watch(self, descriptor: int, outlet: Outlet) -> None:
        self.watched.add(descriptor)

    def unwatch(self, descriptor: int) -> None:
        self.watched.remove(descriptor)


class Taking(Outlet):
    """Takes all."""

    def __init__(self) -> None:
        super().__init__("taking", Keeping())
        self.taken: list[bytes] = []

    def write(self, data: Data, start: int) -> int:
        self.taken.append(bytes(data))
        return len(data)

    @property
    def lines(self) -> list[str]:
        return b"".join(self.taken).decode(errors="replace").split("\n")[:-1]


def plainly(lines: Lines) -> Iterator[Data]:
    yield Plain().lines(lines)


def lead_to(pump: Pump, outlet: Outlet) -> None:
    """All members' lines go there alone."""
    way = Way(outlet, Account("all", 1 << 20, drops=False), plainly)
    pump._routes = cast("Routes", SimpleNamespace(of=lambda _: (way,), outlets=[outlet]))


def group_of(*members: str, log: Log | None = None) -> Group:
    made = [Member(name=name, role=Role.SIDECAR, log=log or Log()) for name in members]
    return Group(name="g", places=Places("/r", "/s", "/l"), members={m.name: m for m in made})


@contextmanager
def pump_to_pipe(*members: str) -> Iterator[tuple[Pump, int]]:
    """A pump for these, not started yet, and the other end of its terminal."""
    read, write = os.pipe2(os.O_CLOEXEC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terminal, "STDOUT", write)
        pump = Pump(Plain(), Rings(members))
    pump.adopt(group_of(*members))
    try:
        yield pump, read
    finally:
        os.close(read)
        os.close(write)


def said(terminal_end: int) -> list[str]:
    """What is in the terminal's pipe, which is not empty."""
    return os.read(terminal_end, 1 << 20).decode().splitlines()
