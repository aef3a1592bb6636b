"""The members' output on its way: the one thread beside the loop.

The pump waits on all pipes at once, reads large pieces, keeps the last of them for those who ask
later (`rings`), and hands whole lines to where they belong (`routes`). None of that waits for
anybody: what an outlet does not take is queued, and a member with more in a queue than it may have
is not read until there is room, so that it waits itself. What the loop's thread wants done, it
orders; its own words go the same way.
"""

import os
import select
import sys
import threading  # noqa: TID251 - this is the one thread
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from time import CLOCK_REALTIME, clock_gettime, monotonic
from typing import TYPE_CHECKING

from msgspec import Struct

from pairvisor.manifest.group import Group
from pairvisor.runtime.logs.lines import Lines
from pairvisor.runtime.logs.outlet import Fact, Fault, Outlet, Queue, Reading
from pairvisor.runtime.logs.pipes import enlarge
from pairvisor.runtime.logs.routes import Routes, Way
from pairvisor.runtime.logs.terminal import Terminal, View
from pairvisor.runtime.ring import Stream
from pairvisor.runtime.rings import Kept, Rings

if TYPE_CHECKING:
    from pairvisor.runtime.logs.journal import Journal

PIECE = 1 << 16
LARGE_PIECE = 1 << 17  # from a member that has much to say; more than the caches hold is slower
PIPE = 1 << 18  # bytes that its pipe holds then
AT_ONCE = 4  # pieces of one member before it is the next one's turn
MOST_ORDERS = 10_000  # past which words of our own are not worth the memory
LONGEST_LINE = 1 << 16  # bytes; a longer one may be passed on in pieces
LOSSES = 10.0  # seconds between two words about what one way loses

# Seconds after which the loop's thread asks a busy pump for the interpreter. It loses it again at
# each of its system calls: 10 reads of /proc while a member prints `y` without end took 28 to 31 ms
# at the 99th percentile with Python's own 5 ms, 7 to 14 ms with this, on two busy cores. Less
# gained nothing more, as one bytes.replace can't be interrupted; throughput was the same with all.
TURN = 0.0001

Watch = Callable[[bytes], bool]


class Source(Struct):
    """One pipe's read end. `watch` sees each line until it says that it has seen enough.

    What is left of the member's earlier runs, in `older`, comes before what this one writes.
    """

    member: str
    stream: Stream
    run: int
    rest: bytes = b""
    watch: Watch | None = None
    piece: int = PIECE
    is_paused: bool = False
    older: list[tuple[int, "Source"]] = []


class Pipe(Struct, frozen=True):
    """What a member writes to; `rest` is read already, and no whole line."""

    descriptor: int
    member: str
    stream: Stream
    run: int
    rest: bytes
    is_watched: bool


class Output(Struct, frozen=True):
    """All that a pump hands over, and its rings."""

    pipes: list[Pipe]
    queues: list[Queue]
    readings: list[Reading]
    sequence: int
    written: dict[str, dict[Stream, int]]
    kept: list[Kept]


class Pump:
    """Runs from `start` to `finish`. What may be called from the loop's thread never blocks.

    `view` is how its terminal shows things, if it has one. `journal` names the group whose entries
    go to the journal, as those of a service do.
    """

    def __init__(self, view: View | None, rings: Rings, journal: str = "") -> None:
        self.rings = rings
        self._terminal = Terminal(view, self) if view is not None else None
        self._journal = self._open_journal(journal) if journal else None
        self._routes = Routes(self._terminal, self, self._journal)
        self._sources: dict[int, Source] = {}
        self._blocked: dict[int, Outlet] = {}
        self._paused: set[str] = set()
        self._ending: dict[str, Callable[[], object]] = {}  # readers
        self._losing: dict[int, Way] = {}  # have lost what nobody was told of, by their account
        self._orders: deque[Callable[[], object]] = deque()
        self._epoll = select.epoll()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._bell, select.EPOLLIN)
        self._is_finishing = False
        self._on_left: Callable[[], object] | None = None
        self._has_left = False
        self._settled: Callable[[], object] | None = None
        self._settle_until = inf
        self._listener: Callable[[Fact], object] | None = None
        self._facts: list[Fact] = []  # before anybody listened
        self._last_fault = ""
        self._thread: threading.Thread

    def _open_journal(self, group: str) -> "Journal":
        from pairvisor.runtime.logs.journal import Journal  # noqa: PLC0415 - of services alone

        return Journal(group, self)

    # From the loop's thread.

    def start(self) -> None:
        sys.setswitchinterval(TURN)
        self._thread = threading.Thread(target=self._run, name="pump", daemon=True)
        self._thread.start()

    def adopt(self, group: Group) -> None:
        """Send members' lines where this says, from now on."""
        self._order(lambda: self._adopt(group))

    def attach(self, member: str, stream: Stream, watch: Watch | None = None, run: int = 0) -> int:
        """A pipe's write end, for a child; `watch` sees lines, on the pump's thread."""
        read, write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(read, False)
        source = Source(member, stream, run, watch=watch)
        source.older = self._older_than(member, run)
        self._sources[read] = source
        self._epoll.register(read, select.EPOLLIN)
        return write

    def _older_than(self, member: str, run: int) -> list[tuple[int, Source]]:
        others = list(self._sources.items()) if run > 1 else []
        return [(d, s) for d, s in others if s.member == member and s.run < run]

    def begin_input(self, reader: str, pipe: int, run: int) -> None:
        """A new process of that member reads from this pipe, whose write end is ours now."""
        self._order(lambda: self._routes.inputs[reader].begin(pipe, run))

    def leave_input(self, reader: str) -> None:
        """The member is over, and not about to run again by itself: nobody is to wait for it."""
        self._order(lambda: self._leave(reader))

    def end_input(self, reader: str, on_empty: Callable[[], object]) -> None:
        """Those that it reads are over: close its standard input behind all that they wrote, and,
        on the pump's thread, say when all is read."""
        self._order(lambda: self._ending.update({reader: on_empty}))

    def say(self, text: str, about: str = "") -> None:
        """Where it is about a member's end, behind all that the member had written."""
        if self._terminal is not None and len(self._orders) < MOST_ORDERS:
            self._order(partial(self._say, self._terminal, text, about))

    def progress(self, text: str) -> None:
        if self._terminal is not None and len(self._orders) < MOST_ORDERS:
            self._order(partial(self._terminal.progress, text))

    def note(self, entry: Mapping[str, object]) -> None:
        """An entry for the journal, with these fields, where the supervisor's own go there."""
        if self._journal is not None and len(self._orders) < MOST_ORDERS:
            self._order(partial(self._journal.note, entry))

    @property
    def has_journal(self) -> bool:
        """Whether what has no other place goes there."""
        return self._journal is not None

    def tell_when_through(self, callback: Callable[[], object]) -> None:
        """On the pump's thread, once all that is in the pipes by now has been passed on."""
        self._order(self._drain_all)
        self._order(callback)

    def do(self, order: Callable[[], object]) -> None:
        """On the pump's thread."""
        self._order(order)

    def listen(self, listener: Callable[[Fact], object]) -> None:
        """On the pump's thread, it is told all facts, also those from before."""
        self._order(lambda: self._listen(listener))

    def settle(self, within: float, callback: Callable[[], object]) -> None:
        """The group is over: get rid of what waits, for at most so many seconds. What can't be
        written is lost, and told. Then call that, on the pump's thread."""
        self._order(lambda: self._settle(monotonic() + within, callback))

    def finish(self, within: float) -> None:
        """Pass on what is still in the pipes, for at most so many seconds, and end the thread."""
        self._is_finishing = True
        self._order(lambda: None)
        self._thread.join(within)

    def leave(self, on_left: Callable[[], object]) -> None:
        """End the thread, with all as it is, and call that on it at last: `hand_over` can follow,
        or another `start`."""
        self._order(partial(setattr, self, "_on_left", on_left))

    def go_on(self) -> None:
        """After a `leave` that led to nothing."""
        if self._has_left:
            self._has_left = False
            self._thread.join()
            self.start()

    def hand_over(self) -> Output:
        """After `leave`."""
        self._thread.join()
        while self._orders:
            self._guarded(self._orders.popleft())
        pipes = [
            Pipe(d, s.member, s.stream, s.run, s.rest, s.watch is not None)
            for d, s in self._sources.items()
        ]
        queues = [outlet.hand_over() for outlet in self._all_outlets()]
        readings = [feed.reading() for feed in self._routes.inputs.values()]
        return Output(pipes, queues, readings, *self.rings.hand_over())

    def take_over(self, group: Group, handed: Output, watches: Mapping[str, Watch]) -> None:
        """Go on with what another one has handed over. Before `start`."""
        self.rings.take_over(handed.sequence, handed.written, handed.kept)
        for pipe in handed.pipes:
            watch = watches.get(pipe.member) if pipe.is_watched else None
            source = Source(pipe.member, pipe.stream, pipe.run, pipe.rest, watch)
            source.older = self._older_than(pipe.member, pipe.run)
            self._sources[pipe.descriptor] = source
            self._epoll.register(pipe.descriptor, select.EPOLLIN)
        self._adopt(group)
        for reading in handed.readings:
            feed = self._routes.inputs[reading.member]
            feed.go_on(reading, partial(self._routes.account, feed))
        queues = {queue.outlet: queue for queue in handed.queues}
        for outlet in self._all_outlets():
            if outlet.name in queues:
                outlet.take_over(queues[outlet.name], partial(self._routes.account, outlet))
        self._order(self._begin_again)

    def _all_outlets(self) -> list[Outlet]:
        return [*self._routes.outlets, *([self._terminal] if self._terminal else [])]

    def _order(self, order: Callable[[], object]) -> None:
        self._orders.append(order)
        os.eventfd_write(self._bell, 1)

    # On the pump's own.

    def tell(self, fact: Fact) -> None:
        if self._listener is None:
            self._facts.append(fact)
        else:
            self._listener(fact)

    def watch(self, descriptor: int, outlet: Outlet) -> None:
        self._blocked[descriptor] = outlet
        self._epoll.register(descriptor, select.EPOLLOUT)

    def unwatch(self, descriptor: int) -> None:
        del self._blocked[descriptor]
        self._epoll.unregister(descriptor)

    def _run(self) -> None:
        while not self._is_over():
            ready = [descriptor for descriptor, _ in self._epoll.poll(self._timeout())]
            # An order comes before what its consequences made members say.
            if self._bell in ready:
                os.eventfd_read(self._bell)
                ready.remove(self._bell)
            while self._orders:
                self._guarded(self._orders.popleft())
            for descriptor in ready:
                if descriptor in self._blocked:
                    self._guarded(self._blocked[descriptor].flush)
                elif descriptor in self._sources:
                    self._guarded(partial(self._read_some, descriptor))
            self._guarded(self._catch_up)
        if self._on_left is not None:
            self._tell_losses(inf)
            on_left, self._on_left = self._on_left, None
            self._has_left = True
            on_left()

    def _begin_again(self) -> None:
        for outlet in self._all_outlets():
            outlet.flush()
        for member in {source.member for source in self._sources.values()}:
            if any(way.is_blocked for way in self._routes.of(member)):
                self._pause(member)

    def _is_over(self) -> bool:
        if self._on_left is not None:
            return True
        if not self._is_finishing or self._sources or self._orders:
            return False
        return self._terminal is None or not self._terminal.queue

    def _guarded(self, do: Callable[[], object]) -> None:
        """A fault of ours costs what it was about, no more."""
        try:
            do()
        except Exception as error:
            said = repr(error)
            if said != self._last_fault:
                self._last_fault = said
                self.tell(Fault(said))

    def _timeout(self) -> float | None:
        """Seconds until something is due; None: only when something happens."""
        due = min((outlet.retry_at for outlet in self._routes.outlets), default=inf)
        due = min(due, self._settle_until)
        for way in self._losing.values():
            due = min(due, way.account.told_at + LOSSES)
        return None if due == inf else max(due - monotonic(), 0)

    def _catch_up(self) -> None:
        """What is due, and what has become possible."""
        now = monotonic()
        for outlet in self._routes.outlets:
            if outlet.retry_at <= now:
                outlet.flush()
        for member in list(self._paused):
            if all(way.is_easy for way in self._routes.of(member)):
                self._resume(member)
        self._tell_losses(now - LOSSES)
        for reader in list(self._ending):
            self._end_if_drained(reader)
        if self._settled is not None:
            self._settle_if_done(now)

    def _tell_losses(self, told_before: float) -> None:
        for key, way in list(self._losing.items()):
            if way.account.told_at <= told_before:
                del self._losing[key]
                way.outlet.tell_lost(way.account)

    def _adopt(self, group: Group) -> None:
        self._routes.adopt(group, {source.member for source in list(self._sources.values())})

    def _end_if_drained(self, reader: str) -> None:
        """What its sources wrote may still be in their pipes, also because it is so slow."""
        outlet = self._routes.inputs[reader]
        sources = self._routes.leading_to(outlet)
        for member in sources:
            self._drain(member)
        if self._paused.isdisjoint(sources):
            outlet.end(self._ending.pop(reader))

    def _leave(self, reader: str) -> None:
        self._ending.pop(reader, None)
        if reader in self._routes.inputs:  # a reload may have removed it
            self._routes.inputs[reader].leave()

    def _say(self, terminal: Terminal, text: str, about: str) -> None:
        if about:
            self._drain(about)
        terminal.say(text)

    def _listen(self, listener: Callable[[Fact], object]) -> None:
        self._listener = listener
        facts, self._facts = self._facts, []
        for fact in facts:
            listener(fact)

    def _settle(self, until: float, callback: Callable[[], object]) -> None:
        self._settled, self._settle_until = callback, until
        self._drain_all()
        for outlet in self._routes.outlets:
            outlet.flush()

    def _settle_if_done(self, now: float) -> None:
        waits = [outlet for outlet in self._routes.outlets if outlet.queue]
        if self._settle_until > now and any(outlet.is_slow for outlet in waits):
            return
        if waits:
            self._give_up()
        self._tell_losses(inf)
        self._settle_until = inf
        callback, self._settled = self._settled, None
        if callback is not None:
            callback()

    def _give_up(self) -> None:
        """Count what waits, and what waits in pipes because of that."""
        for outlet in self._routes.outlets:
            outlet.abandon()
            outlet.is_over = True
        for member in list(self._paused):
            self._resume(member)
        self._drain_all()
        for outlet in self._routes.outlets:
            outlet.abandon()

    def _drain_all(self) -> None:
        for member in {source.member for source in list(self._sources.values())}:
            self._drain(member)

    def _drain(self, member: str) -> None:
        """What is in its pipes now; one that still writes, a daemon say, is not waited for."""
        for descriptor, source in list(self._sources.items()):
            if source.member == member:
                self._drain_older(source)
                self._empty(descriptor, source)

    def _read_some(self, descriptor: int) -> None:
        """Some pieces, if there are."""
        source = self._sources[descriptor]
        self._drain_older(source)
        for _ in range(AT_ONCE):
            if source.is_paused or self._read(descriptor, source) < PIECE:
                break

    def _drain_older(self, source: Source) -> None:
        """A tree that is dead writes no more: once its pipe is empty, nothing comes."""
        older, source.older = source.older, []
        for descriptor, other in older:
            self._empty(descriptor, other)
            if other.is_paused:
                source.older.append((descriptor, other))

    def _empty(self, descriptor: int, source: Source) -> None:
        """As much as a pipe can hold, and its end."""
        for _ in range(PIPE // PIECE + 1):
            is_open = self._sources.get(descriptor) is source and not source.is_paused
            if not is_open or not self._read(descriptor, source):
                break

    def _read(self, descriptor: int, source: Source) -> int:
        """Pass one piece on; how long that was, which is 0 at the end, too."""
        try:
            piece = os.read(descriptor, source.piece)
        except BlockingIOError:
            return 0
        if not piece:
            self._epoll.unregister(descriptor)
            del self._sources[descriptor]
            os.close(descriptor)
        self._guarded(partial(self._take, source, piece))
        if len(piece) == PIECE == source.piece:
            source.piece = LARGE_PIECE
            enlarge(descriptor, PIPE)
        return len(piece)

    def _take(self, source: Source, piece: bytes) -> None:
        """Keep it, and pass on the lines that end with it."""
        rest = source.rest
        end = piece.rfind(b"\n") + 1
        left = piece[end:] if end else rest + piece
        is_cut = len(left) > LONGEST_LINE
        ends = bool(left) and (not piece or is_cut)
        source.rest = b"" if ends else left
        if piece or ends:
            self.rings.put(
                source.member, source.run, source.stream, piece, continues=bool(rest), ends=ends
            )
        if end or ends:
            end = len(piece) if ends else end
            at = clock_gettime(CLOCK_REALTIME)
            who = source.member, source.run, source.stream
            self._pass_on(source, Lines(*who, at, rest, piece, end, ends and is_cut))

    def _pass_on(self, source: Source, lines: Lines) -> None:
        if source.watch is not None and _has_seen_enough(source.watch, lines.text):
            source.watch = None
        for way in self._routes.of(source.member):
            if way.outlet.refuses(way.account):
                way.account.lost += lines.count
                self._losing[id(way.account)] = way
                continue
            for data in way.format(lines):
                way.outlet.put(way.account, data)
            if way.is_blocked:
                self._pause(source.member)

    def _pause(self, member: str) -> None:
        """Its pipes fill, and it waits as it would for any reader that is slow."""
        self._paused.add(member)
        for descriptor, source in list(self._sources.items()):
            if source.member == member and not source.is_paused:
                source.is_paused = True
                self._epoll.unregister(descriptor)

    def _resume(self, member: str) -> None:
        self._paused.discard(member)
        for descriptor, source in list(self._sources.items()):
            if source.member == member and source.is_paused:
                source.is_paused = False
                self._epoll.register(descriptor, select.EPOLLIN)


def _has_seen_enough(watch: Watch, text: bytes) -> bool:
    return any(watch(line) for line in text.removesuffix(b"\n").split(b"\n"))
