"""What the kernel would say to a program's exec, found out before: a shell that stands before it
could only end with 126 or 127, and it would take for a script of its own what is none.

The kernel has the last word: files change, and what an access control list says is not read.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import suppress

from msgspec import Struct

from pairvisor.manifest.group import Identity
from pairvisor.manifest.programs import DEFAULT_PATH, locate

ELF = b"\x7fELF"
MACHINE = slice(18, 20)  # elf(5): e_machine
START = 256  # bytes: BINPRM_BUF_SIZE of linux/binfmts.h
NESTED = 4  # scripts as interpreters of scripts, as in the kernel's exec_binprm
BINFMT = "/proc/sys/fs/binfmt_misc"
ITS_OWN = {"register", "status"}
EXECUTE = 1  # of a mode's three bits; for a folder: to enter it
ACCESS_LIST = "system.posix_acl_access"
PASSING = frozenset({"dac_override", "dac_read_search"})  # capabilities


class Subject(Struct, frozen=True):
    """Who wants to enter a folder, or to execute a file."""

    uid: int
    groups: frozenset[int]
    is_trusted: bool = False  # with rights beyond its user's: the kernel knows

    def may(self, path: str) -> bool:
        """Raises OSError where there is nothing."""
        about = os.stat(path)
        if self.is_trusted or self.uid == os.geteuid():
            return os.access(path, os.X_OK)
        shift = 6 if about.st_uid == self.uid else 3 if about.st_gid in self.groups else 0
        return bool(about.st_mode >> shift & EXECUTE) or _has_list(path)


def _has_list(path: str) -> bool:
    """Whether there is more to it than its mode (acl(5))."""
    with suppress(OSError):
        return bool(os.getxattr(path, ACCESS_LIST))
    return False


def subject(identity: Identity) -> Subject:
    """Whom a process with this identity is, where the rest is ours."""
    uid = os.geteuid() if identity.uid is None else identity.uid
    gid = os.getegid() if identity.gid is None else identity.gid
    groups = os.getgroups() if identity.groups is None else identity.groups
    is_trusted = not PASSING.isdisjoint(identity.capabilities or ())
    return Subject(uid, frozenset((gid, *groups)), is_trusted)


def find(word: str, folder: str, path: str | None, who: Subject) -> str:
    """As `locate`, but what is not for this user is passed by on the way through PATH."""
    if "/" not in word:
        for entry in (DEFAULT_PATH if path is None else path).split(":"):
            candidate = os.path.join(folder, entry, word)
            if os.path.isfile(candidate) and _can_run(candidate, who):
                return candidate
    return locate(word, folder, path)


def _can_run(program: str, who: Subject) -> bool:
    try:
        check_folder(os.path.dirname(program), who)
    except OSError:
        return False
    return who.may(program)


def check_folder(folder: str, who: Subject) -> None:
    """Raise OSError where it can't be entered."""
    for above in _path(folder):
        if not who.may(above):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), above)


def check_program(program: str, folder: str, who: Subject, depth: int = 0) -> None:
    """Raise OSError where `who` can't execute it in that folder."""
    path = os.path.join(folder, program)
    about = os.stat(path)
    check_folder(os.path.dirname(path), who)
    if not stat.S_ISREG(about.st_mode) or not who.may(path) or not os.access(path, os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    with suppress(PermissionError), open(path, "rb") as file:  # to execute is not to read
        _check_not_written(file.fileno())
        start = file.read(START)
        if start.startswith(b"#!"):
            _check_interpreter(start, folder, who, depth)
        elif not _is_native(start) and not _has_handlers():
            raise OSError(errno.ENOEXEC, os.strerror(errno.ENOEXEC), path)


def _check_interpreter(start: bytes, folder: str, who: Subject, depth: int) -> None:
    words = start[2:].split(b"\n")[0].split()
    if not words:
        raise OSError(errno.ENOEXEC, os.strerror(errno.ENOEXEC))
    if depth > NESTED:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    check_program(os.fsdecode(words[0]), folder, who, depth + 1)


def _check_not_written(descriptor: int) -> None:
    """A lease to read is refused where somebody has it open to write (F_SETLEASE of fcntl(2))."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        raise OSError(errno.ETXTBSY, os.strerror(errno.ETXTBSY)) from None
    except OSError:
        return  # not ours to lease, or a file system without
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def _is_native(start: bytes) -> bool:
    with open("/proc/self/exe", "rb") as ours:
        return start[:4] == ELF and start[MACHINE] == ours.read(START)[MACHINE]


def _has_handlers() -> bool:
    """Whether the kernel knows other formats, too (its admin-guide/binfmt-misc.rst)."""
    with suppress(OSError):
        return bool(set(os.listdir(BINFMT)) - ITS_OWN)
    return False


def _path(folder: str) -> Iterator[str]:
    real = os.path.realpath(folder)
    while real != "/":
        yield real
        real = os.path.dirname(real)
