"""`pairvisor down`: stops the group, and comes back when nothing of it is left."""

import os
import sys
from contextlib import closing
from time import monotonic

import click

from pairvisor.api.client import Client
from pairvisor.cli import documents, exits, groups, options, past
from pairvisor.cli.following import Leaving, looks
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
    client, leaving = target.client, Leaving(os.path.dirname(target.client.path))
    began = monotonic()
    answer = client.stop()
    if not waits:
        if as_json:
            documents.show(answer)
        else:
            click.echo(answer.text)
        return
    end = _follow(client, answer.event)
    leaving.wait()
    if as_json:
        documents.show(past.result(target))
    else:
        result = end.text if end else f"the supervisor of group {target.name} was killed"
        click.echo(f"{result}, after {span(monotonic() - began)}")
    if end is None or end.status:
        sys.exit(exits.NO)


def _follow(client: Client, since: int) -> Event | None:
    """To the last event of the group."""
    screen = Screen.of_stdout()
    try:
        with closing(looks(client, since=since)) as found:
            for event, status in found:
                if event.kind is Kind.GROUP_ENDED:
                    return event
                if event.kind is Kind.MEMBER_KILLED:
                    screen.say(screen.text(event.text))
                if status:
                    screen.progress(progress(status))
    except KeyboardInterrupt:
        screen.progress("")
        sys.stderr.write("pairvisor: it goes on stopping\n")
        raise
    finally:
        screen.progress("")
    return None


def progress(status: Status) -> str:
    """Who is still there, those that stop already first."""
    left = [member for member in status.members if member.pid is not None]
    left.sort(key=lambda member: member.state != "stopping")
    done = len(status.members) - len(left)
    names = ", ".join(member.name for member in left)
    return f"still stopping: {names} ({done} of {len(status.members)} have ended)"
