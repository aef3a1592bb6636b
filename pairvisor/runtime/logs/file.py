"""A file of members' lines: it grows to a size, then it is the first of the older ones.

`shop.log` becomes `shop.log.1`, which becomes `shop.log.2` and so on. All names are changed here,
by rename(2), so a line is never in two files nor in none, whoever looks when. What is compressed
is found again by its inode, since it may have another name by then.

The file is looked for before each write: others may move, remove or truncate it.
"""

import errno
import os
import re
import stat
from contextlib import suppress
from functools import partial
from math import inf
from time import monotonic

from pairvisor.manifest.group import Compression, LogFile
from pairvisor.manifest.paths import lies_in
from pairvisor.runtime.folders import make_common
from pairvisor.runtime.logs.lines import Data
from pairvisor.runtime.logs.outlet import RETRY, Compress, FallibleOutlet, Keeper, Trouble

LONGEST_LINE = 1 << 16  # bytes by which a file may be too long for the sake of one
SUFFIXES = {Compression.GZIP: ".gz", Compression.ZSTD: ".zst"}
MODE = 0o640
FOLDER_MODE = 0o750
OPEN = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class File(FallibleOutlet):
    """`member` is one of those that write there; `folder` is made where it is missing."""

    def __init__(self, spec: LogFile, member: str, folder: str, keeper: Keeper) -> None:
        super().__init__(spec.path, keeper)
        self.spec = spec
        self._member = member
        self._folder = folder
        self._file = -1
        self._identity = (0, 0)
        self._size = 0
        self._is_mid_line = False
        self._compressed = 0  # the inode of the file that is being compressed
        self._rotate_after = -inf  # where it failed, it is not tried at each line

    def write(self, data: Data, start: int) -> int:
        try:
            self._find()
            end = self._end(data, start)
            taken = os.write(self._file, memoryview(data)[start:end])
        except OSError as error:
            return self._failed(error)
        self._size += taken
        self._is_mid_line = data[start + taken - 1] != ord("\n")
        self._works()
        return taken

    def _find(self) -> None:
        """Have the file open that has the name, and know its size."""
        if self._file >= 0:
            with suppress(FileNotFoundError):
                found = os.stat(self.spec.path, follow_symlinks=False)
                if (found.st_dev, found.st_ino) == self._identity:
                    self._size = found.st_size
                    return
        self._let_go()
        self._open()

    def _open(self) -> None:
        path = self.spec.path
        folder = os.path.dirname(path)
        if lies_in(self._folder, folder) and not os.path.isdir(folder):
            make_common(os.path.dirname(self._folder))
            os.makedirs(folder)
            os.chmod(folder, FOLDER_MODE)
        file, is_new = _open_or_make(path)
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            os.close(file)
            raise OSError(errno.EINVAL, "it is not a regular file")
        if is_new:
            os.fchmod(file, MODE)  # whatever umask there is: another thread may set it
        self._file, self._size = file, found.st_size
        self._identity = (found.st_dev, found.st_ino)
        self._is_mid_line = False

    def _end(self, data: Data, start: int) -> int:
        """How far to write into the file that is open, which may be the next one then.

        Files end where a line does, as long as lines are not longer than all reason.
        """
        if not self.spec.max_size or self._size + len(data) - start <= self.spec.max_size:
            return len(data)
        room, data = max(self.spec.max_size - self._size, 0), bytes(data)
        if end := data.rfind(b"\n", start, start + room) + 1:
            return end
        may_end = not self._is_mid_line or self._size >= self.spec.max_size + LONGEST_LINE
        if self._size and may_end:
            return self._end(data, start) if self._rotate() else len(data)
        return data.find(b"\n", start + room) + 1 or len(data)

    def _rotate(self) -> bool:
        """Whether a new file is open; where that can't be, the lines go on in the old one."""
        if monotonic() < self._rotate_after:
            return False
        try:
            self._shift()
        except OSError as error:
            self._rotate_after = monotonic() + 10 * RETRY
            self._keeper.tell(Trouble(self.name, f"cannot be rotated: {error.strerror}"))
            return False
        if self._rotate_after > 0:
            self._rotate_after = -inf
            self._keeper.tell(Trouble(self.name, ""))
        self._let_go()
        self._open()
        self._compress_next()
        return True

    def _shift(self) -> None:
        path, keep = self.spec.path, self.spec.keep
        older = sorted(self._older(), reverse=True)
        for number, suffix in older:
            if number >= keep:
                os.unlink(f"{path}.{number}{suffix}")
            else:
                os.rename(f"{path}.{number}{suffix}", f"{path}.{number + 1}{suffix}")
        if keep:
            os.rename(path, f"{path}.1")
        else:
            os.unlink(path)

    def _older(self) -> list[tuple[int, str]]:
        """The numbers and suffixes of those that are there."""
        folder, name = os.path.split(self.spec.path)
        pattern = re.compile(re.escape(name) + r"\.([1-9]\d{0,5})(\.gz|\.zst|)")
        found = (pattern.fullmatch(entry) for entry in os.listdir(folder))
        return [(int(match[1]), match[2]) for match in found if match]

    def _compress_next(self) -> None:
        """One at a time, the oldest first."""
        if self.spec.compress is Compression.NONE or self._compressed:
            return
        plain = [number for number, suffix in self._older() if not suffix]
        if not plain:
            return
        with suppress(OSError):  # it is tried again at the next rotation
            source = os.open(f"{self.spec.path}.{max(plain)}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                target = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE)
            except OSError:
                os.close(source)
                raise
            os.fchmod(target, MODE)
            self._compressed = os.fstat(source).st_ino
            done = partial(self._compression_over, self._compressed, SUFFIXES[self.spec.compress])
            self._keeper.tell(Compress(self._member, self.spec.compress, source, target, done))

    @property
    def _temporary(self) -> str:
        folder, name = os.path.split(self.spec.path)
        return f"{folder}/.{name}.compressing"

    def _compression_over(self, inode: int, suffix: str, succeeded: bool) -> None:
        """Put it in the place of the plain one, wherever that is by now."""
        self._compressed = 0
        path = self.spec.path
        plain = [f"{path}.{number}" for number, other in self._older() if not other]
        original = next((p for p in plain if os.stat(p).st_ino == inode), None)
        if succeeded and original is not None:
            os.rename(self._temporary, f"{original}{suffix}")
            os.unlink(original)
        else:  # it was older than the oldest that is kept, or it is tried again
            os.unlink(self._temporary)
        if succeeded:
            self._compress_next()

    def close(self) -> None:
        super().close()
        self._let_go()

    def _let_go(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _open_or_make(path: str) -> tuple[int, bool]:
    try:
        return os.open(path, OPEN), False
    except FileNotFoundError:
        return os.open(path, OPEN | os.O_CREAT, MODE), True
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link") from error
        raise
