"""What is asked of Linux that Python's `os` has no word for. Light: the guard imports it."""

import ctypes
import errno
import os
import select
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_SET_DUMPABLE = 4
IN_MODIFY = 2
WATCH_EVENTS = 1 << 16  # bytes
SIGSET = 128  # bytes of a sigset_t, of which the kernel reads the first 8
SIGNALFD_SIGINFO = 128  # bytes; the first four are the signal's number
STAT = 4096  # bytes; more than 52 numbers and a name can take

_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0):
        code = ctypes.get_errno()
        raise OSError(code, f"cannot prctl({option}): {os.strerror(code)}")


def become_subreaper() -> None:
    """Adopt every orphan among the descendants (PR_SET_CHILD_SUBREAPER(2const))."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def signal_me_when_parent_dies(signum: int) -> None:
    """PR_SET_PDEATHSIG(2const); tied to the thread that forked this process."""
    _prctl(PR_SET_PDEATHSIG, signum)


def forbid_new_privileges() -> None:
    """From now on no program gives this process or a child more than it has
    (PR_SET_NO_NEW_PRIVS(2const)); there is no way back."""
    _prctl(PR_SET_NO_NEW_PRIVS, 1)


def forbid_dumps() -> None:
    """No core is written of this process's memory, and no other of this user looks into it
    (PR_SET_DUMPABLE(2const))."""
    _prctl(PR_SET_DUMPABLE, 0)


def keep_descriptors() -> None:
    """Let no child inherit what this process was started with, beyond stdin, stdout and stderr."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > 2:
            with suppress(OSError):  # the listing's own is closed by now
                os.set_inheritable(descriptor, False)


def signal_descriptor(signums: Iterable[int]) -> int:
    """A descriptor to read these signals from (signalfd(2)); they have to be blocked.

    What is pending stays so until it is read. A handler would be called, and asyncio's pipe
    written, at each arrival: a few hundred fill it, and the next one, an exit or a stop, is lost.
    """
    mask = sum(1 << (signum - 1) for signum in signums)
    flags = os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = _libc.signalfd(-1, mask.to_bytes(8, sys.byteorder).ljust(SIGSET, b"\0"), flags)
    if descriptor < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot listen to signals: {os.strerror(code)}")
    return int(descriptor)


def read_signals(descriptor: int) -> list[int]:
    """The numbers of the signals that have come, each once."""
    with suppress(BlockingIOError):
        infos = os.read(descriptor, SIGNALFD_SIGINFO * 64)
        starts = range(0, len(infos), SIGNALFD_SIGINFO)
        return [int.from_bytes(infos[at : at + 4], sys.byteorder) for at in starts]
    return []


@contextmanager
def watching(files: Iterable[str]) -> Iterator[Callable[[float], None]]:
    """It gives what waits until one of these files has changed, or for some seconds."""
    descriptor = watch_descriptor()
    try:
        for file in files:
            watch(descriptor, file)
        yield lambda seconds: _wait_for(descriptor, seconds)
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, seconds: float) -> None:
    if select.select([descriptor], [], [], seconds)[0]:
        drain(descriptor)


def drain(descriptor: int) -> None:
    """Forget what a descriptor that watches has to tell."""
    with suppress(BlockingIOError):
        os.read(descriptor, WATCH_EVENTS)


def watch_descriptor() -> int:
    """A descriptor that can be read once a file that it watches has changed (inotify_init1(2))."""
    descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot watch files: {os.strerror(code)}")
    return int(descriptor)


def watch(descriptor: int, file: str) -> None:
    """Raises OSError. A file that goes is not watched any more."""
    if _libc.inotify_add_watch(descriptor, os.fsencode(file), IN_MODIFY) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), file)


def children_of(pid: int) -> list[int]:
    """The direct children of all threads of a process, zombies too; none if it is gone.

    Complete for the caller's own children, which only the caller can reap; for another process's
    it may miss one while they come and go (proc_pid_task_children(5)): look again.
    """
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [child for thread in threads for child in _children_of_thread(pid, thread)]


def _children_of_thread(pid: int, thread: str) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
            return list(map(int, file.read().split()))
    except (ProcessLookupError, FileNotFoundError):
        # A kernel without CONFIG_PROC_CHILDREN has no such file, even for ourselves.
        if os.path.exists("/proc/thread-self/children") or int(thread) != pid:
            return []
        return [p for p in map(int, filter(str.isdigit, os.listdir("/proc"))) if parent(p) == pid]


def _stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat behind the name, from `state` on; empty if it is gone.

    With no more system calls than it takes: at each, the pump's thread may take the interpreter.
    """
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return []
    try:
        return os.read(descriptor, STAT).rpartition(b") ")[2].split()
    except ProcessLookupError:
        return []
    finally:
        os.close(descriptor)


def parent(pid: int) -> int:
    """Its parent's pid; 0 if it is gone."""
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def session(pid: int) -> int:
    """Its session's id, also of a zombie; 0 if it is gone."""
    fields = _stat(pid)
    return int(fields[3]) if fields else 0


def start_time(pid: int) -> int:
    """When it started, in clock ticks since boot: with the pid, who it is. 0 if it is gone."""
    fields = _stat(pid)
    return int(fields[19]) if fields else 0


def capabilities() -> int:
    """This process's effective ones, a bit each (capabilities(7))."""
    with open("/proc/self/status", encoding="utf-8") as file:
        return next(int(line.split()[1], 16) for line in file if line.startswith("CapEff:"))


def cgroup_of(pid: int) -> str:
    """Its cgroup of version 2, below the mount; empty if it is gone, or there is none."""
    with suppress(OSError), open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
        return next((line[3:].rstrip("\n") for line in file if line.startswith("0::")), "")
    return ""


def name(pid: int) -> str:
    """What it calls itself, for people: a process may put anything there. Empty if it is gone."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return "".join(c if c.isprintable() else "?" for c in file.read().removesuffix("\n"))
    except (FileNotFoundError, ProcessLookupError):
        return ""


def usage(pid: int) -> tuple[int, int]:
    """Clock ticks of processor time, and resident pages; nothing if it is gone."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12]), int(fields[21])) if fields else (0, 0)


def send(pidfd: int, signum: int) -> None:
    """Signal the process behind a pidfd; one that is gone needs none.

    One that has changed its user (sudo as a member, say) can't be signalled: it is seen to live on.
    """
    with suppress(ProcessLookupError, PermissionError):
        signal.pidfd_send_signal(pidfd, signum)


def send_to(pid: int, started: int, signum: int) -> None:
    """Signal the process that had this pid and start time, if it is still that one."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError as error:
        if error.errno != errno.ESRCH:
            raise
        return
    try:
        if start_time(pid) == started:
            send(pidfd, signum)
    finally:
        os.close(pidfd)
