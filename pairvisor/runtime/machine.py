"""What the machine offers to groups, as it is found: no more than that is judged in `cli.doctor`.

What can be tried is tried, because versions and settings tell less: a kernel may have namespaces
and a policy that forbids them.
"""

import ctypes
import os
import platform
import resource
import shutil
import signal
import stat
from collections.abc import Mapping
from contextlib import suppress

from msgspec import Struct

from pairvisor.manifest.places import LONGEST_SOCKET, find_places
from pairvisor.runtime.cgroup import Cgroup, find_cgroup, read
from pairvisor.runtime.memory import VMSTAT

PROGRAMS = ("setpriv", "prlimit", "nsenter", "unshare", "bwrap", "journalctl", "systemctl")
LONGEST_NAME = 63  # characters, whatever the folder
SYSTEM = "/usr/sbin:/sbin"  # not on every user's PATH
PR_GET_CHILD_SUBREAPER = 37  # linux/prctl.h
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h


class Folder(Struct, frozen=True):
    path: str
    why_not: str = ""  # empty: it is there, or can be made


class Machine(Struct, frozen=True, kw_only=True):
    """What was found. `why_no_…` is empty where there is."""

    uid: int
    python: str
    kernel: str
    has_proc: bool
    has_pidfd: bool
    has_subreaper: bool
    has_children: bool  # /proc/PID/task/TID/children
    cgroup: Cgroup
    why_no_user_namespace: str
    why_no_net_namespace: str
    programs: Mapping[str, str]  # where each is
    systemd: str  # its version; empty: none is installed
    is_booted_by_systemd: bool
    inotify: Mapping[str, int]  # what stands in /proc/sys/fs/inotify
    descriptors: int  # the hard limit
    run: Folder
    state: Folder
    is_run_temporary: bool  # others' files are there, and somebody tidies up
    longest_name: int  # of a group, in characters: its control socket's path has a limit
    tells_out_of_memory: bool
    tells_pressure: bool


def look(environ: Mapping[str, str], root: str = "/") -> Machine:
    """`root` is where /proc and /sys are."""
    root = root.rstrip("/")
    uid = os.geteuid()
    places = find_places("NAME", environ, uid)
    path = f"{environ.get('PATH', os.defpath)}:{SYSTEM}"
    programs = {name: shutil.which(name, path=path) or "" for name in PROGRAMS}
    return Machine(
        uid=uid,
        python=platform.python_version(),
        kernel=platform.release(),
        has_proc=bool(read(f"{root}/proc/self/stat")),
        has_pidfd=_has_pidfd(),
        has_subreaper=_has_subreaper(),
        has_children=os.path.exists(f"{root}/proc/thread-self/children"),
        cgroup=find_cgroup(root),
        why_no_user_namespace=_why_not_unshared(CLONE_NEWUSER),
        why_no_net_namespace=_why_not_unshared(*([CLONE_NEWUSER] if uid else []), CLONE_NEWNET),
        programs=programs,
        systemd=_version_of_systemd(programs["systemctl"]),
        is_booted_by_systemd=os.path.isdir(f"{root}/run/systemd/system"),  # sd_booted(3)
        inotify=_inotify(root),
        descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        run=Folder(places.run, why_unusable(places.run, uid)),
        state=Folder(places.state, why_unusable(places.state, uid)),
        is_run_temporary=f"/pairvisor-{uid}/" in places.run,
        longest_name=_longest_name(environ, uid),
        tells_out_of_memory="oom_kill" in read(f"{root}{VMSTAT}"),
        tells_pressure=bool(read(f"{root}/proc/pressure/memory")),
    )


def _has_pidfd() -> bool:
    try:
        descriptor = os.pidfd_open(os.getpid())
        signal.pidfd_send_signal(descriptor, 0)
        os.close(descriptor)
    except OSError:
        return False
    return True


def _has_subreaper() -> bool:
    answer = ctypes.c_int()
    failed: int = ctypes.CDLL(None).prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(answer))
    return not failed


def _why_not_unshared(*flags: int) -> str:
    """Tried in a child, since a process can't leave its new namespaces again."""
    child = os.fork()
    if child == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        failed = any(libc.unshare(flag) for flag in flags)
        os._exit(min(ctypes.get_errno(), 255) if failed else 0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return os.strerror(code) if code > 0 else ("killed for it" if code else "")


def _version_of_systemd(systemctl: str) -> str:
    """`systemd 252 (252.22-1)` is what it says at first."""
    if not systemctl:
        return ""
    import subprocess  # noqa: PLC0415, TID251 - only here, and no supervisor is in this process

    with suppress(OSError, subprocess.SubprocessError, IndexError):
        command = [systemctl, "--version"]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
        return ran.stdout.split()[1]
    return "?"


def _inotify(root: str) -> dict[str, int]:
    names = ("max_user_watches", "max_user_instances")
    written = {name: read(f"{root}/proc/sys/fs/inotify/{name}").strip() for name in names}
    return {name: int(text) for name, text in written.items() if text.isdecimal()}


def _longest_name(environ: Mapping[str, str], uid: int) -> int:
    for length in range(LONGEST_NAME, 0, -1):
        control = find_places("x" * length, environ, uid).control
        if len(os.fsencode(control)) <= LONGEST_SOCKET:
            return length
    return 0


def why_unusable(folder: str, uid: int) -> str:
    """Why a group's folder can't be used, or made; empty where it can."""
    there = folder
    while not os.path.lexists(there):
        there = os.path.dirname(there)
    if not os.path.isdir(there):
        return f"{there} is not a folder"
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        return f"{there} can only be read"
    if not os.access(there, os.W_OK | os.X_OK):
        return f"this user may not write to {there}"
    about = os.stat(there)
    is_shared = about.st_mode & 0o022 and not about.st_mode & stat.S_ISVTX
    is_ours = there in (folder, os.path.dirname(folder))
    if is_ours and (about.st_uid not in (0, uid) or is_shared):
        return f"{there} is another user's, or others may write to it"
    return ""
