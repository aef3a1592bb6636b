"""`pairvisor status`."""

import os
from math import inf

import click

from pairvisor.api.client import LostError, NotRunningError, TimedOutError, listens
from pairvisor.cli import documents, exits, groups, options, past
from pairvisor.cli.exits import fail
from pairvisor.cli.following import Leaving, followed
from pairvisor.cli.measures import now, span
from pairvisor.cli.screen import Screen
from pairvisor.cli.statuses import is_ready, readiness, shown
from pairvisor.record.model import Status


@click.command("status")
@options.group
@click.option(
    "--wait",
    "wanted",
    type=click.Choice(["ready", "ended"]),
    metavar="WHAT",
    help="Wait until the group is `ready`, or has `ended`.",
)
@click.option(
    "--timeout", metavar="T", callback=options.duration, help="How long to wait: 30s, 5m."
)
@options.as_json
@groups.answers()
def command(
    group: str | None, file: str | None, wanted: str | None, timeout: float | None, as_json: bool
) -> None:
    """Show how the group and its members are.

    A line for the group, and one for each member: its role, its state, whether it is ready, its
    pid, how long it has been up, its restarts, the processor time and the memory that all its
    processes use, its concern, and how and why it ended last. A terminal that is too narrow for
    all of that shows what matters most; --json has everything.

    Of a group that has ended, the last result is shown. Exits with 1 if what it waited for did not
    come, with 69 if no such group is running and none is known to have run.
    """
    if timeout is not None and wanted is None:
        raise click.UsageError("--timeout is for --wait")
    target = groups.find(group, file)
    screen = Screen.of_stdout()
    complaint = _wait(target, screen, wanted, timeout) if wanted else ""
    status = current(target)
    if as_json:
        documents.show(status)
    else:
        for line in shown(status, screen, now()):
            click.echo(line)
    if complaint:
        fail(complaint, exits.NO)


def current(target: groups.Target) -> Status:
    """Of the group that runs, or of its last run; if there was none, that is the end."""
    if target.is_running:
        try:
            return target.client.status()
        except NotRunningError:
            pass  # it has ended meanwhile
        except LostError:
            if listens(target.client.path):
                raise
    result = past.result(target)
    if result is None:
        target.fail_as_not_running()
    return result


def _wait(target: groups.Target, screen: Screen, wanted: str, timeout: float | None) -> str:
    """Until it is so; otherwise what is so instead."""
    if not target.is_running and past.result(target) is not None:
        return "" if wanted == "ended" else "the group does not run"
    within = inf if timeout is None else timeout
    client, leaving = target.client, Leaving(os.path.dirname(target.client.path))
    status: Status | None = None
    try:
        with followed(client, within=within) as looks:
            for _, seen in looks:
                status = seen or status
                if status and wanted == "ready" and is_ready(status):
                    return ""
                if status:
                    screen.progress(f"waiting for {status.group}: {readiness(status)}")
    except (NotRunningError, LostError):
        pass  # it has ended before it could be followed
    except TimedOutError:
        return f"not {wanted} within {span(within)}" + (f": {readiness(status)}" if status else "")
    finally:
        screen.progress("")
    leaving.wait()
    return "" if wanted == "ended" else "the group ended before it was ready"
