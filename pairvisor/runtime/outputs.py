"""The loop's side of the members' output: what a new process reads and writes, and what the pump
has to tell."""

import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from pairvisor.core.events import Exit
from pairvisor.manifest.group import Group, Member
from pairvisor.runtime.children import Children, Command, Input, SpawnError
from pairvisor.runtime.logs.outlet import Compress, Fact, Fault, Lost, Trouble, Unread
from pairvisor.runtime.logs.pump import Pump, Watch
from pairvisor.runtime.records import Records

if TYPE_CHECKING:
    import asyncio

DYING = 1.0  # seconds, from the last descriptor that a process closes to its end, at most
SETTLE = 1.0  # seconds for what waits when the group is over
GRACE = 1.0  # seconds after which the pump itself is not waited for: a disk may hang


class Streams(Struct, frozen=True):
    """A new process's. `feed` is our end of its stdin."""

    stdout: int
    stderr: int
    stdin: Input | None = None
    feed: int = -1


class Outputs:
    """All members'."""

    def __init__(self, group: Group, pump: Pump, children: Children, records: Records) -> None:
        self._group = group
        self._pump = pump
        self._children = children
        self._records = records
        self.readers: dict[str, int] = {}  # their latest runs
        self._loop: asyncio.AbstractEventLoop

    def begin(self, loop: "asyncio.AbstractEventLoop") -> None:
        """The loop runs: hear what the pump has to tell."""
        self._loop = loop

        def listener(fact: Fact) -> None:
            with suppress(RuntimeError):  # the loop may be over
                loop.call_soon_threadsafe(self._hear, fact)

        self._pump.listen(listener)

    def adopt(self, group: Group) -> None:
        """The group is this from now on."""
        self._group = group
        self._pump.adopt(group)

    def open(self, member: Member, run: int, watch: Watch | None, given: ExitStack) -> Streams:
        """For a new process; what is the process's own is closed with `given`. Raises OSError."""
        stdout = self._pump.attach(member.name, "stdout", watch, run)
        given.callback(os.close, stdout)
        stderr = self._pump.attach(member.name, "stderr", watch, run)
        given.callback(os.close, stderr)
        if member.stdin is None:
            return Streams(stdout, stderr)
        from pairvisor.runtime.logs.pipes import pipe_to_reader  # noqa: PLC0415 - few have one

        read, feed = pipe_to_reader()
        given.callback(os.close, read)
        return Streams(stdout, stderr, Input(read), feed)

    def started(self, member: Member, run: int, streams: Streams) -> None:
        """The process has them."""
        if streams.feed >= 0:
            self.readers[member.name] = run
            self._pump.begin_input(member.name, streams.feed, run)

    def failed(self, streams: Streams) -> None:
        """There is no process."""
        if streams.feed >= 0:
            os.close(streams.feed)

    def ended(self, member: Member) -> None:
        """It is at rest, and whoever starts it is not to be waited for."""
        if member.stdin is not None:
            self._pump.leave_input(member.name)

    def end_input(self, member: str, on_empty: Callable[[], object]) -> None:
        """Its standard input ends; once all that it was to read is read, call that."""
        self._pump.end_input(member, partial(self._loop.call_soon_threadsafe, on_empty))

    def settle(self, callback: Callable[[], None]) -> None:
        """The group is over: call that when all is written, or lost, or it is time."""
        waiting = [callback]

        def over() -> None:
            while waiting:
                waiting.pop()()

        self._loop.call_later(SETTLE + GRACE, over)
        self._pump.settle(SETTLE, partial(self._loop.call_soon_threadsafe, over))

    def _hear(self, fact: Fact) -> None:
        match fact:
            case Trouble():
                self._say(self._records.trouble(fact.where, fact.why))
            case Lost():
                self._say(self._records.lost(fact.member, fact.where, fact.lines))
            case Unread():
                # One that is being killed closes all before we hear of its end.
                self._loop.call_later(DYING, self._leave_if_it_lives, fact.member, fact.run)
            case Fault():
                self._records.fault(fact.error)
            case Compress():
                self._compress(fact)

    def _say(self, text: str) -> None:
        self._pump.say(text)

    def _leave_if_it_lives(self, member: str, run: int) -> None:
        """It closed its input, but runs on: nobody is to wait for what it will not read."""
        if self._children.pid(member) and self.readers[member] == run:
            self._pump.leave_input(member)

    def _compress(self, wanted: Compress) -> None:
        """By a process of its own, which gives way to all others."""
        from pairvisor.runtime.commands import as_task  # noqa: PLC0415 - few files are compressed

        words = ("nice", "-n", "19", wanted.program, "-c")
        owner, command = as_task(
            f"{wanted.member}/{wanted.program}", Command(words, {"PATH": os.defpath})
        )

        def over(end: Exit) -> None:
            self._pump.do(partial(wanted.done, end.code == 0))
            self._children.kill(owner, lambda _: None)

        silence = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        try:
            stdin = Input(wanted.source)
            self._children.spawn(owner, command, (wanted.target, silence), over, stdin)
        except SpawnError as error:
            over(Exit(error=str(error)))
        finally:
            for descriptor in (wanted.source, wanted.target, silence):
                os.close(descriptor)
