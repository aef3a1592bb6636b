"""The group's events and its last result, in its state folder: they outlive the supervisor.

Events are lines of JSON, appended once a turn of the loop and not synced: what a kill of the
machine tears is a line that reading skips. At a megabyte the file becomes the older half, and the
half before that is gone. A disk that takes nothing stops nobody: what could not be written waits
in memory, as far as that is bounded, and goes out with the next event that can be.

The result says that the group runs until it says how that ended. It takes a block of the disk from
the beginning, so that a group that fails because the disk is full can say so at the end.
"""

import os
import stat
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise, takewhile

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pairvisor.record.model import Event, Status
from pairvisor.runtime.folders import make_common

EVENTS = "events.jsonl"
OLDER = "events.1.jsonl"
RESULT = "result.json"
NEW_RESULT = "result.json.new"
LARGEST = 1 << 20  # bytes of one file of events
KEPT = 1000  # events in memory
TAIL = 1 << 18  # bytes: that many events, and some more
LARGEST_RESULT = 1 << 25  # bytes: of thousands of members
BLOCK = 4096  # bytes, of which a disk gives at least one
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Whatever lies there by that name: nobody waits for a FIFO's other side.
SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | SAFE
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | SAFE


class Result(Struct, frozen=True, kw_only=True):
    """What result.json says: no `status` while a supervisor runs, or when it was killed."""

    status: Status | None


class DamagedError(Exception):
    """There is a result that can't be read."""


class History:
    """The writing side. Nothing here raises for what a disk does: see `degraded`.

    `lost` lines of what had been written before could not be read.
    """

    def __init__(self, folder: str) -> None:
        self.degraded: list[str] = []
        self._folder = folder
        self._descriptor = -1
        self._is_torn = False  # the last line was not written whole
        self._is_noted = False  # that the group runs
        self._pending: deque[bytes] = deque(maxlen=KEPT)
        events, self.lost = read_events(folder, TAIL)
        if not events:
            events, self.lost = read_events(folder)
        self._kept: deque[Event] = deque(events, KEPT)
        self.last_id = events[-1].id if events else 0
        self._try(self._note_running)

    def add(self, event: Event) -> None:
        """Keep it; `flush` writes it."""
        self.last_id = max(self.last_id, event.id)
        self._kept.append(event)
        self._pending.append(msgspec.json.encode(event) + b"\n")

    def since(self, number: int) -> list[Event]:
        """All with a larger number, the oldest first, as far as memory has them."""
        found = list(takewhile(lambda event: event.id > number, reversed(self._kept)))
        found.reverse()
        return found

    def all(self) -> list[Event]:
        """What is known at all: of what memory has forgotten, what the disk has."""
        kept = list(self._kept)
        first = kept[0].id if kept else 1
        if first == 1:
            return kept
        return [event for event in read_events(self._folder)[0] if event.id < first] + kept

    def flush(self) -> None:
        """Write what has been added since."""
        if self._pending:
            self._try(self._write)

    def finish(self, status: Status) -> None:
        """The result, on the disk before this returns."""
        self.flush()
        self._try(lambda: self._put(Result(status=status)))

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except OSError as error:
            self._close()
            self._is_noted = False
            self.degraded = [f"events are not kept in {self._folder}: {error.strerror}"]
        else:
            self.degraded = []

    def _write(self) -> None:
        self._open()
        lead = b"\n" if self._is_torn else b""
        data = memoryview(lead + b"".join(self._pending))
        written = -len(lead)
        try:
            while data:  # what is left of a short write fails, and that says why
                count = os.write(self._descriptor, data)
                data, written = data[count:], written + count
        finally:
            self._forget(written)
        self._is_torn = False
        if not self._is_noted:
            self._note_running()

    def _forget(self, written: int) -> None:
        """So many bytes need not be written again, but a part of a line must be."""
        while self._pending and written >= len(self._pending[0]):
            written -= len(self._pending.popleft())

    def _open(self) -> None:
        """The file that is there by that name, or a new one."""
        if self._descriptor >= 0 and self._is_there():
            return
        self._close()
        folder = open_folder(self._folder)
        try:
            self._descriptor = _open_file(EVENTS, APPEND, folder)
            if os.fstat(self._descriptor).st_size >= LARGEST:
                self._close()
                os.rename(EVENTS, OLDER, src_dir_fd=folder, dst_dir_fd=folder)
                self._descriptor = _open_file(EVENTS, APPEND, folder)
        finally:
            os.close(folder)
        size = os.fstat(self._descriptor).st_size
        self._is_torn = size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n"

    def _is_there(self) -> bool:
        """Whether it still has its name, and is not full. Somebody may have removed its folder."""
        own = os.fstat(self._descriptor)
        with suppress(OSError):
            named = os.stat(f"{self._folder}/{EVENTS}", follow_symlinks=False)
            if os.path.samestat(named, own):
                return own.st_size < LARGEST
        self._is_noted = False
        return False

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _note_running(self) -> None:
        self._put(Result(status=None))
        self._is_noted = True

    def _put(self, result: Result) -> None:
        folder = open_folder(self._folder)
        try:
            _put_result(result, folder)
        except OSError:
            with suppress(OSError):
                os.unlink(NEW_RESULT, dir_fd=folder)
            with suppress(OSError):
                _overwrite_result(result, folder)
            raise
        finally:
            os.close(folder)


def _put_result(result: Result, folder: int) -> None:
    """Under another name first: whoever reads it sees the old one or the new one."""
    with suppress(FileNotFoundError):
        os.unlink(NEW_RESULT, dir_fd=folder)
    file = _open_file(NEW_RESULT, CREATE, folder)
    try:
        _write_all(file, _padded(result))
        if result.status is not None:
            os.fsync(file)
    finally:
        os.close(file)
    os.rename(NEW_RESULT, RESULT, src_dir_fd=folder, dst_dir_fd=folder)


def _overwrite_result(result: Result, folder: int) -> None:
    """Where it is, with no byte more than it has: a full disk takes that, too."""
    if result.status is not None:
        result = Result(status=replace(result.status, members=[], last_lines=[]))
    file = _open_file(RESULT, os.O_RDWR | SAFE, folder)
    try:
        size, data = os.fstat(file).st_size, _padded(result)
        if len(data) <= size:
            _write_all(file, data.ljust(size))
    finally:
        os.close(file)


def _padded(result: Result) -> bytes:
    """JSON may end in blanks."""
    return msgspec.json.encode(result).ljust(BLOCK)


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def open_folder(path: str) -> int:
    """The state folder's descriptor, made where it is missing. Raises OSError."""
    with suppress(FileNotFoundError):
        return _open_own(path)
    make_common(os.path.dirname(path))
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


def _open_file(name: str, flags: int, folder: int) -> int:
    """A file of our own. Raises OSError."""
    file = os.open(name, flags, 0o600, dir_fd=folder)
    about = os.fstat(file)
    if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid():
        os.close(file)
        raise PermissionError(1, f"{name} is not a file, or is another user's")
    return file


# Reading


def read_events(folder: str, most: int = 4 * LARGEST) -> tuple[list[Event], int]:
    """What the folder has, the oldest first, and how many lines could not be read.

    Of the latest, no more than `most` bytes.
    """
    found: list[Event] = []
    lost = 0
    newer = _read(f"{folder}/{EVENTS}", most)
    older = _read(f"{folder}/{OLDER}", most - len(newer)) if len(newer) < most else b""
    for line in filter(None, (older + b"\n" + newer).split(b"\n")):
        try:
            found.append(_DECODER.decode(line))
        except (msgspec.MsgspecError, ValueError):
            lost += 1
    events = _in_order(found)
    return events, lost + len(found) - len(events)


def read_result(folder: str) -> Result | None:
    """None where there is none. Raises DamagedError where it can't be read."""
    path = f"{folder}/{RESULT}"
    data = _read(path, LARGEST_RESULT)
    if not data and not os.path.lexists(path):
        return None
    try:
        return msgspec.json.decode(data, type=Result)
    except (msgspec.MsgspecError, ValueError):
        raise DamagedError(f"cannot read {path}: it is damaged") from None


_DECODER = msgspec.json.Decoder(Event)


def _in_order(events: list[Event]) -> list[Event]:
    """Numbers only grow. What a flipped bit made of one is not believed."""
    if all(one.id < other.id for one, other in pairwise(events)):
        return events
    fitting = events[:1]
    for event, after in pairwise(events[1:]):
        if not _is_amiss(fitting[-1].id, event.id, after.id):
            fitting.append(event)
    return _longest_row([*fitting, events[-1]])


def _is_amiss(before: int, number: int, after: int) -> bool:
    """Whether its neighbours fit together, and it doesn't fit in."""
    return before < after and not before < number < after


def _longest_row(events: list[Event]) -> list[Event]:
    """Those that most others fit together with, by patience sorting."""
    lows: list[int] = []  # the lowest number that a row of so many can end with …
    ends: list[int] = []  # … and whose that is
    before: list[int] = []
    for place, event in enumerate(events):
        length = bisect_left(lows, event.id)
        before.append(ends[length - 1] if length else -1)
        lows[length : length + 1] = [event.id]
        ends[length : length + 1] = [place]
    row: list[Event] = []
    place = ends[-1]
    while place >= 0:
        row.append(events[place])
        place = before[place]
    return row[::-1]


def _read(path: str, most: int) -> bytes:
    """Whole lines from the file's end, in no more than so many bytes; nothing where it can't be."""
    try:
        file = os.open(path, os.O_RDONLY | SAFE)
    except OSError:
        return b""
    try:
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode):
            return b""
        start = max(about.st_size - most, 0)
        data = os.pread(file, most, start)
        return data.partition(b"\n")[2] if start else data
    except OSError:
        return b""
    finally:
        os.close(file)
