"""A group's status, as people read it: a line for the group, one for each member."""

from collections.abc import Iterator

from pairvisor.cli.measures import seconds_of, size, span
from pairvisor.cli.screen import BOLD, GREEN, MAGENTA, RED, Screen, width
from pairvisor.cli.table import Cell, Column, lines
from pairvisor.record.model import Cause, Exit, MemberStatus, Status

BAD = {"failed", "killed"}
OVER = {"succeeded", "failed", "stopped", "killed"}
COLUMNS = (
    Column("MEMBER", least=12),
    Column("ROLE", rank=6),
    Column("STATE"),
    Column("READY"),
    Column("PID", rank=3, is_number=True),
    Column("UP", rank=1, is_number=True),
    Column("RESTARTS", rank=2, is_number=True),
    Column("CPU", rank=5, is_number=True),
    Column("MEMORY", rank=4, is_number=True),
    Column("CONCERN", rank=8, least=12),
    Column("LAST END", rank=7, least=7),
    Column("FROM", rank=9, least=12),
)


def shown(status: Status, screen: Screen, at: float) -> Iterator[str]:
    """All of it, line by line, at that time of the wall clock."""
    yield from headlines(status, screen, at)
    for problem in status.degraded:
        yield screen.paint(screen.text(f"degraded: {problem}"), RED)
    if status.members:
        yield from lines(screen, COLUMNS, [_row(member, at) for member in status.members])
    if status.containment:
        yield screen.text(_containment(status))
    if status.last_lines:
        yield from _last_lines(status, screen)


def _containment(status: Status) -> str:
    """What keeps its processes together, and why nothing better does."""
    why = status.why_not_contained_better
    return f"containment: {status.containment}{f' ({why})' if why else ''}"


def headlines(status: Status, screen: Screen, at: float) -> Iterator[str]:
    """The group in a line; a terminal that is too narrow has the cause below that."""
    facts = _facts(status, at)
    why = screen.text(status.cause.text) if status.cause else ""
    whole = f"{status.group}: {status.state}{facts}"
    state = screen.paint(status.state, *colours(status.state, is_ready=status.ready))
    line = f"{screen.paint(status.group, BOLD)}: {state}{facts}"
    if not why:
        yield line
    elif screen.columns is None or width(f"{whole}: {why}") <= screen.columns:
        yield f"{line}: {why}"
    else:
        yield f"{line}:"
        yield from screen.wrapped(status.cause.text if status.cause else "", "  ")


def _facts(status: Status, at: float) -> str:
    if status.state in OVER:
        code = f" with exit code {status.exit_status}" if status.exit_status else ""
        return f"{ago(status.ended_at, at)}{code}"
    ready = f", {readiness(status)}" if status.state in ("starting", "running") else ""
    up = f", up {span(at - seconds_of(status.started_at))}" if status.started_at else ""
    return f"{ready}{up}, {restarts_in_words(status.restarts)}"


def is_ready(status: Status) -> bool:
    return status.state == "running" and status.ready


def readiness(status: Status) -> str:
    """`ready`, or whom the group waits for: those that wait for others themselves are not named."""
    if status.ready:
        return "ready"
    unready = [m for m in status.members if not m.ready and m.state not in ("succeeded", "stopped")]
    awaited = [m.name for m in unready if not m.waits_for]
    return f"not ready, waits for {', '.join(awaited)}" if awaited else "not ready"


def restarts_in_words(count: int) -> str:
    return f"{count or 'no'} restart{'' if count == 1 else 's'}"


def ago(at: str | None, now_: float) -> str:
    return f" {span(now_ - seconds_of(at))} ago" if at else ""


def _row(member: MemberStatus, at: float) -> list[Cell]:
    lives = member.pid is not None
    since = seconds_of(member.started_at) if lives and member.started_at else None
    ready = "yes" if member.ready else "no"
    return [
        Cell(member.name, (BOLD,)),
        Cell(member.role),
        Cell(member.state, colours(member.state, is_ready=member.ready)),
        Cell(ready if lives else "", () if member.ready else (MAGENTA,)),
        Cell(str(member.pid or "")),
        Cell("" if since is None else span(at - since)),
        Cell(str(member.restarts)),
        Cell(span(member.cpu_seconds) if lives and member.cpu_seconds is not None else ""),
        Cell(size(member.memory) if lives and member.memory is not None else ""),
        Cell(member.concern),
        Cell(_last_end(member, at), short=end(member.exit) if member.exit else ""),
        Cell("" if member.origin == "manifest" else member.origin),
    ]


def colours(state: str, *, is_ready: bool) -> tuple[int, ...]:
    if state in BAD:
        return (RED,)
    if state == "stopped":
        return ()
    is_good = state == "succeeded" or (state == "running" and is_ready)
    return (GREEN,) if is_good else (MAGENTA,)


def _last_end(member: MemberStatus, at: float) -> str:
    """`exit 3, 20s ago`, `SIGTERM, 3m20s ago (tls was killed by SIGKILL)`."""
    if member.exit is None:
        return ""
    why = _why(member.name, member.exit, member.cause)
    when = f",{ago(member.ended_at, at)}" if member.ended_at else ""
    return end(member.exit) + when + (f" ({why})" if why else "")


def end(exit_: Exit) -> str:
    """In a word or two: `exit 3`, `SIGKILL`."""
    if exit_.error is not None:
        return "not started"
    return exit_.signal or f"exit {exit_.code}"


def _why(member: str, exit_: Exit, cause: Cause | None) -> str:
    if exit_.error is not None:
        return exit_.error
    own = "out of memory" if exit_.out_of_memory else ""
    if cause is None:
        return own
    # What it did itself, its exit tells; what else it was, or who it was, the cause does.
    is_its_exit = cause.member == member and cause.exit == exit_
    return cause.detail or own if is_its_exit else cause.text


def _last_lines(status: Status, screen: Screen) -> Iterator[str]:
    who = status.cause.member if status.cause and status.cause.member else "it"
    yield f"the last that {who} wrote:"
    yield from (f"  {screen.text(line)}" for line in status.last_lines)
