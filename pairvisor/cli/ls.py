"""`pairvisor ls`: the groups on this machine."""

import os
from contextlib import suppress

import click

from pairvisor.api.client import ControlError
from pairvisor.cli import documents, groups, options, past
from pairvisor.cli.measures import now, seconds_of, span
from pairvisor.cli.screen import BOLD, Screen
from pairvisor.cli.statuses import OVER, colours
from pairvisor.cli.table import Cell, Column, lines
from pairvisor.record.model import Status

COLUMNS = (
    Column("GROUP", least=12),
    Column("STATE"),
    Column("READY"),
    Column("UP", rank=1, is_number=True),
    Column("RESTARTS", rank=2, is_number=True),
    Column("MEMBERS", rank=3, is_number=True),
    Column("USER", rank=4),
    Column("MANIFEST", rank=5, least=12),
)


@click.command("ls")
@click.option("-a", "--all", "with_ended", is_flag=True, help="Those that have ended as well.")
@options.as_json
@groups.answers()
def command(*, with_ended: bool, as_json: bool) -> None:
    """List the groups that run on this machine, as far as this user may see them."""
    found = _running()
    if with_ended:
        names = {status.group for _, status in found}
        found += [(os.geteuid(), s) for s in past.results() if s.group not in names]
    if as_json:
        documents.show([status for _, status in found])
        return
    if not found:
        click.echo("no group is running", err=True)
        return
    screen, at = Screen.of_stdout(), now()
    for line in lines(screen, COLUMNS, [_row(uid, status, at) for uid, status in found]):
        click.echo(line)


def _running() -> list[tuple[int, Status]]:
    """With the user whose each is."""
    found = []
    for run, client in groups.running(of_everybody=True):
        with suppress(ControlError, OSError):  # it ends, or hangs: not a thing of the others
            found.append((os.stat(run).st_uid, client.status()))
    return found


def _row(uid: int, status: Status, at: float) -> list[Cell]:
    is_over = status.state in OVER
    ready = "yes" if status.ready else "no"
    is_up = status.started_at is not None and not is_over
    return [
        Cell(status.group, (BOLD,)),
        Cell(status.state, colours(status.state, is_ready=status.ready)),
        Cell("" if is_over else ready),
        Cell(span(at - seconds_of(status.started_at)) if is_up and status.started_at else ""),
        Cell(str(status.restarts)),
        Cell(str(len(status.members))),
        Cell("" if uid == os.geteuid() else groups.user_name(uid)),
        Cell(status.manifest),
    ]
