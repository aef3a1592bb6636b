"""Where lines go: a queue before something that may not take what it is given.

Nothing here blocks. What is not taken waits; how much of a member's may wait, and what comes of
more, says its account. All of it belongs to the pump's thread.
"""

from collections import deque
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Protocol

from msgspec import Struct

from pairvisor.runtime.logs.lines import Data

RETRY = 1.0  # seconds after which what failed is tried again


class Account(Struct):
    """What of one member waits before one outlet, in bytes as they are written there."""

    member: str
    limit: int
    drops: bool  # what is more than that, instead of letting the member wait
    pending: int = 0
    lost: int = 0  # lines, that nobody was told of yet
    told_at: float = -inf  # when somebody was, on the monotonic clock


class Trouble(Struct, frozen=True):
    """An outlet takes nothing, and why; it is over where that is empty."""

    where: str
    why: str


class Lost(Struct, frozen=True):
    """Lines of a member that did not come through, since the last time that this was said."""

    member: str
    where: str
    lines: int


class Unread(Struct, frozen=True):
    """A run of a reader has closed its standard input, by its end or before."""

    member: str
    run: int


class Fault(Struct, frozen=True):
    """A mistake of ours that cost an outlet what it was given."""

    error: str


class Compress(Struct, frozen=True):
    """A rotated file is to be compressed by a process of its own; then `done` is called, on the
    pump's thread, with whether it was. The descriptors are the process's from here on."""

    member: str
    program: str
    source: int
    target: int
    done: Callable[[bool], None]


Fact = Trouble | Lost | Unread | Fault | Compress


class Waiting(Struct, frozen=True):
    """What of a member was to be written somewhere."""

    member: str
    data: bytes


class Queue(Struct, frozen=True):
    """What waits before an outlet, by its name; so many bytes of the first are written."""

    outlet: str
    waiting: list[Waiting]
    offset: int


class Reading(Struct, frozen=True):
    """What a member reads from, and what of that it may not have read."""

    member: str
    run: int
    pipe: int
    is_broken: bool
    is_over: bool
    sent: list[Waiting]


class Keeper(Protocol):
    """Whose outlets they are: the pump."""

    def tell(self, fact: Fact) -> None:
        """Let the supervisor know."""

    def watch(self, descriptor: int, outlet: "Outlet") -> None:
        """Flush the outlet when it can be written to."""

    def unwatch(self, descriptor: int) -> None:
        """No more; it may be closed after this."""


class Outlet:
    """`name` is what people are told. An heir says how to write, and when to try again."""

    def __init__(self, name: str, keeper: Keeper) -> None:
        self.name = name
        self.retry_at = inf  # when to flush it without being told, on the monotonic clock
        self.is_over = False  # nothing will take what waits: nobody is to wait for that
        self.queue: deque[tuple[Account, Data]] = deque()
        self._offset = 0  # bytes of the first in the queue that are written
        self._watched = -1
        self._keeper = keeper

    def refuses(self, account: Account) -> bool:
        """Whether lines of that member are lost: enough of them waits, and nobody is to wait."""
        return account.pending >= account.limit and (account.drops or self.is_over)

    @property
    def is_slow(self) -> bool:
        """Whether it is about to take more; else it has failed, or nobody is there."""
        return self._watched >= 0

    def put(self, account: Account, data: Data) -> None:
        """Write it, or keep it, also where that makes it more than its limit."""
        self.queue.append((account, data))
        account.pending += len(data)
        if len(self.queue) == 1:
            self.flush()

    def is_full(self, account: Account) -> bool:
        """Whether the member has to wait."""
        return account.pending >= account.limit and not (account.drops or self.is_over)

    def flush(self) -> None:
        """Write what it takes by now."""
        while self.queue:
            data = self.queue[0][1]
            taken = self.write(data, self._offset)
            if not taken:
                return
            self._offset += taken
            if self._offset == len(data):
                self._written()
        self._unwatch()

    def _written(self) -> None:
        """The first in the queue is."""
        account, data = self.queue.popleft()
        account.pending -= len(data)
        self._offset = 0

    def write(self, data: Data, start: int) -> int:
        """Write from `start` on, without waiting: how many bytes were taken."""
        raise NotImplementedError

    def _watch(self, descriptor: int) -> None:
        """It would block: go on when it doesn't."""
        if self._watched != descriptor:
            self._unwatch()
            self._keeper.watch(descriptor, self)
            self._watched = descriptor

    def _unwatch(self) -> None:
        if self._watched >= 0:
            self._keeper.unwatch(self._watched)
            self._watched = -1

    def abandon(self) -> None:
        """Nothing will take what waits: say how much that is."""
        accounts = {id(account): account for account, _ in self.queue}
        for account, data in self.queue:
            account.lost += self.lines_in(memoryview(data)[self._offset :])
            account.pending = self._offset = 0
        self.queue.clear()
        for account in accounts.values():
            self.tell_lost(account)

    def lines_in(self, data: Data) -> int:
        """How many lines of a member's it has, as it is written there."""
        left = bytes(data)
        return left.count(b"\n") + (not left.endswith(b"\n"))

    def tell_lost(self, account: Account) -> None:
        self._keeper.tell(Lost(account.member, self.name, account.lost))
        account.lost = 0
        account.told_at = monotonic()

    def hand_over(self) -> Queue:
        """For another one, of the same name."""
        return Queue(self.name, [Waiting(a.member, bytes(d)) for a, d in self.queue], self._offset)

    def take_over(self, queue: Queue, account_of: Callable[[str], Account]) -> None:
        """It comes before what is put here from now on; `flush` begins with it."""
        for waiting in queue.waiting:
            account = account_of(waiting.member)
            self.queue.append((account, waiting.data))
            account.pending += len(waiting.data)
        self._offset = queue.offset

    def close(self) -> None:
        """Let go of what it has open."""
        self._unwatch()


class FallibleOutlet(Outlet):
    """One that is tried again after a failure, which is told once, and its end."""

    def __init__(self, name: str, keeper: Keeper) -> None:
        super().__init__(name, keeper)
        self._why = ""  # it takes nothing

    def _failed(self, error: OSError) -> int:
        """Nothing was taken."""
        why = error.strerror or str(error)
        self.retry_at = monotonic() + RETRY
        if why != self._why:
            self._why = why
            self._keeper.tell(Trouble(self.name, why))
        return 0

    def _works(self) -> None:
        if self._why:
            self._why, self.retry_at = "", inf
            self._keeper.tell(Trouble(self.name, ""))
