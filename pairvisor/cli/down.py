"""`pairvisor down`: stops the group, and comes back when nothing of it is left."""

import os
import sys
from collections.abc import Iterator
from time import monotonic

import click

from pairvisor.api.client import Client
from pairvisor.cli import documents, exits, groups, options, past
from pairvisor.cli.following import Leaving, Look, followed
from pairvisor.cli.measures import span
from pairvisor.cli.screen import Screen
from pairvisor.record.model import Event, Kind, Status


@click.command("down")
@options.group
@options.no_wait
@options.as_json
@groups.answers()
def command(*, group: str | None, file: str | None, no_wait: bool, as_json: bool) -> None:
    """Stop the group in order, and say the result.

    Comes back when the last process is gone, so that `pairvisor down && pairvisor up` works. Exits
    with 0 if it was stopped or has succeeded; with 1 if the result is a failure, as when the
    primary had to be killed; with 69 if no such group is running. Ctrl-C leaves it stopping.
    """
    bring_down(groups.find(group, file), waits=not no_wait, as_json=as_json)


def bring_down(target: groups.Target, *, waits: bool, as_json: bool) -> None:
    """Stop the whole group, say the result, and exit if it is a failure."""
    client = target.client
    if not waits:
        answer = client.stop()
        if as_json:
            documents.show(answer)
        else:
            click.echo(f"{target.name}: asked to stop")
        return
    began = monotonic()
    leaving = Leaving(os.path.dirname(client.path))
    end = _follow(client)
    leaving.wait()
    if as_json:
        documents.show(past.result(target))
    else:
        text = end.text if end else f"the supervisor of group {target.name} was killed"
        click.echo(f"{text}, after {span(monotonic() - began)}")
    if end is None or end.status:
        sys.exit(exits.NO)


def _follow(client: Client) -> Event | None:
    """Ask for it, and wait for the last event of the group."""
    screen = Screen.of_stdout()
    try:
        with followed(client) as looks:
            client.stop()
            return _last(looks, screen)
    except KeyboardInterrupt:
        screen.progress("")
        sys.stderr.write("pairvisor: it goes on stopping\n")
        raise
    finally:
        screen.progress("")


def _last(looks: Iterator[Look], screen: Screen) -> Event | None:
    next(looks, None)  # at how it was before
    for event, status in looks:
        if event.kind is Kind.GROUP_ENDED:
            return event
        if event.kind is Kind.MEMBER_KILLED:
            screen.say(screen.text(event.text))
        if status:
            screen.progress(progress(status))
    return None


def progress(status: Status) -> str:
    """Who is still there, those that stop already first."""
    left = [member for member in status.members if member.pid is not None]
    left.sort(key=lambda member: member.state != "stopping")
    done = len(status.members) - len(left)
    names = ", ".join(member.name for member in left)
    return f"still stopping: {names} ({done} of {len(status.members)} have ended)"
