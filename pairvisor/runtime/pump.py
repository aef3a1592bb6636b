"""The members' output on its way to the terminal: the one thread beside the loop.

The pump waits on all pipes at once, reads large pieces, keeps the last of them for those who ask
later (`rings`), and hands whole lines to a sink. A sink that blocks holds up the pump and, through
full pipes, the members that write; never the supervisor, whose own words go the same way.
Registering and waking are all that the loop's thread does with it.
"""

import os
import select
import sys
import threading  # noqa: TID251 - this is the one thread
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from msgspec import Struct

from pairvisor.runtime.ring import Stream
from pairvisor.runtime.rings import Rings

PIECE = 1 << 16
PIPE = 1 << 20  # bytes that a pipe can hold at most
MOST_WORDS = 10_000  # of our own that wait for a sink that blocks; the oldest go first
LONGEST_LINE = 1 << 16  # bytes; a longer one is passed on in pieces

# Seconds after which the loop's thread asks a busy pump for the interpreter. It loses it again at
# each of its system calls: 10 reads of /proc while a member prints `y` without end took 28 to 31 ms
# at the 99th percentile with Python's own 5 ms, 7 to 14 ms with this, on two busy cores. Less
# gained nothing more, as one bytes.replace can't be interrupted; throughput was the same with all.
TURN = 0.0001


class Sink(Protocol):
    """Where lines go. Called on the pump's thread only; may block."""

    def lines(self, member: str, stream: str, text: bytes) -> None:
        """Whole lines, each with its newline."""

    def say(self, text: str) -> None:
        """A word of the supervisor's own."""

    def progress(self, text: str) -> None:
        """What is waited for; an empty text where nothing is."""


class Source(Struct):
    """One pipe's read end."""

    member: str
    stream: Stream
    run: int
    rest: bytes = b""
    watch: Callable[[bytes], None] | None = None


class Word(Struct):
    """What the supervisor says, in its turn among the members' lines."""

    speak: Callable[[str], None]
    text: str
    about: str = ""


class Pump:
    """Runs from `start` to `finish`; `attach` and `say` may be called before, and never block."""

    def __init__(self, sink: Sink, rings: Rings) -> None:
        self._sink = sink
        self.rings = rings
        self._sources: dict[int, Source] = {}
        self._words: deque[Word] = deque(maxlen=MOST_WORDS)
        self._epoll = select.epoll()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._bell, select.EPOLLIN)
        self._is_finishing = False
        self._thread = threading.Thread(target=self._run, name="pump", daemon=True)

    def start(self) -> None:
        sys.setswitchinterval(TURN)
        self._thread.start()

    def attach(
        self,
        member: str,
        stream: Stream,
        watch: Callable[[bytes], None] | None = None,
        run: int = 0,
    ) -> int:
        """A pipe's write end, for a child; `watch` sees each line, on the pump's thread."""
        read, write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(read, False)
        self._sources[read] = Source(member, stream, run, watch=watch)
        self._epoll.register(read, select.EPOLLIN)
        return write

    def say(self, text: str, about: str = "") -> None:
        """Where it is about a member's end, behind all that the member had written."""
        self._enqueue(Word(self._sink.say, text, about))

    def progress(self, text: str) -> None:
        self._enqueue(Word(self._sink.progress, text))

    def tell_when_through(self, callback: Callable[[], object]) -> None:
        """On the pump's thread, once all that is in the pipes by now has been passed on."""
        self._enqueue(Word(lambda _: self._drain_all(callback), ""))

    def _enqueue(self, word: Word) -> None:
        self._words.append(word)
        os.eventfd_write(self._bell, 1)

    def finish(self, within: float) -> None:
        """Pass on what is still in the pipes, for at most so many seconds, and end the thread."""
        self._is_finishing = True
        os.eventfd_write(self._bell, 1)
        self._thread.join(within)

    def _run(self) -> None:
        while self._sources or self._words or not self._is_finishing:
            ready = [descriptor for descriptor, _ in self._epoll.poll()]
            # A word comes before what its consequences made members say.
            if self._bell in ready:
                os.eventfd_read(self._bell)
                ready.remove(self._bell)
            self._speak()
            for descriptor in ready:
                if descriptor in self._sources:
                    self._read(descriptor)

    def _speak(self) -> None:
        while self._words:
            word = self._words.popleft()
            if word.about:
                self._drain(word.about)
            with suppress(Exception):  # a sink's fault costs what it was given, no more
                word.speak(word.text)

    def _drain(self, member: str) -> None:
        """What is in its pipes now; one that still writes, a daemon say, is not waited for."""
        for descriptor in [d for d, source in self._sources.items() if source.member == member]:
            for _ in range(PIPE // PIECE):
                if not self._read(descriptor):
                    break

    def _drain_all(self, callback: Callable[[], object]) -> None:
        for member in {source.member for source in self._sources.values()}:
            self._drain(member)
        callback()

    def _read(self, descriptor: int) -> bool:
        """Pass one piece on; whether there was any."""
        source = self._sources[descriptor]
        try:
            piece = os.read(descriptor, PIECE)
        except BlockingIOError:
            return False
        with suppress(Exception):  # a sink's fault costs what it was given, no more
            self._take(source, piece)
        if not piece:
            self._epoll.unregister(descriptor)
            del self._sources[descriptor]
            os.close(descriptor)
        return bool(piece)

    def _take(self, source: Source, piece: bytes) -> None:
        """Keep it, and pass on the lines that end with it."""
        continues = bool(source.rest)
        end = piece.rfind(b"\n") + 1
        text = source.rest + piece[:end] if end else b""
        source.rest = piece[end:] if end else source.rest + piece
        ends = bool(source.rest) and (not piece or len(source.rest) > LONGEST_LINE)
        if ends:
            text += source.rest + b"\n"
            source.rest = b""
        if piece or ends:
            self.rings.put(
                source.member, source.run, source.stream, piece, continues=continues, ends=ends
            )
        if text:
            self._pass_on(source, text)

    def _pass_on(self, source: Source, text: bytes) -> None:
        if source.watch is not None:
            for line in text[:-1].split(b"\n"):
                source.watch(line)
        self._sink.lines(source.member, source.stream, text)
