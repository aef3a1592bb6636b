"""What a new process does to itself before it becomes its program: well-kept tools, each of which
replaces itself with the next, so that none of them stays.

    sh (into the cgroup, oom_score_adj)  →  nice  →  prlimit  →  setpriv  →  sh  →  the program

A stage stands there only if the process needs it; the two of the shell are one where nothing
stands between. Up to the last, what a stage has to say goes to a pipe of ours, not to the member's
stderr, which waits as descriptor 3: so a refusal is told from the program's own failure.

Where a member is another user, a variable that can make the loader run its code is called
otherwise until the user has changed: no stage runs it as root.
"""

import os
import re
from collections.abc import Mapping
from functools import cache

from msgspec import Struct

from pairvisor.manifest.group import Identity, ProcessLimits
from pairvisor.manifest.programs import DEFAULT_PATH, ProgramError, find_program
from pairvisor.runtime import kernel

SHELL = "/bin/sh"
REPORT, STDERR = 2, 3  # descriptors of the stages
REACHED = b"\0"  # what the last stage reports
CAP_SETPCAP = 8  # linux/capability.h
LAST = r"printf '\000' >&2; exec" + f' "$@" 2>&{STDERR} {STDERR}>&-'
HELD = "PAIRVISOR_HELD_"
# ld.so(8), and what the C library and a shell load or read on their own.
LOADS = re.compile(r"LD_.*|GLIBC_TUNABLES|GCONV_PATH|LOCPATH|NLSPATH|MALLOC_.*|BASH_ENV|ENV|IFS")


class Stages(Struct, frozen=True):
    """What stands before a program's own words, and the environment that it begins with."""

    words: tuple[str, ...] = ()
    env: Mapping[str, str] = {}


def before(
    env: Mapping[str, str],
    procs: str,
    identity: Identity,
    limits: ProcessLimits,
    *,
    is_unprivileged: bool,
) -> Stages:
    """The stages of a new process with this environment. `procs` is the file to enter its cgroup
    by, if there is one. `is_unprivileged`: it can't get new privileges as it is.

    Raises ProgramError where a tool is not installed.
    """
    entering = _entering(procs, limits)
    tools = [*_limiting(limits), *_becoming(identity, is_unprivileged)]
    if not entering and not tools:
        return Stages((), env)
    held = {n: v for n, v in env.items() if identity.uid is not None and LOADS.fullmatch(n)}
    kept = {name: value for name, value in env.items() if name not in held}
    own_folder = "" if "PWD" in env else "unset PWD; "  # which a shell exports
    last = own_folder + "".join(
        f'export {name}="${HELD}{name}"; unset {HELD}{name}; '
        for name in held
        if name.isidentifier()
    )
    words = _joined(entering, procs, tools, last + LAST)
    return Stages(words, kept | {HELD + name: value for name, value in held.items()})


def _joined(entering: list[str], procs: str, tools: list[str], last: str) -> tuple[str, ...]:
    given = [procs] if procs else []
    if not tools:
        return (SHELL, "-c", " && ".join([*entering, last]), "sh", *given)
    first = [SHELL, "-c", " && ".join([*entering, 'exec "$@"']), "sh", *given] if entering else []
    return (*first, *tools, SHELL, "-c", last, "sh")


def _entering(procs: str, limits: ProcessLimits) -> list[str]:
    commands = ['echo 0 >"$1"', "shift"] if procs else []
    if limits.oom_score_adj is not None:
        commands.append(f"echo {limits.oom_score_adj} >/proc/self/oom_score_adj")
    return commands


def _limiting(limits: ProcessLimits) -> list[str]:
    words = []
    if limits.nice is not None:
        more = limits.nice - os.getpriority(os.PRIO_PROCESS, 0)
        words += [tool("nice"), "-n", str(more)]
    if limits.resources:
        values = {n: "unlimited" if v < 0 else v for n, v in limits.resources.items()}
        words += [tool("prlimit"), *(f"--{name}={value}" for name, value in values.items()), "--"]
    return words


def _becoming(identity: Identity, is_unprivileged: bool) -> list[str]:
    options = [*_as_user(identity), *_with_capabilities(identity.capabilities)]
    if identity.no_new_privileges and not is_unprivileged:
        options.append("--no-new-privs")
    return [tool("setpriv"), *options, "--"] if options else []


def _as_user(identity: Identity) -> list[str]:
    options = [] if identity.uid is None else [f"--reuid={identity.uid}"]
    if identity.gid is not None:
        options.append(f"--regid={identity.gid}")
    if identity.groups:
        options.append(f"--groups={','.join(map(str, identity.groups))}")
    elif identity.groups is not None:
        options.append("--clear-groups")
    return options


def _with_capabilities(kept: tuple[str, ...] | None) -> list[str]:
    """In the ambient set, they outlive the exec of a program that knows nothing of them."""
    if kept is None:
        return []
    sets = ",".join(["-all", *(f"+{name}" for name in kept)])
    bounding = [f"--bounding-set={sets}"] if has_capability(CAP_SETPCAP) else []
    return [f"--inh-caps={sets}", f"--ambient-caps={sets}", *bounding]


def has_capability(number: int) -> bool:
    """Whether we have it: capabilities(7) has the numbers."""
    return bool(kernel.capabilities() >> number & 1)


@cache
def tool(name: str) -> str:
    """Its path; only the system's own folders are looked at. Raises ProgramError."""
    try:
        return find_program(name, "/", DEFAULT_PATH)
    except ProgramError as error:
        package = "coreutils" if name == "nice" else "util-linux"
        raise ProgramError(f"{error}: install {package}") from None
