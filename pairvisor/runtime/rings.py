"""What the members have written of late, for those who ask for it.

The pump's thread stores what it reads, as it comes. What its lines are is found out by the few who
read, on the loop's thread, and they are the same as the pump's: one ends at a newline, where the
pump has cut one that is too long, and at the end of its pipe.
"""

import threading  # noqa: TID251 - the pump's thread writes, the loop's reads
from collections.abc import Callable, Collection
from contextlib import suppress
from time import CLOCK_REALTIME, clock_gettime
from typing import TYPE_CHECKING

from msgspec import Struct

from pairvisor.runtime.ring import OVERHEAD, Piece, Ring, Stream

if TYPE_CHECKING:
    from pairvisor.record.model import LogLine
    from pairvisor.runtime.reader import Reader

BUDGET = 8 << 20  # bytes for all members
LEAST = 16 << 10  # bytes for one of them, however many there are
MOST = 1 << 20


class Kept(Struct, frozen=True):
    """What is in a member's ring."""

    member: str
    run: int
    previous: int
    pieces: list[Piece]


class Rings:
    """All members'. `wake` is called on the pump's thread, once after each reader's empty take."""

    def __init__(self, members: Collection[str]) -> None:
        self.wake: Callable[[], None] = lambda: None
        self.by_member: dict[str, Ring] = {}
        self.sequence = 0  # of the latest piece
        self.lock = threading.Lock()
        self.is_awaited = False
        self._written: dict[str, dict[Stream, int]] = {}  # also of members that are gone
        self.keep(members)

    def keep(self, members: Collection[str]) -> None:
        """These are the members from now on; what others have written is forgotten."""
        share = min(max(BUDGET // max(len(members), 1), LEAST), MOST)
        with self.lock:
            self.by_member = {name: self._ring(name, share) for name in members}

    def _ring(self, member: str, share: int) -> Ring:
        written = self._written.setdefault(member, {"stdout": 0, "stderr": 0})
        ring = self.by_member.get(member) or Ring(share, written)
        ring.share = share
        ring.trim()
        return ring

    def hand_over(self) -> tuple[int, dict[str, dict[Stream, int]], list[Kept]]:
        """The latest number, how much was written, and what is kept of that."""
        with self.lock:
            kept = [
                Kept(name, ring.run, ring.previous, [*ring.earlier, *ring.present])
                for name, ring in self.by_member.items()
            ]
            return self.sequence, self._written, kept

    def take_over(
        self, sequence: int, written: dict[str, dict[Stream, int]], kept: list[Kept]
    ) -> None:
        """Another one's."""
        self.sequence, self._written = sequence, written
        for one in kept:
            ring = self.by_member.get(one.member)
            if ring is not None:
                ring.written = written[one.member]
                ring.run, ring.previous = one.run, one.previous
                for piece in one.pieces:
                    ring.add(piece)

    def new_run(self, member: str, run: int) -> None:
        """It was spawned: what comes is of this run, and the one before is the previous."""
        with self.lock:
            ring = self.by_member.get(member)
            if ring is not None and ring.run != run:
                ring.begin(run)

    def put(  # noqa: PLR0913 - what the pump knows
        self, member: str, run: int, stream: Stream, data: bytes, *, continues: bool, ends: bool
    ) -> None:
        """Keep what was read. Called on the pump's thread for each read: no work by the line."""
        at = clock_gettime(CLOCK_REALTIME)
        with self.lock:
            ring = self.by_member.get(member)
            if ring is None:
                return
            self.sequence += 1
            start = ring.written[stream]
            ring.written[stream] = start + len(data)
            # One of more than half of the share would leave no room for the runs before.
            cut = len(data) + OVERHEAD - ring.share // 2
            if cut > 0:
                start, data, continues = start + cut, data[cut:], False
            ring.add(Piece(self.sequence, start, at, member, run, stream, data, continues, ends))
            is_awaited, self.is_awaited = self.is_awaited, False
        if is_awaited:
            with suppress(Exception):  # the loop may be over
                self.wake()

    def written(self, member: str) -> int:
        """Bytes, in all its runs, since the supervisor started."""
        return sum(self._written.get(member, {}).values())

    def lines(
        self,
        members: Collection[str] | None = None,
        n: int | None = None,
        since: float | None = None,
        *,
        previous: bool = False,
    ) -> "list[LogLine]":
        """All that `read` has, at once: there may be millions where `n` is not given."""
        reader, lines = self.read(members, n, since, previous=previous), list["LogLine"]()
        while found := reader.take(1000)[0]:
            lines += found
        return lines

    def read(
        self,
        members: Collection[str] | None = None,
        n: int | None = None,
        since: float | None = None,
        *,
        previous: bool = False,
        follows: bool = False,
    ) -> "Reader":
        """A reader of what there is, up to lines that are not finished yet.

        Of these members, or of all; the last `n` lines at most; none from before that time; or
        only what each wrote in the run before its present one.
        """
        from pairvisor.runtime.reader import Reader, Wanted  # noqa: PLC0415 - nobody may ask

        return Reader(self, Wanted(members, n, since, previous, follows))

    def follow(
        self,
        members: Collection[str] | None = None,
        n: int | None = None,
        since: float | None = None,
        *,
        previous: bool = False,
    ) -> "Reader":
        """The same, and it goes on with what comes: of all, also those who are new then."""
        return self.read(members, n, since, previous=previous, follows=True)
