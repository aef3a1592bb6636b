"""`pairvisor events`: what has happened to the group, and happens."""

import sys
from collections.abc import Iterator
from contextlib import closing

import click

from pairvisor.api.client import Client, LostError
from pairvisor.cli import documents, groups, options, past
from pairvisor.cli.measures import clock, now
from pairvisor.cli.screen import GREEN, MAGENTA, RED, Screen
from pairvisor.record.model import Event, Kind

WHEN_FOLLOWING = 10  # events from before, where nobody says how many
COLOURS = {
    Kind.GROUP_READY: GREEN,
    Kind.MEMBER_READY: GREEN,
    Kind.RECOVERED: GREEN,
    Kind.MEMBER_UNREADY: MAGENTA,
    Kind.MEMBER_KILLED: MAGENTA,
    Kind.LEFT_BEHIND: MAGENTA,
    Kind.GROUP_BACKOFF: MAGENTA,
    Kind.MEMBER_BACKOFF: MAGENTA,
    Kind.MEMBER_FAILED: RED,
    Kind.MEMBER_UNKILLABLE: RED,
    Kind.REFUSED: RED,
    Kind.RELOAD_FAILED: RED,
    Kind.DEGRADED: RED,
    Kind.FAULT: RED,
}


@click.command("events")
@options.group_to_follow
@click.option("-n", "count", metavar="N", type=click.IntRange(0), help="The last N events at most.")
@options.as_json_lines
@groups.answers()
def command(
    group: str | None, file: str | None, follow: bool, count: int | None, as_json: bool
) -> None:
    """Show what has happened to the group, over all its lives, as far as it is still known.

    With -f the last ten events, or as many as -n asks for, and then what happens, until the group
    ends. A group that has ended tells it, too.
    """
    target = groups.find(group, file)
    events = _events(target, count, follow=follow)
    if as_json:
        documents.show_lines(events)
        return
    screen, today = Screen.of_stdout(), now()
    for event in events:
        sys.stdout.write(shown(event, screen, today) + "\n")
        if follow:
            sys.stdout.flush()


def _events(target: groups.Target, count: int | None, *, follow: bool) -> Iterator[Event]:
    if not target.is_running:
        known = past.events(target)
        if not known:
            target.fail_as_not_running()
        yield from known if count is None else known[len(known) - min(count, len(known)) :]
    elif follow:
        n = WHEN_FOLLOWING if count is None else count
        yield from _followed(target.client, n)
    else:
        yield from target.client.events(n=count)


def _followed(client: Client, n: int) -> Iterator[Event]:
    """To the end of the group, over a supervisor that replaces itself, too."""
    wanted = {"n": n}
    while True:
        try:
            with closing(client.follow_events(**wanted)) as stream:
                for event in stream:
                    wanted = {"since": event.id}
                    yield event
                return
        except LostError:
            pass  # where nobody listens any more, the next look says so


def shown(event: Event, screen: Screen, today: float) -> str:
    """`12:03:04.123  tls was killed by SIGKILL`."""
    colours = [COLOURS[event.kind]] if event.kind in COLOURS else []
    return f"{clock(event.at, today)}  {screen.paint(screen.text(event.text), *colours)}"
