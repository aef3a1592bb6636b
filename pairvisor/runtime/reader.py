"""One who reads what the members have written: a position in their rings, and nothing else.

What it has not taken yet is still there, or lost, and then it learns how much that was. So one
that is slow costs no memory, and holds up nobody.
"""

import heapq
from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct

from pairvisor.record.model import LogLine
from pairvisor.runtime.ring import Line, Piece, Ring, sequence_of

if TYPE_CHECKING:
    from pairvisor.runtime.rings import Rings

AT_ONCE = 256 << 10  # bytes of lines that are taken in one go


class Wanted(Struct, frozen=True):
    """Which lines: see `Rings.read` and `Rings.follow`."""

    members: Collection[str] | None
    n: int | None
    since: float | None
    previous: bool
    follows: bool


class Reader:
    """Made, and its methods run, on the loop's thread."""

    def __init__(self, rings: "Rings", wanted: Wanted) -> None:
        self._rings = rings
        self._wanted = wanted
        self._position = 0  # the last piece that is used up
        self._offsets: dict[tuple[str, str], int] = {}  # bytes of a stream that are taken or lost
        self._dropped: dict[str, int] = {}
        self._unfinished: deque[Line] = deque(maxlen=wanted.n)  # comes last
        with rings.lock:
            self._end = rings.sequence
            self._runs = {name: ring.previous for name, ring in rings.by_member.items()}
            if not wanted.follows:
                self._unfinished.extend(self._all_unfinished())
            last = 0 if wanted.n is None else self._go_back(wanted.n)
            self._note_offsets()
            if last:
                self._skip_to(last)

    def take(self, limit: int) -> tuple[list[LogLine], dict[str, int]]:
        """The next lines, `limit` at most, and how many bytes were lost on the way, by member.

        Nothing means that there is no more. The rings' `wake` tells one that follows when to look
        again.
        """
        with self._rings.lock:
            found = list(self._bounded(limit))
            dropped, self._dropped = self._dropped, {}
            if self._wanted.follows and not found:
                self._rings.is_awaited = True
        return _documents(found), dropped

    def _bounded(self, limit: int) -> Iterator[Line]:
        room = AT_ONCE
        for piece, line in islice(self._left(), limit):
            yield piece, line
            room -= len(line)
            if room <= 0:
                break

    def _left(self) -> Iterator[Line]:
        """All that is left. May be given up after any line: the next call goes on behind it."""
        for piece in self._pieces():
            if piece.sequence > self._end and not self._wanted.follows:
                break
            self._note_lost(piece)
            if self._wants(piece):
                yield from self._lines(piece)
            self._use_up(piece)
        while self._unfinished:
            yield self._unfinished.popleft()

    def _lines(self, piece: Piece) -> Iterator[Line]:
        key = piece.member, piece.stream
        begin = self._offsets[key] - piece.start
        while (end := piece.data.find(b"\n", begin)) >= 0:
            self._offsets[key] = piece.start + end + 1
            yield piece, self._head(piece, begin) + piece.data[begin:end]
            begin = end + 1
        self._use_up(piece)
        if piece.ends:
            yield piece, self._head(piece, begin) + piece.data[begin:]

    def _head(self, piece: Piece, begin: int) -> bytes:
        """What of the line that begins there was in pieces before."""
        if begin or not piece.continues:
            return b""
        return self._rings.by_member[piece.member].before(piece)

    def _all_unfinished(self) -> list[Line]:
        """The lines that nobody has ended."""
        found = [line for ring in self._chosen() for line in ring.unfinished()]
        return sorted(
            (line for line in found if self._wants(line[0])), key=lambda line: line[0].sequence
        )

    def _chosen(self) -> list[Ring]:
        names, rings = self._wanted.members, self._rings.by_member
        if names is None:
            return list(rings.values())
        return [rings[name] for name in names if name in rings]

    def _pieces(self) -> Iterator[Piece]:
        """What is not used up, in the order in which it came."""
        return heapq.merge(*self._parts(), key=sequence_of)

    def _parts(self) -> list[Iterator[Piece]]:
        return [
            islice(part, bisect_right(part, self._position, key=sequence_of), None)
            for ring in self._chosen()
            for part in ring.after(self._position)
        ]

    def _wants(self, piece: Piece) -> bool:
        # A clock that is set back must not hide what comes.
        is_in_time = piece.at >= (self._wanted.since or 0) or piece.sequence > self._end
        return is_in_time and (
            not self._wanted.previous or piece.run == self._runs.get(piece.member)
        )

    def _note_lost(self, piece: Piece) -> None:
        """What its stream had between the last piece taken and this one has rolled out."""
        key = piece.member, piece.stream
        lost = piece.start - self._offsets.setdefault(key, 0)
        if lost > 0:
            self._offsets[key] = piece.start
            self._dropped[piece.member] = self._dropped.get(piece.member, 0) + lost

    def _use_up(self, piece: Piece) -> None:
        self._position = piece.sequence
        self._offsets[piece.member, piece.stream] = piece.end

    def _go_back(self, n: int) -> int:
        """To the piece in which the last n lines begin; of how many it has the end, if not of all.

        Backwards, and without a look at what is before.
        """
        wanted, left = 0, n - len(self._unfinished)
        parts = [reversed(part) for ring in self._chosen() for part in ring.after(0)]
        for piece in heapq.merge(*parts, key=sequence_of, reverse=True):
            if left <= 0:
                self._position = piece.sequence
                break
            if self._wants(piece):
                wanted, left = left, left - piece.lines
        return wanted if left < 0 else 0

    def _note_offsets(self) -> None:
        """Where each stream begins for this reader: what is before that is not lost."""
        for part in self._parts():
            for piece in part:
                key = piece.member, piece.stream
                self._offsets[key] = min(piece.start, self._offsets.get(key, piece.start))
        for member, ring in self._rings.by_member.items():
            for stream, written in ring.written.items():
                self._offsets.setdefault((member, stream), written)

    def _skip_to(self, last: int) -> None:
        """Begin with the last so many lines of the first piece."""
        piece = next(self._pieces())
        newline = len(piece.data)
        for _ in range(last - piece.ends + 1):
            newline = piece.data.rfind(b"\n", 0, newline)
        self._offsets[piece.member, piece.stream] = piece.start + newline + 1


def _documents(lines: list[Line]) -> list[LogLine]:
    """As they are served; the same moment is put into words once."""
    moment, at, documents = -1.0, "", list[LogLine]()
    for piece, line in lines:
        if piece.at != moment:
            moment, at = piece.at, _rfc3339(piece.at)
        message = line.decode(errors="replace")
        documents.append(
            LogLine(at=at, member=piece.member, run=piece.run, stream=piece.stream, message=message)
        )
    return documents


def _rfc3339(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
