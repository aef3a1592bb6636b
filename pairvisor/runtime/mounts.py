"""Mounts below a group's runtime folder: memory that is a file system, gone with the group."""

import ctypes
import os
from contextlib import suppress

from pairvisor.manifest.paths import lies_in
from pairvisor.runtime import kernel

MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8  # linux/mount.h
MNT_DETACH, UMOUNT_NOFOLLOW = 2, 8
CAP_SYS_ADMIN = 21  # linux/capability.h
MOUNTS = "/proc/self/mountinfo"

_libc = ctypes.CDLL(None, use_errno=True)


def may_mount() -> bool:
    """Whether the kernel would let us, as far as rights go."""
    return bool(kernel.capabilities() >> CAP_SYS_ADMIN & 1)


def mount_memory(folder: str, options: str, *, is_executable: bool = False) -> None:
    """A tmpfs(5) with these options on a folder. Raises OSError."""
    flags = MS_NOSUID | MS_NODEV | (0 if is_executable else MS_NOEXEC)
    if _libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", flags, options.encode()):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), folder)


def mount_secret_memory(folder: str, options: str) -> None:
    """One that is never swapped out, where the kernel knows how (Linux 6.4). Raises OSError."""
    try:
        mount_memory(folder, f"{options},noswap")
    except OSError:
        mount_memory(folder, options)


def unmount(run: str) -> None:
    """Take away what we have mounted in a group's runtime folder, as secrets and volumes; what is
    in use goes when it is not. What others have mounted there is let be."""
    for place in reversed([*_mounts_below(f"{run}/secrets"), *_mounts_below(f"{run}/volumes")]):
        _libc.umount2(os.fsencode(place), MNT_DETACH | UMOUNT_NOFOLLOW)


def _mounts_below(folder: str) -> list[str]:
    """And on it, in the order of their mounting."""
    above = os.path.realpath(os.path.dirname(folder)) + "/" + os.path.basename(folder)
    with suppress(OSError), open(MOUNTS, "rb") as file:
        # proc_pid_mountinfo(5): the mount point is the fifth field, odd bytes in octal.
        places = [_plain(line.split()[4]) for line in file]
        return [place for place in places if lies_in(above, place)]
    return []


def _plain(field: bytes) -> str:
    return os.fsdecode(field.decode("latin-1").encode().decode("unicode_escape").encode("latin-1"))
