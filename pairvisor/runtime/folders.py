"""The group's folders while it runs: made, locked, swept and removed.

The lock is an flock, so one that a dead supervisor held blocks nobody. Folders are opened without
following links, and what is in them is reached through their descriptors, so a link that a member
puts there leads nowhere (`removal`).
"""

import errno
import fcntl
import itertools
import os
import stat
from contextlib import suppress

from pairvisor.manifest.group import Group, Places
from pairvisor.runtime import leftovers, mounts, removal

SHARED = 0o2770  # what members put there belongs to the folder's group
PRIVATE = 0o700  # of what members have no business in
PASSABLE = 0o750  # of the runtime folder: its group passes through, whatever our umask
LOCK = "lock"
CGROUP = "cgroup"  # holds the path of the group's own
SOCKETS = "sockets"
RECORD = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
TRIES = 1000
LEFT = "left-"  # of what could not be removed


class AlreadyRunningError(Exception):
    """Another supervisor holds the group's lock."""


class UnsafeFolderError(Exception):
    """A folder where ours should be is somebody else's, or no folder."""


class Folders:
    """The folders of one group, from `claim` to `release`."""

    def __init__(self, places: Places, lock: int = -1, folder: int = -1) -> None:
        """With descriptors where they are claimed already."""
        self.places = places
        self.lock = lock
        self.folder = folder

    def claim(self) -> None:
        """Make the runtime folder, lock it, and leave nothing of an earlier run in it.

        Raises AlreadyRunningError, UnsafeFolderError, and OSError where a folder can't be made.
        """
        run = self.places.run
        _make_parent(os.path.dirname(run))
        self.folder, self.lock = _lock(run)
        leftovers.sweep(run, _recorded(self.folder))
        self._clear()
        for name, mode in ((SOCKETS, SHARED), ("volume", SHARED), ("notify", PRIVATE)):
            os.mkdir(name, 0o700, dir_fd=self.folder)
            os.chmod(name, mode, dir_fd=self.folder)

    def record(self, cgroup: str) -> None:
        """Let whoever comes after us know which cgroup is the group's. Raises OSError."""
        descriptor = os.open(CGROUP, RECORD, 0o600, dir_fd=self.folder)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(cgroup)

    def release(self) -> None:
        """Remove the runtime folder with all that is in it; the lock goes last.

        What can't be removed, another user's file, stays, and stops no later start.
        """
        with suppress(OSError):
            mounts.unmount(self.places.run)
            self._clear()
            os.unlink(LOCK, dir_fd=self.folder)
            os.rmdir(self.places.run)  # fails if the next one has made its lock already
        os.close(self.lock)
        os.close(self.folder)

    def _clear(self) -> None:
        """Remove all but the lock; what can't be is put aside, as `left-…`."""
        remains = removal.clear(self.folder, LOCK)
        for name in remains:
            if not name.startswith(LEFT):
                os.rename(
                    name, _unused(self.folder), src_dir_fd=self.folder, dst_dir_fd=self.folder
                )

    def remove_stale_sockets(self) -> None:
        """Remove the sockets on which nobody listens: several programs refuse to start on one.

        A member may do with the folder what it likes: what can't be looked at is let be.
        """
        with suppress(OSError):
            folder = os.open(SOCKETS, removal.FOLDER, dir_fd=self.folder)
            try:
                _remove_stale(folder)
            finally:
                os.close(folder)


def abandoned(run: str, folder: int, within: float) -> None:
    """Release the folder of a group whose supervisor is gone; its lock is ours by now. So many
    seconds are waited for what can't be killed."""
    leftovers.sweep(run, _recorded(folder), within)
    removal.clear(folder, LOCK)
    os.unlink(LOCK, dir_fd=folder)
    os.rmdir(run)


def admit(group: Group) -> None:
    """Let the control group, if there is one, pass to the control socket and use it; else nobody.

    Raises OSError.
    """
    allowed = group.control_group
    gid = os.getegid() if allowed is None else allowed.gid
    for path in (group.places.run, group.places.control):
        os.chown(path, -1, gid)
    os.chmod(group.places.control, 0o600 if allowed is None else 0o660)


def _recorded(folder: int) -> str:
    """The group's cgroup of an earlier life; empty where there was none."""
    with suppress(OSError):
        descriptor = os.open(CGROUP, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
        with open(descriptor, encoding="utf-8", errors="replace") as file:
            return file.read()
    return ""


def _unused(folder: int) -> str:
    taken = os.listdir(folder)
    return next(name for name in (f"{LEFT}{n}" for n in itertools.count()) if name not in taken)


def _remove_stale(folder: int) -> None:
    for name in os.listdir(folder):
        with suppress(OSError):
            is_socket = stat.S_ISSOCK(os.lstat(name, dir_fd=folder).st_mode)
            # Through the open folder the path is short enough for any name, and leads nowhere else.
            if is_socket and _is_stale(f"/proc/self/fd/{folder}/{name}"):
                os.unlink(name, dir_fd=folder)


def _lock(run: str) -> tuple[int, int]:
    """Descriptors of the folder and of its lock, which is ours."""
    for _ in range(TRIES):
        # Another one's end may remove folder and lock between any two steps: begin again.
        with suppress(FileNotFoundError):
            folder = _open_own(run)
            try:
                _check_strangers(run, folder)
                return folder, _lock_in(folder)
            except BaseException:
                os.close(folder)
                raise
    raise FileNotFoundError(errno.ENOENT, "it is removed again and again", run)


def _check_strangers(run: str, folder: int) -> None:
    """A lock shows that a folder is a group's, all of it; one without is not ours to empty."""
    names = os.listdir(folder)
    strange = [name for name in names if not name.startswith(LEFT)]
    if strange and LOCK not in names:
        raise UnsafeFolderError(
            f'{run} holds "{strange[0]}", which no group has put there, and a group\'s folder is '
            "emptied: name an empty one"
        )


def _lock_in(folder: int) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    lock = os.open(LOCK, flags, 0o600, dir_fd=folder)
    is_ours = False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        named = os.stat(LOCK, dir_fd=folder, follow_symlinks=False)
        is_ours = os.path.samestat(os.fstat(lock), named)
    except BlockingIOError:
        raise AlreadyRunningError from None
    finally:
        if not is_ours:
            os.close(lock)
    if not is_ours:
        raise FileNotFoundError(errno.ENOENT, "another one's by now", LOCK)
    return lock


def make_common(folder: str) -> None:
    """The folder of all groups, where it is missing: root's is for all to pass through, as a
    service's may be another user's; others' are their own. Raises OSError."""
    if not os.path.isdir(folder):
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755 if os.geteuid() == 0 else 0o700)


def _make_parent(folder: str) -> None:
    make_common(folder)
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
    except FileNotFoundError:
        raise  # removed by another one's end
    except OSError as error:
        raise UnsafeFolderError(f"{run} is not a folder: remove it") from error
    about = os.fstat(folder)
    if about.st_uid != os.geteuid() or about.st_mode & 0o002:
        os.close(folder)
        raise UnsafeFolderError(f"{run} is another user's, or others may write to it: remove it")
    if is_new:
        os.fchmod(folder, PASSABLE)
    return folder


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
