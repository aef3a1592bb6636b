"""Removes what members have left in a folder, whatever they have made of it.

Nothing is reached by a path of more than one name, and no link is followed: a folder that is
swapped for a link meanwhile is removed as the link that it is. What lies on another device, a
mount, is let be. Nested folders are moved up before they are looked into, so that neither the
stack nor the descriptors grow with the depth.
"""

import errno
import os
import stat
from collections import Counter
from contextlib import suppress

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
PASSES = 100_000  # levels of folders at most; more means that somebody adds what we remove
TRIES = 3  # for one name: it may be changing while it is looked at
NO_FOLDER = {errno.ENOTDIR, errno.ELOOP}


def clear(top: int, *kept: str) -> list[str]:
    """Remove all in the open folder `top` but what is named; what remains against our will."""
    device = os.fstat(top).st_dev
    failures: Counter[str] = Counter()
    for _ in range(PASSES):
        names = [n for n in os.listdir(top) if n not in kept and failures[n] < TRIES]
        if not names:
            break
        for name in names:
            try:
                _remove(name, top, device)
            except FileNotFoundError:
                pass
            except OSError:
                failures[name] += 1
    return [name for name in os.listdir(top) if name not in kept]


def _remove(name: str, top: int, device: int) -> None:
    try:
        folder = _open(name, top)
    except OSError as error:
        if error.errno not in NO_FOLDER:
            raise
        os.unlink(name, dir_fd=top)
        return
    try:
        if os.fstat(folder).st_dev != device:
            raise OSError(errno.EXDEV, "on another device", name)
        _empty(folder, top)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=top)


def _open(name: str, parent: int) -> int:
    """The folder, also if its owner has locked himself out of it."""
    try:
        return os.open(name, FOLDER, dir_fd=parent)
    except PermissionError:
        _unlock(name, parent)
        return os.open(name, FOLDER, dir_fd=parent)


def _unlock(name: str, parent: int) -> None:
    link = os.open(name, os.O_PATH | FOLDER, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{link}", stat.S_IRWXU)
    finally:
        os.close(link)


def _empty(folder: int, top: int) -> None:
    """Unlink its files and move its folders up; what resists is seen when it is to be removed."""
    os.fchmod(folder, stat.S_IRWXU)
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in found:
        with suppress(OSError):
            if is_folder:
                _move_up(name, folder, top)
            else:
                os.unlink(name, dir_fd=folder)


def _move_up(name: str, folder: int, top: int) -> None:
    moved = f".moved-{os.urandom(8).hex()}"
    try:
        os.rename(name, moved, src_dir_fd=folder, dst_dir_fd=top)
    except PermissionError:  # its "..", which changes, is guarded by its own mode
        _unlock(name, folder)
        os.rename(name, moved, src_dir_fd=folder, dst_dir_fd=top)
