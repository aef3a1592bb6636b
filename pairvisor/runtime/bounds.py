"""Which limits of a process we may set: what takes more than we have is the kernel's to refuse, and
said before anything starts.
"""

import os
import resource

from msgspec.structs import replace

from pairvisor.manifest.group import ProcessLimits
from pairvisor.runtime import kernel

CAP_SYS_NICE, CAP_SYS_RESOURCE = 23, 24  # linux/capability.h
PROTECTED = -900  # an oom_score_adj, of at least -1000
OOM_SCORE = "/proc/self/oom_score_adj"


def unmet(limits: ProcessLimits) -> dict[str, str]:
    """Why not, by limit."""
    held = kernel.capabilities()
    why_not = {}
    for name, value in limits.resources.items():
        hard = resource.getrlimit(_number(name))[1]
        if _is_more(value, hard) and not held >> CAP_SYS_RESOURCE & 1:
            why_not[name] = f"the hard limit here is {hard}"
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    if limits.nice is not None and limits.nice < ours and not held >> CAP_SYS_NICE & 1:
        why_not["nice"] = f"we run at {ours}, and less needs CAP_SYS_NICE"
    least = oom_score()
    if (
        limits.oom_score_adj is not None
        and limits.oom_score_adj < least
        and not held >> CAP_SYS_RESOURCE & 1
    ):
        why_not["oom_score_adj"] = f"ours is {least}, and less needs CAP_SYS_RESOURCE"
    return why_not


def _number(name: str) -> int:
    number: int = getattr(resource, f"RLIMIT_{name.upper()}")
    return number


def _is_more(value: int, hard: int) -> bool:
    if hard == resource.RLIM_INFINITY:
        return False
    return value < 0 or value > hard


def oom_score() -> int:
    """Our own oom_score_adj (proc_pid_oom_score_adj(5))."""
    with open(OOM_SCORE, encoding="ascii") as file:
        return int(file.read())


def protect() -> int | None:
    """Let the kernel take somebody else when memory runs out; what we were at before, where that
    could be done. Our children are to be at that: what we are, they inherit."""
    before = oom_score()
    if before <= PROTECTED:
        return None
    try:
        set_oom_score(PROTECTED)
    except OSError:
        return None
    return before


def set_oom_score(score: int) -> None:
    """Raises OSError where we may not be so low."""
    with open(OOM_SCORE, "w", encoding="ascii") as file:
        file.write(str(score))


def without(limits: ProcessLimits, names: dict[str, str]) -> ProcessLimits:
    """The limits but those."""
    kept = {name: value for name, value in limits.resources.items() if name not in names}
    nice = None if "nice" in names else limits.nice
    score = None if "oom_score_adj" in names else limits.oom_score_adj
    return replace(limits, resources=kept, nice=nice, oom_score_adj=score)
