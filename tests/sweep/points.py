"""Where a fault may be: SCENARIO/WHO/CALL/FAULT/N, as `reload/main/openat/EMFILE/3`.

FAULT is KILL, or the error that the N-th such call of WHO gets; `3+` stands for the third and all
that follow, as on a disk that stays full. Swept are the calls that change something or get
something; between two of those a death leaves the same behind, wherever it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

SCENARIOS = ("start", "stop", "reload", "rotate")
WHO = ("main", "pump", "guard")
KILL = "KILL"

DISK = ("ENOSPC", "EIO")
FULL = ("EMFILE", "ENFILE")
FAULTS: dict[str, tuple[str, ...]] = {
    "accept4": ("EMFILE", "ENOBUFS"),
    "bind": ("ENOSPC", "EACCES"),
    "chdir": ("EACCES", "ENOENT"),
    "chmod": ("EIO", "EROFS"),
    "chown": ("EPERM", "EIO"),
    "clone": ("EAGAIN", "ENOMEM"),
    "clone3": ("EAGAIN", "ENOMEM"),
    "close": ("EIO",),
    "connect": ("EAGAIN", "ECONNREFUSED"),
    "dup": ("EMFILE",),
    "epoll_create1": ("EMFILE", "ENOMEM"),
    "epoll_ctl": ("ENOMEM", "ENOSPC"),
    "epoll_wait": ("EINTR",),
    "eventfd2": ("EMFILE", "ENOMEM"),
    "fchmod": ("EPERM", "EIO"),
    "fchmodat": ("EPERM", "EIO"),
    "fchown": ("EPERM",),
    "fcntl": ("EMFILE",),
    "fdatasync": ("EIO",),
    "flock": ("ENOLCK", "EINTR"),
    "fsync": ("EIO", "ENOSPC"),
    "ftruncate": ("EIO",),
    "getdents64": ("EIO",),
    "getrandom": ("EINTR",),
    "inotify_add_watch": ("ENOSPC",),
    "inotify_init1": ("EMFILE",),
    "link": ("EIO",),
    "listen": ("EADDRINUSE",),
    "lseek": ("EIO",),
    "mkdir": ("ENOSPC", "EROFS"),
    "mkdirat": ("ENOSPC", "EROFS"),
    "newfstatat": ("EACCES",),
    "openat": (*FULL, "EACCES", *DISK),
    "pidfd_open": (*FULL, "ENOMEM"),
    "pidfd_send_signal": ("ESRCH", "EPERM"),
    "pipe2": FULL,
    "prlimit64": ("EPERM",),
    "pwrite64": DISK,
    "read": ("EIO", "EINTR"),
    "recvfrom": ("ECONNRESET",),
    "recvmsg": ("ECONNRESET",),
    "rename": DISK,
    "renameat": DISK,
    "renameat2": DISK,
    "rmdir": ("EBUSY", "EIO"),
    "sendmsg": ("EPIPE", "ENOBUFS"),
    "sendto": ("EPIPE", "ENOBUFS"),
    "signalfd4": ("EMFILE",),
    "socket": (*FULL, "ENOBUFS"),
    "socketpair": ("EMFILE", "ENOBUFS"),
    "symlink": ("ENOSPC",),
    "timerfd_create": ("EMFILE",),
    "umount2": ("EBUSY",),
    "mount": ("EPERM",),
    "unlink": ("EIO", "EBUSY"),
    "unlinkat": ("EIO", "EBUSY"),
    "utimensat": ("EIO",),
    "vfork": ("EAGAIN", "ENOMEM"),
    "waitid": ("EINTR",),
    "write": DISK,
    "writev": DISK,
}
LASTING = frozenset({"ENOSPC", "EMFILE", "EROFS", "EAGAIN"})
LASTING_CALLS = frozenset(
    "accept4 clone clone3 mkdir mkdirat openat pidfd_open pipe2 rename socket vfork".split()
)
HARMLESS = frozenset("read newfstatat lseek getrandom prlimit64 fcntl close chdir".split())
ON_DISK = re.compile(r"\d+</")
IMPORTS = re.compile(r"(?:python3[\d.]*/|site-packages|__pycache__|\.py\b|\.pyc\b|\.so\b)")
PACKAGE = Path(__file__).parents[2] / "pairvisor"
EVERY_IMPORT = 40  # of what only loads code, so many are taken as one


class Point(Struct, frozen=True):
    scenario: str
    who: str
    call: str
    fault: str
    number: int
    is_lasting: bool = False

    def __str__(self) -> str:
        plus = "+" if self.is_lasting else ""
        return f"{self.scenario}/{self.who}/{self.call}/{self.fault}/{self.number}{plus}"

    @property
    def options(self) -> list[str]:
        """For strace."""
        what = "signal=SIGKILL" if self.fault == KILL else f"error={self.fault}"
        plus = "+" if self.is_lasting else ""
        inject = f"inject={self.call}:{what}:when={self.number}{plus}"
        return ["-e", f"trace={self.call}", "-e", inject]

    @property
    def command(self) -> str:
        return f"python -m tests.sweep --point {self}"


def parse(text: str) -> Point:
    scenario, who, call, fault, number = text.split("/")
    return Point(scenario, who, call, fault, int(number.rstrip("+")), number.endswith("+"))


def points(scenario: str, who: str, calls: Sequence[tuple[str, str]]) -> Iterator[Point]:
    """All that a life which made these calls offers; calls have a name and their arguments."""
    counts: dict[str, int] = {}
    imports = 0
    for call, arguments in calls:
        if call not in FAULTS:
            continue
        counts[call] = number = counts.get(call, 0) + 1
        if _loads_code(call, arguments):
            imports += 1
            if imports % EVERY_IMPORT:
                continue
        yield from _at(Point(scenario, who, call, KILL, number), arguments)


def _at(death: Point, arguments: str) -> Iterator[Point]:
    """All that can happen at one call."""
    if death.call not in HARMLESS:
        yield death
    for fault in filter(partial(_is_possible, death, arguments), FAULTS[death.call]):
        yield replace(death, fault=fault)
        if death.call in LASTING_CALLS and fault in LASTING:
            yield replace(death, fault=fault, is_lasting=True)


def _is_possible(death: Point, arguments: str, fault: str) -> bool:
    """No disk is full for what is not written to one, and whoever is there can be signalled."""
    match death.call:
        case "openat" if fault == "ENOSPC":
            return "O_CREAT" in arguments
        case "openat" if fault == "EACCES":  # who may read our code once may do so again
            return f"{PACKAGE}/" not in arguments
        case "write":
            return bool(ON_DISK.match(arguments))
        case "pidfd_send_signal":
            return death.who != "guard"
        case _:
            return True


def _loads_code(call: str, arguments: str) -> bool:
    """A module's files: what matters for one matters for the others."""
    is_read = call in {"read", "lseek", "getdents64", "close", "fcntl"}
    return is_read or bool(IMPORTS.search(arguments))
