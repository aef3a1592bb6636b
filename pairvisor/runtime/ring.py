"""The last of what one member has written, bounded in bytes, the objects that hold them included.

It is kept in pieces, as the pump has read them, and nobody looks into one before somebody asks. All
members' pieces are numbered in one sequence, which is the order in which they came, whatever the
wall clock does.

Half of a ring at most is for the member's earlier runs: so a run that floods it leaves the last
words of the one before.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from operator import attrgetter
from typing import Literal

from msgspec import Struct

Stream = Literal["stdout", "stderr"]

OVERHEAD = 256  # bytes of a piece beside its data: objects, numbers, what malloc rounds up


class Piece(Struct, frozen=True, gc=False):
    """What one read brought, of one run of a member. `start` counts the stream's bytes before."""

    sequence: int
    start: int
    at: float
    member: str
    run: int
    stream: Stream
    data: bytes
    continues: bool  # it goes on with a line that was begun before
    ends: bool  # its last line is over, without a newline

    @property
    def end(self) -> int:
        return self.start + len(self.data)

    @property
    def lines(self) -> int:
        """How many end in it."""
        return self.data.count(b"\n") + self.ends

    @property
    def is_unfinished(self) -> bool:
        """Whether its last line goes on, or will."""
        return not self.ends and not self.data.endswith(b"\n")


Line = tuple[Piece, bytes]  # with the piece in which it ends

sequence_of = attrgetter("sequence")


class Pieces(deque[Piece]):
    """Some, the oldest first, and what they weigh."""

    weight = 0

    def add(self, piece: Piece) -> None:
        self.append(piece)
        self.weight += len(piece.data) + OVERHEAD

    def trim(self, most: int) -> None:
        while self.weight > most:
            self.weight -= len(self.popleft().data) + OVERHEAD


class Ring:
    """One member's. `written` counts the bytes of each stream, also those that are lost."""

    def __init__(self, share: int, written: dict[Stream, int]) -> None:
        self.share = share
        self.written = written
        self.run = 0
        self.previous = -1  # the run before; there was none
        self.present = Pieces()
        self.earlier = Pieces()

    def begin(self, run: int) -> None:
        """What comes is of this run."""
        self.previous, self.run = self.run, run
        # The pump may come to the end of a run after it has come to the beginning of the next.
        both = sorted((*self.earlier, *self.present), key=sequence_of)
        self.earlier, self.present = Pieces(), Pieces()
        for piece in both:
            self.earlier.add(piece)
        self.trim()

    def add(self, piece: Piece) -> None:
        if piece.run > self.run:
            self.begin(piece.run)
        (self.present if piece.run == self.run else self.earlier).add(piece)
        self.trim()

    def trim(self) -> None:
        self.earlier.trim(self.share // 2)
        self.present.trim(self.share - self.earlier.weight)

    def after(self, sequence: int) -> list[Pieces]:
        """Those of its two parts that have anything later than that."""
        parts = (self.earlier, self.present)
        return [pieces for pieces in parts if pieces and pieces[-1].sequence > sequence]

    def before(self, piece: Piece) -> bytes:
        """How the line begins that the piece goes on with, as far as that is still there."""
        parts: list[bytes] = []
        for other in self._earlier_than(piece):
            if (other.stream, other.run) == (piece.stream, piece.run):
                begin = other.data.rfind(b"\n") + 1
                parts.append(other.data[begin:])
                if begin or not other.continues:
                    break
        return b"".join(reversed(parts))

    def _earlier_than(self, piece: Piece) -> Iterator[Piece]:
        """The latest first, of the same run at least."""
        pieces = self.present if piece.run == self.run else self.earlier
        index = bisect_left(pieces, piece.sequence, key=sequence_of)
        return (pieces[i] for i in range(index - 1, -1, -1))

    def unfinished(self) -> list[Line]:
        """The lines in the middle of which a stream has stopped."""
        parts = (self.earlier, self.present)
        last = [_last(part, stream) for part in parts for stream in self.written]
        return [(piece, self._tail(piece)) for piece in last if piece and piece.is_unfinished]

    def _tail(self, piece: Piece) -> bytes:
        begin = piece.data.rfind(b"\n") + 1
        head = self.before(piece) if piece.continues and not begin else b""
        return head + piece.data[begin:]


def _last(pieces: Pieces, stream: Stream) -> Piece | None:
    return next((piece for piece in reversed(pieces) if piece.stream == stream), None)
