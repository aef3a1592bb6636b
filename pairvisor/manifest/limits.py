"""Limits: those of a whole tree of processes, which its cgroup holds, and those of each process.

A sidecar is never more likely than the primary to be killed for want of memory's other choice:
its oom_score_adj is at most the primary's, as in KEP-753.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from pairvisor.manifest import model
from pairvisor.manifest.entries import Entry
from pairvisor.manifest.group import Limits, Member, ProcessLimits, Role
from pairvisor.manifest.report import Report
from pairvisor.manifest.units import shown

RESOURCES = ("nofile", "nproc", "stack", "core", "memlock", "fsize")
LEAST_MEMORY = 1 << 20  # bytes: less, and not even a shell begins
LEAST_CPU = 0.01  # of a processor: cpu.max takes no less than a millisecond of 100
MOST_CPU, MOST_PIDS, MOST_WEIGHT = 100_000, 4_194_304, 10_000  # the last two: pid_max, io.weight
NICE = (-20, 19)
OOM_SCORE = (-1000, 1000)


def resolve_limits(written: model.Limits | model.GroupLimits | None, report: Report) -> Limits:
    """Those of a cgroup."""
    if written is None:
        return Limits()
    _check(written.memory, LEAST_MEMORY, None, report.at("memory"), "1MiB or more")
    _check(written.cpu, LEAST_CPU, MOST_CPU, report.at("cpu"))
    _check(written.pids, 1, MOST_PIDS, report.at("pids"))
    _check(written.io, 1, MOST_WEIGHT, report.at("io"))
    return Limits(written.memory, written.cpu, written.pids, written.io, written.required)


def resolve_process_limits(written: model.Limits | None, report: Report) -> ProcessLimits:
    """Those of each process."""
    if written is None:
        return ProcessLimits()
    _check(written.nice, *NICE, report.at("nice"))
    _check(written.oom_score_adj, *OOM_SCORE, report.at("oom_score_adj"))
    resources = {n: int(v) for n in RESOURCES if (v := getattr(written, n)) is not None}
    return ProcessLimits(resources, written.nice, written.oom_score_adj, written.required)


def _check(
    value: float | None, least: float, most: float | None, report: Report, words: str = ""
) -> None:
    if value is not None and not least <= value <= (value if most is None else most):
        report.error(f"{words or f'between {least} and {most}'}, not {shown(value)}")


def settle_oom_scores(members: dict[str, Member], entries: Iterable[Entry]) -> dict[str, Member]:
    """The members, no sidecar with a higher score than the primary."""
    most = next(
        (m.process_limits.oom_score_adj for m in members.values() if m.role is Role.PRIMARY), None
    )
    settled = dict(members)
    for entry in entries:
        member = members[entry.name]
        own = member.process_limits.oom_score_adj
        if member.role is not Role.SIDECAR:
            continue
        if own is not None and own > (most or 0):
            entry.report.at("limits", "oom_score_adj").error(
                f"more than the primary's, {most or 0}: a sidecar would be killed before it"
            )
        if own is None and most is not None and most < 0:
            limits = replace(member.process_limits, oom_score_adj=most)
            settled[entry.name] = replace(member, process_limits=limits)
    return settled
