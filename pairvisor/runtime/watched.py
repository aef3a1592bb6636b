"""The folders that watchdog watches for `watch`: those that a manifest's globs look into.

watchdog (7.1) reads inotify(7). It walks what is deep, and watches folders that come later; it does
not say where the limit of watches kept it from that, and takes a link for what it is. It speaks in
its log, and in a warning where a new folder is seen twice; both go nowhere here.
"""

import errno
import logging
import os
import warnings
from collections.abc import Callable

from watchdog import events
from watchdog.observers.api import BaseObserver, ObservedWatch

from pairvisor.manifest.paths import lies_in
from pairvisor.runtime.interest import Interest

TOLD = [  # to open, to close and to change attributes is no change
    events.FileCreatedEvent,
    events.FileModifiedEvent,
    events.FileDeletedEvent,
    events.FileMovedEvent,
    events.DirCreatedEvent,
    events.DirDeletedEvent,
    events.DirMovedEvent,
]
ADVICE = {
    errno.ENOSPC: "raise the limit: sysctl fs.inotify.max_user_watches=1048576",
    errno.EMFILE: "raise the limit: sysctl fs.inotify.max_user_instances=1024",
}

Notice = Callable[[events.FileSystemEvent, str, str], None]

logging.getLogger("watchdog").addHandler(logging.NullHandler())  # else it writes to our stderr
logging.getLogger("watchdog").propagate = False


class Folders:
    """The folders that watchdog watches for us. For one thread; `notice` is called on another."""

    def __init__(self, observer: BaseObserver, notice: Notice) -> None:
        self.troubles: list[str] = []
        self._observer = observer
        self._notice = notice
        self._watches: dict[tuple[str, bool], ObservedWatch] = {}
        self._failures: dict[str, OSError] = {}

    def start(self) -> None:
        # A folder below one that has just come may be found by a walk and by an event: no harm.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)
        self._observer.start()

    def stop(self) -> None:
        self._observer.stop()
        self._observer.join()

    def look(self, interest: Interest, changed: set[str]) -> list[str]:
        """Watch what there is by now; the files where something has `changed`, which are new."""
        self._failures.clear()
        self._drop({w for w in self._watches if any(lies_in(path, w[0]) for path in changed)})
        appeared: list[str] = []
        # What comes while we look is seen at the next turn, or by the folder above it.
        while new := self._add(interest.folders()):
            for folder, is_deep in new:
                if any(lies_in(path, folder) for path in changed):
                    appeared += _files(folder, is_deep)
        self._drop(self._watches.keys() - interest.folders().items())
        self.troubles = self._find_troubles(interest)
        return appeared

    def _add(self, wanted: dict[str, bool]) -> list[tuple[str, bool]]:
        new = [w for w in wanted.items() if w not in self._watches and w[0] not in self._failures]
        for folder, is_deep in new:
            try:
                self._watches[folder, is_deep] = self._watch(folder, is_deep)
            except OSError as error:
                self._failures[folder] = error
        return new

    def _watch(self, folder: str, is_deep: bool) -> ObservedWatch:
        # inotify is told not to follow links, and would watch the link itself.
        real = os.path.realpath(folder)
        if not os.access(real, os.R_OK | os.X_OK):  # watchdog doesn't say so
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        handler = _Handler(real, folder, self._notice)
        return self._observer.schedule(handler, real, recursive=is_deep, event_filter=TOLD)

    def _drop(self, watches: set[tuple[str, bool]]) -> None:
        for watch in watches:
            self._observer.unschedule(self._watches.pop(watch))

    def _find_troubles(self, interest: Interest) -> list[str]:
        there = {f: e for f, e in self._failures.items() if not isinstance(e, FileNotFoundError)}
        troubles = [why_not(folder, error) for folder, error in there.items()]
        if not there and (error := self._find_limit()):
            troubles.append(why_not("all folders", error))
        return troubles + [f"nothing to watch at {path} yet" for path in interest.missing()]

    def _find_limit(self) -> OSError | None:
        """Why folders deep in a tree may not be watched: try one more."""
        try:
            nobody = events.FileSystemEventHandler()
            watch = self._observer.schedule(nobody, "/", event_filter=[events.DirDeletedEvent])
            self._observer.unschedule(watch)
        except OSError as error:
            return error if error.errno in ADVICE else None
        return None


class _Handler(events.FileSystemEventHandler):
    """Tells what happens in a `real` folder by the name under which the manifest knows it."""

    def __init__(self, real: str, spelled: str, notice: Notice) -> None:
        self._real = real
        self._spelled = spelled
        self._notice = notice

    def dispatch(self, event: events.FileSystemEvent) -> None:
        here, there = self._path(event.src_path), self._path(event.dest_path)
        is_gone = event.event_type in (events.EVENT_TYPE_MOVED, events.EVENT_TYPE_DELETED)
        self._notice(event, here if is_gone else "", there or ("" if is_gone else here))

    def _path(self, told: str | bytes) -> str:
        path = os.fsdecode(told)
        return path if not path else self._spelled + path[len(self._real) :]


def _files(folder: str, is_deep: bool) -> list[str]:
    """Those in a folder, and below it if it is deep."""
    found: list[str] = []
    for at, _, names in os.walk(folder):
        found += (f"{at}/{name}" for name in names)
        if not is_deep:
            break
    return found


def why_not(what: str, error: OSError) -> str:
    advice = f" ({ADVICE[error.errno]})" if error.errno in ADVICE else ""
    return f"cannot watch {what}: {error.strerror}{advice}"
