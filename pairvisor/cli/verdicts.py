"""What is thought of a machine: verdicts on what was found, one function for each thing.

`missing` is what isn't there, `degraded` what is there and less than it could be. Only some things
are needed by every group; the others say for what they are needed, and are judged all the same.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

from pairvisor.runtime.machine import LONGEST_NAME, Machine

State = Literal["ok", "degraded", "missing"]
MOST_MEMBERS = 1000
OF_GROUP, OF_MEMBER = 192, 8  # descriptors that a group and each of its members may need
MOST_FOLDERS = 65536  # of a large source tree
MOUNT = "/sys/fs/cgroup"  # where version 1 is not in use
CONTROLLERS = ("cpu", "memory", "pids")


class Verdict(NamedTuple):
    state: State
    found: str
    advice: str = ""


class Thing(NamedTuple):
    """Something that a machine may offer."""

    name: str
    needed_for: str
    judge: Callable[[Machine], Verdict]
    is_needed: bool = False  # no group runs without it


def _python(machine: Machine) -> Verdict:
    return Verdict("ok", machine.python)


def _pidfd(machine: Machine) -> Verdict:
    if machine.has_pidfd:
        return Verdict("ok", f"Linux {machine.kernel}")
    return Verdict("missing", f"Linux {machine.kernel} refuses it", _newer("5.3", "pidfd_open"))


def _subreaper(machine: Machine) -> Verdict:
    if machine.has_subreaper:
        return Verdict("ok", "what members leave behind comes to us")
    return Verdict("missing", "refused", _newer("3.4", "prctl"))


def _newer(version: str, call: str) -> str:
    return f"run Linux {version} or later, and let no sandbox forbid {call}"


def _proc(machine: Machine) -> Verdict:
    if machine.has_proc:
        return Verdict("ok", "mounted")
    return Verdict("missing", "not mounted", "mount -t proc proc /proc")


def _children(machine: Machine) -> Verdict:
    if machine.has_children:
        return Verdict("ok", "listed")
    how = "run a kernel with CONFIG_PROC_CHILDREN"
    return Verdict("degraded", "not listed, so all processes are looked at each time", how)


def _run(machine: Machine) -> Verdict:
    run = machine.run
    own = "set XDG_RUNTIME_DIR to a folder of your own"
    shorter = "set XDG_RUNTIME_DIR to a shorter folder"
    if run.why_not:
        return Verdict("missing", f"{run.path}: {run.why_not}", own)
    if machine.longest_name < 1:
        return Verdict("missing", f"{run.path}: too long for a Unix socket in it", shorter)
    if machine.longest_name < LONGEST_NAME:
        limit = f"a group's name may have {machine.longest_name} characters"
        return Verdict("degraded", f"{run.path}: {limit}", shorter)
    if machine.is_run_temporary:
        what = f"{run.path}: where temporary files are removed, a group's may be, too"
        return Verdict("degraded", what, f"log in by systemd-logind, or {own}")
    return Verdict("ok", run.path)


def _state(machine: Machine) -> Verdict:
    state = machine.state
    if state.why_not:
        return Verdict(
            "degraded",
            f"{state.path}: {state.why_not}",
            "set XDG_STATE_HOME to a folder of your own",
        )
    return Verdict("ok", state.path)


def _descriptors(machine: Machine) -> Verdict:
    members = (machine.descriptors - OF_GROUP) // OF_MEMBER
    if members >= MOST_MEMBERS:
        return Verdict("ok", f"{machine.descriptors}")
    how = "raise the hard limit of open files: ulimit -Hn, or LimitNOFILE= in a unit"
    enough = f"enough for {members} members of a group" if members > 0 else "too few"
    return Verdict("degraded", f"{machine.descriptors}: {enough}", how)


def _inotify(machine: Machine) -> Verdict:
    watches = machine.inotify.get("max_user_watches")
    if watches is None:
        return Verdict("missing", "not there", "run a kernel with CONFIG_INOTIFY_USER")
    if watches < MOST_FOLDERS:
        how = "sysctl fs.inotify.max_user_watches=1048576"
        return Verdict("degraded", f"{watches} folders of this user at most", how)
    return Verdict("ok", f"{watches} folders")


def _out_of_memory(machine: Machine) -> Verdict:
    if machine.tells_out_of_memory:
        return Verdict("ok", "told by the kernel")
    return Verdict("degraded", "not told: SIGKILL is all that is said", "run Linux 4.13 or later")


def _pressure(machine: Machine) -> Verdict:
    if machine.tells_pressure:
        return Verdict("ok", "told by the kernel")
    return Verdict("missing", "not told", "boot with psi=1, on a kernel with CONFIG_PSI")


def _cgroup(machine: Machine) -> Verdict:
    group = machine.cgroup
    boot = "boot with systemd.unified_cgroup_hierarchy=1"
    if not group.mount:
        return Verdict("missing", "not mounted", boot)
    if group.why_not:
        how = "Delegate=yes in the unit; from a shell: systemd-run --user --scope -p Delegate=yes"
        return Verdict("degraded", f"{group.why_not}: members have a session each, no limits", how)
    if group.mount != MOUNT:
        held = f"members are contained below {group.own}"
        return Verdict("degraded", f"{held}, but version 1 has the limits", boot)
    lacking = [name for name in CONTROLLERS if name not in group.controllers]
    if lacking:
        how = f"let cgroup.subtree_control above it have +{' +'.join(lacking)}"
        return Verdict("degraded", f"{group.own} is ours, but without {', '.join(lacking)}", how)
    return Verdict("ok", f"{group.own} is ours, with {', '.join(CONTROLLERS)}")


def _namespace(machine: Machine, *, why: str) -> Verdict:
    reason: str = getattr(machine, why)
    if not reason:
        return Verdict("ok", "can be made")
    how = (
        "sysctl user.max_user_namespaces=10000; on Debian kernel.unprivileged_userns_clone=1, on "
        "Ubuntu kernel.apparmor_restrict_unprivileged_userns=0"
    )
    return Verdict("missing", f"can't be made: {reason}", how)


def _program(machine: Machine, *, name: str, package: str) -> Verdict:
    if path := machine.programs[name]:
        return Verdict("ok", path)
    return Verdict("missing", "not on PATH", f"install {package}")


def _systemd(machine: Machine) -> Verdict:
    if machine.is_booted_by_systemd:
        return Verdict("ok", machine.systemd or "it runs")
    if machine.systemd:
        found = f"{machine.systemd} is installed, but has not booted this machine"
        return Verdict("degraded", found, "let another init start `pairvisor run`")
    return Verdict("missing", "not installed", "let another init start `pairvisor run`")


def _tool(name: str, package: str, needed_for: str) -> Thing:
    judge = partial(_program, name=name, package=package)
    return Thing(name, needed_for, judge)


THINGS = [
    Thing("Python", "pairvisor itself", _python, is_needed=True),
    Thing("pidfd", "signals that reach no stranger", _pidfd, is_needed=True),
    Thing("subreaper", "finding what members leave behind", _subreaper, is_needed=True),
    Thing("/proc", "telling whose a process is", _proc, is_needed=True),
    Thing("runtime folder", "a group's sockets, files and lock", _run, is_needed=True),
    Thing("state folder", "events and results that outlive a group", _state),
    Thing("open files", "members, clients and probes", _descriptors),
    Thing("/proc children", "finding quickly what members leave behind", _children),
    Thing("out of memory", "saying so when the kernel kills for it", _out_of_memory),
    Thing("inotify", "up --watch", _inotify),
    Thing("pressure", "figures of what is scarce: not used yet", _pressure),
    Thing("cgroup v2", "limits, and a containment that nothing leaves", _cgroup),
    Thing(
        "user namespace",
        "namespaces without root: not used yet",
        partial(_namespace, why="why_no_user_namespace"),
    ),
    Thing(
        "net namespace",
        "private networks: not used yet",
        partial(_namespace, why="why_no_net_namespace"),
    ),
    _tool("unshare", "util-linux", "private networks: not used yet"),
    _tool("nsenter", "util-linux", "exec in a private network: not used yet"),
    _tool("setpriv", "util-linux", "members' users and capabilities"),
    _tool("prlimit", "util-linux", "members' limits"),
    _tool("bwrap", "bubblewrap", "private_tmp and read_only: not used yet"),
    _tool("journalctl", "systemd", "members' output in the journal"),
    Thing("systemd", "groups as its services", _systemd),
]
