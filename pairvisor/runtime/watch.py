"""Notices changed files, for `up --watch` and `reload.on_change`: whose change it is, once it has
been quiet for a moment.

watchdog reads inotify(7) on threads of its own. Here, on those, a path becomes the name of whom it
concerns (`interest`); on the loop's thread a burst of changes becomes one. What may take long, to
walk a tree or to wait for a thread's end, is done by one more thread, which takes orders.

A folder that a glob looks into may come, go, and be replaced by another of its name. So those above
it are watched too, and whatever happens there makes it look again which folders there are.

This imports watchdog: import it only where files are watched.
"""

import asyncio
import threading  # noqa: TID251 - watchdog has threads; what waits for them must not be the loop
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from queue import SimpleQueue
from time import monotonic
from typing import NamedTuple

from msgspec import Struct
from watchdog import events
from watchdog.observers import Observer

from pairvisor.manifest.group import Group
from pairvisor.runtime import kernel
from pairvisor.runtime.interest import MANIFEST, Concern, Interest
from pairvisor.runtime.watched import Folders, why_not

QUIET = 0.2  # seconds without a further change after which a burst is over
NOTHING = ""  # has changed, as far as is known: only look


class Seen(NamedTuple):
    """A file that has changed, in monotonic seconds not later than this."""

    file: str
    at: float


class Listener(Struct, frozen=True):
    """Who is told, on the loop's thread."""

    changed: Callable[[Concern, Seen], None]  # and the file that changed last
    manifest_changed: Callable[[], None]
    # What can't be watched, a sentence each, whenever that is other than before; empty: all is.
    troubled: Callable[[list[str]], None]
    looked: Callable[[], None] = lambda: None  # it has looked which folders there are


class Bursts:
    """Passes on the last of several notes of one kind, when no more have come for a while."""

    def __init__(
        self,
        call_later: Callable[[float, Callable[[], None]], asyncio.TimerHandle],
        tell: Callable[[Concern, Seen], None],
        quiet: float,
    ) -> None:
        self._call_later = call_later
        self._tell = tell
        self._quiet = quiet
        self._timers: dict[Concern, asyncio.TimerHandle] = {}

    def note(self, kind: Concern, what: Seen) -> None:
        if timer := self._timers.get(kind):
            timer.cancel()
        self._timers[kind] = self._call_later(self._quiet, partial(self._is_quiet, kind, what))

    def _is_quiet(self, kind: Concern, what: Seen) -> None:
        del self._timers[kind]
        self._tell(kind, what)

    def forget(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()


class Watch:
    """From `start` to `stop`, on a running loop's thread.

    `_notice` is called on watchdog's thread, `_work` on the worker's; both reach the loop's by
    `_saw` and `_call` only.
    """

    def __init__(self, interest: Interest, listener: Listener, quiet: float = QUIET) -> None:
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._bursts = Bursts(self._loop.call_later, self._tell, quiet)
        self._interest = interest
        self._seen: deque[tuple[Concern, Seen]] = deque()
        self._is_called = False
        self._is_over = False
        self._orders: SimpleQueue[str | None] = SimpleQueue()
        self._worker: threading.Thread | None = None

    def start(self) -> None:
        try:
            folders = Folders(Observer(), self._notice)
            self._worker = threading.Thread(
                target=self._work, args=(folders,), name="watch", daemon=True
            )
            self._worker.start()
        except OSError as error:
            self._listener.troubled([why_not("files", error)])
        except RuntimeError as error:  # no thread to be had
            self._fail(error)
        # watchdog leaves its descriptor open for children. None has been started meanwhile, as
        # that happens on this thread.
        kernel.keep_descriptors()
        self._orders.put(NOTHING)

    def update(self, group: Group) -> None:
        """Watch what this group has globs for, from now on."""
        old = self._interest
        self._interest = Interest(group, old.manifest, is_developed=old.is_developed)
        self._orders.put(NOTHING)

    def stop(self) -> None:
        """Say nothing more. The threads end by themselves."""
        self._is_over = True
        self._bursts.forget()
        self._orders.put(None)

    def join(self, within: float) -> bool:
        """Whether the threads have ended, as they do after `stop`."""
        if self._worker is None or not self._worker.is_alive():
            return True
        self._worker.join(within)
        return not self._worker.is_alive()

    def _tell(self, whom: Concern, what: Seen) -> None:
        if whom == MANIFEST:
            self._listener.manifest_changed()
        else:
            self._listener.changed(whom, what)

    def _take_seen(self) -> None:
        self._is_called = False
        while self._seen and not self._is_over:
            self._bursts.note(*self._seen.popleft())

    def _fail(self, error: Exception) -> None:
        self._listener.troubled([f"files are not watched any more: {error!r}"])

    def _notice(self, event: events.FileSystemEvent, was: str, now: str) -> None:
        """Something is no more where it `was`, something is new `now`; each may be empty."""
        with self._failing():
            for path in filter(None, (was, now)):
                if not event.is_directory:
                    self._saw(self._interest.concerned(path), path)
                if event.event_type != events.EVENT_TYPE_MODIFIED:
                    self._look_again(path, is_gone=path == was)

    def _look_again(self, path: str, *, is_gone: bool) -> None:
        interest = self._interest
        if interest.is_on_the_way(path):
            self._orders.put(path)
            if is_gone:
                self._saw(interest.concerned_below(path), path)

    def _saw(self, concerned: set[Concern], path: str) -> None:
        self._seen.extend((whom, Seen(path, monotonic())) for whom in concerned)
        if concerned and not self._is_called:
            self._is_called = True
            self._call(self._take_seen)

    def _call(self, callback: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(callback)

    def _call_listener(self, callback: Callable[[], None]) -> None:
        self._call(lambda: None if self._is_over else callback())

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """A thread's fault is told; it would end the thread and nothing else."""
        try:
            yield
        except Exception as error:
            self._call_listener(partial(self._fail, error))

    def _work(self, folders: Folders) -> None:
        told: list[str] = []
        with self._failing():
            folders.start()
            while (changed := self._next_orders()) is not None:
                for file in folders.look(self._interest, changed):
                    self._saw(self._interest.concerned(file), file)
                if told != folders.troubles:
                    told = folders.troubles
                    self._call_listener(partial(self._listener.troubled, told))
                self._call_listener(self._listener.looked)
        folders.stop()

    def _next_orders(self) -> set[str] | None:
        """All that have come: paths where something has changed. None: it is over."""
        orders = {self._orders.get()}
        while not self._orders.empty():
            orders.add(self._orders.get())
        return None if None in orders else {order for order in orders if order}
