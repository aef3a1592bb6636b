"""`pairvisor reexec`: the supervisor replaces itself by the version that is installed now."""

from time import monotonic

import click

from pairvisor.api.client import Client, LostError, NotRunningError
from pairvisor.cli import documents, exits, groups, options
from pairvisor.cli.exits import fail
from pairvisor.cli.measures import span
from pairvisor.cli.screen import Screen
from pairvisor.record.model import Event, Kind

OUTCOMES = frozenset({Kind.REEXECUTED, Kind.REEXEC_FAILED, Kind.GROUP_ENDED})


@click.command("reexec")
@options.group
@options.no_wait
@options.as_json
@groups.answers()
def command(*, group: str | None, file: str | None, no_wait: bool, as_json: bool) -> None:
    """Let the installed version supervise the group, in the same process; its members run on.

    For after an upgrade. Output, probes, backoffs and time-outs go on as they are; connections to
    the control socket are closed, so `logs -f` ends. A member that is on its way down,
    or a hook, is waited for; where somebody's `exec` runs, it is refused. Where the installed
    version can't take over, the group runs on as it did: exits with 1, and says why. SIGUSR2 to the
    supervisor asks for the same.
    """
    client = groups.find(group, file).client
    began = monotonic()
    answer = client.reexec()
    if no_wait:
        documents.show(answer) if as_json else click.echo("asked to re-execute")
        return
    event = _outcome(client, answer.event)
    if as_json:
        documents.show(event)
    elif event.kind is Kind.REEXECUTED:
        text = Screen.of_stdout().text(event.text)
        click.echo(f"{text}, after {span(monotonic() - began)}")
    if event.kind is not Kind.REEXECUTED:
        fail(event.text, exits.NO)


def _outcome(client: Client, request: int) -> Event:
    """The first of the events since that says what has become of it."""
    since = request
    while True:
        try:
            for event in client.follow_events(since=since):
                since = event.id
                is_ours = event.cause == request or event.kind is Kind.GROUP_ENDED
                if is_ours and event.kind in OUTCOMES:
                    return event
        except LostError:
            pass
        except NotRunningError:
            fail("the supervisor has ended", exits.NOT_RUNNING)
