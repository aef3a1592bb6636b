"""A member's standard input: the lines of others.

What its process has not read is still in the pipe when it ends, and the kernel says how much that
is (FIONREAD). So what was written of late is kept, as much as a pipe may hold: the next run's pipe
begins with it, at the beginning of the line in which the last run had stopped to read.
"""

import os
from collections import deque
from collections.abc import Callable
from math import inf
from time import monotonic

from pairvisor.runtime.logs.lines import Data
from pairvisor.runtime.logs.outlet import Account, Keeper, Outlet, Reading, Unread, Waiting
from pairvisor.runtime.logs.pipes import CAPACITY, unread

FIRST_LOOK = 0.002  # seconds after which it is looked whether all was read; then a little later
LAST_LOOK = 0.25


class Input(Outlet):
    """Named by its member."""

    def __init__(self, member: str, keeper: Keeper) -> None:
        super().__init__(member, keeper)
        self._run = 0
        self._pipe = -1  # its write end; the end of a stop lets go of that, and holds `_rest`
        self._rest = -1  # its read end, to know how much is left there
        self._is_broken = False  # nobody reads it any more
        self._sent: deque[tuple[Account, Data]] = deque()  # the last that was written
        self._sent_bytes = 0
        self._on_empty: Callable[[], object] | None = None
        self._pause = FIRST_LOOK

    def begin(self, pipe: int, run: int) -> None:
        """A new process reads this; it gets first what the last one did not."""
        self._take_back()
        self._pipe, self._run, self._is_broken, self.is_over = pipe, run, False, False
        self._on_empty = None
        self.flush()

    def reading(self) -> Reading:
        """For another one: who reads this, and what it may not have read."""
        sent = [Waiting(account.member, bytes(data)) for account, data in self._sent]
        return Reading(self.name, self._run, self._pipe, self._is_broken, self.is_over, sent)

    def go_on(self, reading: Reading, account_of: Callable[[str], Account]) -> None:
        """With what another one has begun."""
        self._pipe, self._run = reading.pipe, reading.run
        self._is_broken, self.is_over = reading.is_broken, reading.is_over
        self._sent.extend((account_of(one.member), one.data) for one in reading.sent)
        self._sent_bytes = sum(len(one.data) for one in reading.sent)

    def leave(self) -> None:
        """The process is over, and none comes by itself."""
        self._take_back()
        self.is_over = True
        self._on_empty, self.retry_at = None, inf

    def end(self, on_empty: Callable[[], object]) -> None:
        """Close it once all is written, and say so when all is read; or when nobody reads."""
        self._on_empty, self._pause = on_empty, FIRST_LOOK
        self.flush()

    def flush(self) -> None:
        super().flush()
        self.retry_at = inf
        if self._on_empty is not None:
            self._end_if_written()

    def _end_if_written(self) -> None:
        if self._pipe >= 0 and not self.queue and not self._is_broken:
            self._rest = os.open(f"/proc/self/fd/{self._pipe}", os.O_RDONLY | os.O_NONBLOCK)
            self._drop_pipe()
        if self._on_empty is not None and (self._is_broken or self._is_read()):
            self._on_empty()
            self._on_empty = None

    def _is_read(self) -> bool:
        if self._rest < 0:
            return self._pipe < 0
        if not unread(self._rest):
            return True
        self.retry_at = monotonic() + self._pause
        self._pause = min(self._pause * 1.5, LAST_LOOK)
        return False

    def write(self, data: Data, start: int) -> int:
        if self._pipe < 0 or self._is_broken:
            return 0
        try:
            return os.write(self._pipe, memoryview(data)[start:])
        except BlockingIOError:
            self._watch(self._pipe)
        except BrokenPipeError:
            self._unwatch()
            self._is_broken = True
            self._keeper.tell(Unread(self.name, self._run))
        return 0

    def _written(self) -> None:
        account, data = self.queue[0]
        super()._written()
        self._sent.append((account, data))
        self._sent_bytes += len(data)
        while self._sent_bytes - len(self._sent[0][1]) >= CAPACITY:
            self._sent_bytes -= len(self._sent.popleft()[1])

    def _take_back(self) -> None:
        """Put what the last process has not read in front of what waits."""
        pipe = self._pipe if self._pipe >= 0 else self._rest
        if pipe < 0:
            return
        left = unread(pipe)
        while left > self._offset and self._sent:
            left -= self._offset
            account, data = self._sent.pop()
            self.queue.appendleft((account, data))
            account.pending += len(data)
            self._offset = len(data)
        self._offset = max(self._offset - left, 0)
        if self._rest < 0 or left:  # else it has read its end, which ends a line, too
            self._back_to_a_line()
        self._sent.clear()
        self._sent_bytes = 0
        self._let_go()

    def _back_to_a_line(self) -> None:
        """To the beginning of the one that was read in part; it may have come in several parts."""
        while not self._begins_here() and self._sent and not _ends_a_line(self._sent[-1][1]):
            account, before = self._sent.pop()
            self.queue.appendleft((account, before))
            account.pending += len(before)
            self._offset = len(before)

    def _begins_here(self) -> bool:
        """Go back to the newline before, in the first of the queue, if there is one."""
        read = bytes(self.queue[0][1])[: self._offset] if self._offset else b""
        self._offset = read.rfind(b"\n") + 1
        return self._offset > 0

    def _drop_pipe(self) -> None:
        self._unwatch()
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1

    def _let_go(self) -> None:
        self._drop_pipe()
        if self._rest >= 0:
            os.close(self._rest)
            self._rest = -1

    def abandon(self) -> None:
        self._take_back()
        super().abandon()

    def close(self) -> None:
        super().close()
        self._let_go()


def _ends_a_line(data: Data) -> bool:
    return data[len(data) - 1] == ord("\n")
