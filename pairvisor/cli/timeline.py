"""`pairvisor timeline`: who waited for whom in the last start, and how long, as bars."""

import sys
from collections.abc import Iterator
from typing import NamedTuple

import click

from pairvisor.cli import documents, groups, options, past
from pairvisor.cli.measures import span
from pairvisor.cli.screen import BOLD, DIM, GREEN, MAGENTA, RED, Screen, cut, width
from pairvisor.record.model import Bar, Timeline

PIPED = 100  # columns, where there is no terminal to fill
LEAST = 10  # columns for the bars, however narrow it is
LONGEST_NAME = 20


class Glyphs(NamedTuple):
    """What bars are made of."""

    waiting: str
    starting: str


BLOCKS = Glyphs("·", "█")
ASCII = Glyphs(".", "#")


@click.command("timeline")
@options.group
@click.option("--svg", metavar="FILE", help="Draw it into this file; - is stdout.")
@options.as_json
@groups.answers()
def command(*, group: str | None, file: str | None, svg: str | None, as_json: bool) -> None:
    """Show who waited for whom in the last start, and how long each took to be ready.

    Dots are a member's waiting for others, the bar behind them is its own start. A * marks the
    critical path: those without which the group would have been ready sooner.
    """
    if svg and as_json:
        raise click.UsageError("--svg and --json exclude each other")
    timeline = _timeline(groups.find(group, file))
    if as_json:
        documents.show(timeline)
    elif svg:
        _draw(timeline, svg)
    else:
        for line in lines(timeline, Screen.of_stdout(), _glyphs()):
            click.echo(line)


def _timeline(target: groups.Target) -> Timeline:
    if target.is_running:
        return target.client.timeline()
    timeline = past.timeline(target)
    if timeline is None:
        target.fail_as_not_running()
    return timeline


def _draw(timeline: Timeline, svg: str) -> None:
    from pairvisor.cli.drawing import drawing  # noqa: PLC0415 - only where it is drawn

    try:
        with click.open_file(svg, "w", encoding="utf-8") as file:
            file.write(drawing(timeline))
    except OSError as error:
        raise click.BadParameter(f"cannot write {svg}: {error.strerror}") from None


def _glyphs() -> Glyphs:
    return BLOCKS if (sys.stdout.encoding or "").lower().startswith("utf") else ASCII


def lines(timeline: Timeline, screen: Screen, glyphs: Glyphs) -> Iterator[str]:
    """A line for the group, and a bar for each member."""
    head, path = headline(timeline), critical_path(timeline)
    if width(f"{timeline.group}: {head}; {path}") <= (screen.columns or PIPED):
        head += f"; {path}" if path else ""
    yield f"{screen.paint(timeline.group, BOLD)}: {head}"
    names = [cut(bar.member, LONGEST_NAME) for bar in timeline.bars]
    took = [duration(bar) for bar in timeline.bars]
    left, right = max(map(width, names), default=0), max(map(len, took), default=0)
    room = max((screen.columns or PIPED) - left - right - 6, LEAST)
    scale = room / (extent(timeline) or 1)
    for bar, name, text in zip(timeline.bars, names, took, strict=True):
        mark = "*" if bar.is_critical else " "
        begin, length = _span(bar, scale, room)
        colour = RED if not text and bar.spawned is not None else MAGENTA if mark == "*" else GREEN
        drawn = screen.paint(glyphs.waiting * begin, DIM)
        drawn += screen.paint(glyphs.starting * length, colour) + " " * (room - begin - length)
        yield f"{mark} {name}{' ' * (left - width(name))}  {drawn}  {text:>{right}}"


def headline(timeline: Timeline) -> str:
    """`ready after 1.2s, start 3`."""
    state = "not ready yet" if timeline.took is None else f"ready after {span(timeline.took)}"
    return f"{state}, start {timeline.round}"


def critical_path(timeline: Timeline) -> str:
    """`critical path: db, web`."""
    path = [bar.member for bar in timeline.bars if bar.is_critical]
    return f"critical path: {', '.join(path)}" if path else ""


def extent(timeline: Timeline) -> float:
    """Seconds, from the start to the last thing that is known of it."""
    known = [time for bar in timeline.bars for time in (bar.spawned, settled(bar)) if time]
    return max(known, default=0) if timeline.took is None else max(timeline.took, *known, 0)


def settled(bar: Bar) -> float | None:
    """When it was ready, or had ended without that, as an init does."""
    return bar.ended if bar.ready is None else bar.ready


def duration(bar: Bar) -> str:
    """Of its own start."""
    end = settled(bar)
    return "" if bar.spawned is None or end is None else span(end - bar.spawned)


def _span(bar: Bar, scale: float, room: int) -> tuple[int, int]:
    """Where its own start begins, and how long it is; one that has not begun has none."""
    if bar.spawned is None:
        return room, 0
    end = settled(bar)
    begin = min(round(bar.spawned * scale), room - 1)
    until = room if end is None else min(round(end * scale), room)
    return begin, max(until - begin, 1)
