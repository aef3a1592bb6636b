"""The group's folders while it runs: made, locked, swept and removed.

The lock is an flock, so one that a dead supervisor held blocks nobody. Folders are opened without
following links; removal works beneath the group's folder and on its device only, so a link that a
member puts there leads nowhere.
"""

import errno
import fcntl
import os
import stat
from contextlib import suppress

from pairvisor.manifest.group import Places

SHARED = 0o2770  # what members put there belongs to the folder's group
PASSABLE = 0o750  # of the runtime folder: its group passes through, whatever our umask
LOCK = "lock"


class AlreadyRunningError(Exception):
    """Another supervisor holds the group's lock."""


class UnsafeFolderError(Exception):
    """A folder where ours should be is somebody else's, or no folder."""


class Folders:
    """The folders of one group, from `claim` to `release`."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.lock = -1
        self._folder = -1

    def claim(self) -> None:
        """Make the runtime folder, lock it, and leave nothing of an earlier run in it.

        Raises AlreadyRunningError, UnsafeFolderError, and OSError where a folder can't be made.
        """
        run = self.places.run
        _make_parent(os.path.dirname(run))
        self._folder, self.lock = _lock(run)
        self._clear()
        for path, mode in (
            (self.places.sockets, SHARED),
            (self.places.volume, SHARED),
            (self.places.notify, 0o700),
        ):
            os.mkdir(path, 0o700)
            os.chmod(path, mode)

    def release(self) -> None:
        """Remove the runtime folder with all that is in it; the lock goes last."""
        self._clear()
        os.unlink(LOCK, dir_fd=self._folder)
        os.rmdir(self.places.run)
        os.close(self.lock)
        os.close(self._folder)

    def _clear(self) -> None:
        with os.scandir(self._folder) as entries:
            names = [entry.name for entry in entries if entry.name != LOCK]
        device = os.fstat(self._folder).st_dev
        for name in names:
            _remove(name, self._folder, device)

    def remove_stale_sockets(self) -> None:
        """Remove the sockets on which nobody listens: several programs refuse to start on one."""
        with os.scandir(self.places.sockets) as entries:
            sockets = [
                e.path for e in entries if stat.S_ISSOCK(e.stat(follow_symlinks=False).st_mode)
            ]
        for path in filter(_is_stale, sockets):
            os.unlink(path)


def _lock(run: str) -> tuple[int, int]:
    """Descriptors of the folder and of its lock, which is ours."""
    while True:
        folder = _open_own(run)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(LOCK, flags, 0o600, dir_fd=folder)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The one before us may have removed it between our open and our lock.
            if os.path.samestat(os.fstat(lock), os.stat(LOCK, dir_fd=folder)):
                return folder, lock
        except BlockingIOError:
            os.close(lock)
            os.close(folder)
            raise AlreadyRunningError from None
        except FileNotFoundError:
            pass
        os.close(lock)
        os.close(folder)


def _make_parent(folder: str) -> None:
    """The folder of all groups: root's is for all to see, others' are their own."""
    if not os.path.isdir(folder):
        os.makedirs(folder)
        os.chmod(folder, 0o755 if os.geteuid() == 0 else 0o700)
    about = os.lstat(folder)
    is_shared = about.st_mode & 0o022 and not about.st_mode & stat.S_ISVTX
    if about.st_uid not in (0, os.geteuid()) or is_shared:
        # Whoever owns it could put a folder of his own in the place of ours.
        raise UnsafeFolderError(f"{folder} is another user's, or others may write to it: remove it")


def _open_own(run: str) -> int:
    is_new = False
    with suppress(FileExistsError):
        os.mkdir(run, 0o700)
        is_new = True
    try:
        folder = os.open(run, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise UnsafeFolderError(f"{run} is not a folder: remove it") from error
    about = os.fstat(folder)
    if about.st_uid != os.geteuid() or about.st_mode & 0o002:
        os.close(folder)
        raise UnsafeFolderError(f"{run} is another user's, or others may write to it: remove it")
    if is_new:
        os.fchmod(folder, PASSABLE)
    return folder


def _remove(name: str, parent: int, device: int) -> None:
    """Remove a file, or a folder with all in it, unless it is on another device."""
    about = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if about.st_dev != device:
        return
    if not stat.S_ISDIR(about.st_mode):
        os.unlink(name, dir_fd=parent)
        return
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        with os.scandir(folder) as entries:
            inside = [entry.name for entry in entries]
        for entry in inside:
            _remove(entry, folder, device)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=parent)


def _is_stale(path: str) -> bool:
    """Whether a connection is refused; only an answer tells, the file alone does not."""
    import socket  # noqa: PLC0415 - only where there is a socket

    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        with socket.socket(socket.AF_UNIX, kind) as probe:
            probe.setblocking(False)
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                return True
            except OSError as error:
                if error.errno == errno.EPROTOTYPE:
                    continue
        return False
    return False
