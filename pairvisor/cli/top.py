"""`pairvisor top`: the group and its members, live.

What is used is told as a sum since the start: two looks give the rate. rich has the terminal's
other screen, and restores it; the table is the one that `status` draws, too.
"""

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

import click

from pairvisor.api.client import Client, LostError, NotRunningError, TimedOutError
from pairvisor.cli import groups, options, past
from pairvisor.cli.measures import now, seconds_of, size, span
from pairvisor.cli.screen import BOLD, DIM, MAGENTA, RED, Screen
from pairvisor.cli.statuses import OVER, colours, headlines
from pairvisor.cli.table import Cell, Column, lines
from pairvisor.record.model import MemberStatus, Status

if TYPE_CHECKING:
    from rich.text import Text

STDIN = 0
PERIOD = 1.0  # seconds from one look to the next
SOON = 0.4  # the same for the first two
PATIENCE = 2.0  # seconds for an answer, in which no key is heard
QUIT = b"qQ\x03\x04"
COLUMNS = (
    Column("MEMBER", least=12),
    Column("STATE"),
    Column("READY"),
    Column("PID", rank=4, is_number=True),
    Column("UP", rank=3, is_number=True),
    Column("RESTARTS", rank=2, is_number=True),
    Column("CPU%", is_number=True),
    Column("MEMORY", is_number=True),
    Column("PROCS", rank=6, is_number=True),
    Column("LOG B/S", rank=1, is_number=True),
    Column("ROLE", rank=5),
    Column("CONCERN", rank=7, least=12),
)


class Sample(NamedTuple):
    """A look, and when it was, on the monotonic clock."""

    status: Status
    at: float


class Use(NamedTuple):
    """What one member uses, between two looks; null: not known yet."""

    member: MemberStatus
    cpu: float | None  # per cent of one processor
    log: float | None  # bytes a second


@click.command("top")
@options.group
@groups.answers()
def command(*, group: str | None, file: str | None) -> None:
    """Watch the members: processor time, memory, restarts, how much they log, readiness.

    Looks once a second; q or Ctrl-C ends it. Where stdout is no terminal, it looks once.
    """
    target = groups.find(group, file)
    client = Client(target.client.path, PATIENCE)
    screen = Screen.of_stdout()
    if screen.is_terminal:
        result = past.result(target) if _watch(client) else None
        if result is not None and result.state in OVER:
            for line in headlines(result, screen, now()):
                click.echo(line)
        return
    before = _sample(client)
    select.select([], [], [], SOON)
    for line in shown(before, _sample(client), screen, now()):
        click.echo(line)


def shown(before: Sample, latest: Sample, screen: Screen, at: float, rows: int = 0) -> list[str]:
    """Lines, no more than there are rows; 0 is no limit."""
    uses = [_use(member, before, latest) for member in latest.status.members]
    head = [*headlines(latest.status, screen, at), _totals(uses), ""]
    room = rows - len(head) - 2 if rows else len(uses)
    more = len(uses) - room
    if more > 0:
        uses = sorted(uses, key=_how_interesting)[: max(room, 1)]
    table = lines(screen, COLUMNS, [_row(use, at) for use in uses])
    return [*head, *table, *([screen.paint(f"and {more} more", DIM)] if more > 0 else [])]


def _use(member: MemberStatus, before: Sample, latest: Sample) -> Use:
    earlier = next((m for m in before.status.members if m.name == member.name), None)
    took = latest.at - before.at
    if earlier is None or took <= 0:
        return Use(member, None, None)
    log = (member.log_bytes - earlier.log_bytes) / took
    if earlier.pid != member.pid or earlier.cpu_seconds is None or member.cpu_seconds is None:
        return Use(member, None, log)
    # A process that has ended takes its time with it.
    return Use(member, max(member.cpu_seconds - earlier.cpu_seconds, 0) / took * 100, log)


def _how_interesting(use: Use) -> tuple[bool, float]:
    """Those that should be ready and are not, then the busiest."""
    return use.member.ready or use.member.pid is None, -(use.cpu or 0)


def _totals(uses: Sequence[Use]) -> str:
    cpu = sum(use.cpu or 0 for use in uses)
    memory = sum(use.member.memory or 0 for use in uses)
    processes = sum(use.member.processes or 0 for use in uses)
    return f"{cpu:.0f}% CPU, {size(memory)} memory, {processes} processes"


def _row(use: Use, at: float) -> list[Cell]:
    member = use.member
    lives = member.pid is not None
    since = seconds_of(member.started_at) if lives and member.started_at else None
    ready = ("yes" if member.ready else "no") if lives else ""
    return [
        Cell(member.name, (BOLD,)),
        Cell(member.state, colours(member.state, is_ready=member.ready)),
        Cell(ready, () if member.ready else (MAGENTA,)),
        Cell(str(member.pid or "")),
        Cell("" if since is None else span(at - since)),
        Cell(str(member.restarts)),
        Cell((f"{use.cpu:.1f}" if use.cpu is not None else "-") if lives else ""),
        Cell("" if member.memory is None else size(member.memory)),
        Cell("" if member.processes is None else str(member.processes)),
        Cell((size(use.log) if use.log is not None else "-") if lives else ""),
        Cell(member.role),
        Cell(member.concern),
    ]


def _sample(client: Client) -> Sample:
    return Sample(client.status(), monotonic())


def _watch(client: Client) -> bool:
    """Until a key ends it, or the group has ended: whether it has."""
    from rich.console import Console  # noqa: PLC0415 - for nothing else, and it takes 50 ms
    from rich.live import Live  # noqa: PLC0415 - as above

    console = Console(highlight=False, soft_wrap=False)
    before = latest = _sample(client)
    complaint = ""
    with _terminal() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
        until = latest.at + SOON
        while True:
            live.update(_page(before, latest, complaint), refresh=True)
            key = _wait(keys, until)
            if key and key in QUIT:
                return False
            if monotonic() < until:
                continue  # another key, or another size
            try:
                before, latest, complaint = latest, _sample(client), ""
            except TimedOutError as error:
                complaint = str(error)
            except (NotRunningError, LostError):
                return True
            until = monotonic() + PERIOD


def _page(before: Sample, latest: Sample, complaint: str) -> "Text":
    from rich.text import Text  # noqa: PLC0415 - as above

    screen = Screen.of_stdout()
    rows = os.get_terminal_size(sys.__stdout__.fileno()).lines if sys.__stdout__ else 0
    page = shown(before, latest, screen, now(), rows)
    if complaint:
        page[1] = screen.paint(complaint, RED)
    text = Text("\n", no_wrap=True, overflow="crop", end="")
    return text.join(Text.from_ansi(line) for line in page)


def _wait(keys: Sequence[int], until: float) -> bytes:
    """A key that was pressed before that, or nothing; it comes back for a change of size, too."""
    readable, _, _ = select.select(keys, [], [], max(until - monotonic(), 0))
    found = b""
    for descriptor in readable:
        data = os.read(descriptor, 64)
        if descriptor == STDIN:
            found = data[:1] or b"q"  # the end of the input: nobody is there any more
    return found


@contextmanager
def _terminal() -> Iterator[list[int]]:
    """Keys come at once and unseen, signals end it in order, sizes are noticed. What to read."""
    wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGWINCH, lambda *_: None)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda number, _: sys.exit(128 + number))
    usual = termios.tcgetattr(STDIN) if os.isatty(STDIN) else None
    if usual is not None:
        tty.setcbreak(STDIN)
        # Ctrl-C is a key like others here: no exception in the middle of a line.
        raw = termios.tcgetattr(STDIN)
        raw[tty.LFLAG] &= ~termios.ISIG
        termios.tcsetattr(STDIN, termios.TCSANOW, raw)
    try:
        yield [wake] if usual is None else [wake, STDIN]
    finally:
        if usual is not None:
            termios.tcsetattr(STDIN, termios.TCSAFLUSH, usual)
        signal.set_wakeup_fd(-1)
