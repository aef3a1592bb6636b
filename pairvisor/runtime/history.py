"""The group's events and its last result, in its state folder: they outlive the supervisor.

Events are lines of JSON, appended once a turn of the loop and not synced: what a kill of the
machine tears is a line that reading skips. At a megabyte the file becomes the older half, and the
half before that is gone. A disk that takes nothing stops nobody: what could not be written waits
in memory, as far as that is bounded, and goes out with the next event that can be.
"""

import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import msgspec
from msgspec import Struct

from pairvisor.record.model import Event, Status

EVENTS = "events.jsonl"
OLDER = "events.1.jsonl"
RESULT = "result.json"
LARGEST = 1 << 20  # bytes of one file of events
KEPT = 1000  # events in memory
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Result(Struct, frozen=True, kw_only=True):
    """What result.json says: `status` is missing while a supervisor runs, or when it was killed."""

    status: Status | None = None


class History:
    """The writing side. Nothing here raises for what a disk does: see `degraded`."""

    def __init__(self, folder: str) -> None:
        self.degraded: list[str] = []
        self._folder = folder
        self._descriptor = -1
        self._is_torn = False  # the last line was not written whole
        self._pending: deque[bytes] = deque(maxlen=KEPT)
        events, skipped = read_events(folder)
        self._kept: deque[Event] = deque(events[-KEPT:], KEPT)
        self.last_id = max((event.id for event in events), default=0)
        self.skipped = skipped
        self._try(self._note_running)

    def add(self, event: Event) -> None:
        """Keep it; `flush` writes it."""
        self.last_id = max(self.last_id, event.id)
        self._kept.append(event)
        self._pending.append(msgspec.json.encode(event) + b"\n")

    def since(self, number: int) -> list[Event]:
        """All with a larger number, the oldest first, as far as memory has them."""
        return [event for event in self._kept if event.id > number]

    def flush(self) -> None:
        """Write what has been added since."""
        if self._pending:
            self._try(self._write)

    def finish(self, status: Status) -> None:
        """The result, on the disk before this returns."""
        self.flush()
        self._try(lambda: self._put_result(Result(status=status), is_last=True))

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except OSError as error:
            self._close()
            self.degraded = [f"events are not kept in {self._folder}: {error.strerror}"]
        else:
            self.degraded = []

    def _write(self) -> None:
        self._open()
        data = (b"\n" if self._is_torn else b"") + b"".join(self._pending)
        written = os.write(self._descriptor, data) - self._is_torn
        self._is_torn = written < 0 and self._is_torn
        while self._pending and written >= len(self._pending[0]):
            written -= len(self._pending.popleft())
        if self._pending:
            self._is_torn = self._is_torn or written > 0
            # The kernel says why at the next call; there is one as soon as there is an event.
            raise OSError(28, "No space left on device")
        if os.fstat(self._descriptor).st_size > LARGEST:
            self._rotate()

    def _open(self) -> None:
        """The file that is there by that name: somebody may have removed it, or its folder."""
        if self._descriptor >= 0:
            with suppress(OSError):
                named = os.stat(f"{self._folder}/{EVENTS}", follow_symlinks=False)
                if os.path.samestat(named, os.fstat(self._descriptor)):
                    return
            self._close()
        folder = open_folder(self._folder)
        try:
            self._descriptor = os.open(EVENTS, APPEND, 0o600, dir_fd=folder)
        finally:
            os.close(folder)
        self._is_torn = not _ends_whole(f"{self._folder}/{EVENTS}")

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _rotate(self) -> None:
        self._close()
        os.rename(f"{self._folder}/{EVENTS}", f"{self._folder}/{OLDER}")

    def _note_running(self) -> None:
        self._put_result(Result(), is_last=False)

    def _put_result(self, result: Result, *, is_last: bool) -> None:
        """Under another name first: whoever reads it sees the old one or the new one."""
        folder = open_folder(self._folder)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            file = os.open(f"{RESULT}.new", flags, 0o600, dir_fd=folder)
            try:
                data = msgspec.json.encode(result)
                if os.write(file, data) < len(data):
                    raise OSError(28, "No space left on device")
                if is_last:
                    os.fsync(file)
            finally:
                os.close(file)
            os.rename(f"{RESULT}.new", RESULT, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            os.close(folder)


def open_folder(path: str) -> int:
    """The state folder's descriptor, made where it is missing. Raises OSError."""
    with suppress(FileNotFoundError):
        return _open_own(path)
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    with suppress(FileExistsError):
        os.mkdir(path, 0o700)
    return _open_own(path)


def _open_own(path: str) -> int:
    folder = os.open(path, FOLDER)
    about = os.fstat(folder)
    if about.st_uid != os.geteuid() or about.st_mode & stat.S_IWOTH:
        os.close(folder)
        raise PermissionError(1, "it is another user's, or others may write to it")
    return folder


def read_events(folder: str) -> tuple[list[Event], int]:
    """What the folder has, the oldest first, and how many lines could not be read."""
    events: list[Event] = []
    skipped = 0
    for name in (OLDER, EVENTS):
        for line in _lines(f"{folder}/{name}"):
            try:
                events.append(_DECODER.decode(line))
            except (msgspec.MsgspecError, ValueError):
                skipped += 1
    return _in_order(events), skipped


def read_result(folder: str) -> Result | None:
    """None where there is none, or none that can be read."""
    try:
        return msgspec.json.decode(_read(f"{folder}/{RESULT}"), type=Result)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None


_DECODER = msgspec.json.Decoder(Event)


def _in_order(events: Iterable[Event]) -> list[Event]:
    """Numbers only grow: what a flipped bit made of one is not believed."""
    found: list[Event] = []
    for event in events:
        if not found or event.id > found[-1].id:
            found.append(event)
    return found


def _lines(path: str) -> Iterator[bytes]:
    with suppress(OSError):
        yield from filter(None, _read(path).split(b"\n"))


def _read(path: str) -> bytes:
    """The file's end, no more than one that we wrote can be."""
    file = os.open(path, READ)
    try:
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode):
            return b""
        start = max(about.st_size - 2 * LARGEST, 0)
        return os.pread(file, 2 * LARGEST, start)
    finally:
        os.close(file)


def _ends_whole(path: str) -> bool:
    data = b""
    with suppress(OSError):
        data = _read(path)
    return not data or data.endswith(b"\n")
