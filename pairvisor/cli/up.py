"""`pairvisor up`."""

import os
import sys

import click

from pairvisor.cli import manifests
from pairvisor.cli.console import Console
from pairvisor.cli.news import Reporter
from pairvisor.manifest.group import Group
from pairvisor.runtime import guard
from pairvisor.runtime.folders import AlreadyRunningError, Folders, UnsafeFolderError
from pairvisor.runtime.pump import Pump
from pairvisor.runtime.supervisor import InternalError, Supervisor

INTERNAL = 70  # sysexits.h: EX_SOFTWARE
CANNOT_CREATE = 73  # EX_CANTCREAT
ALREADY_RUNNING = 75  # EX_TEMPFAIL
DRAIN = 1.0  # seconds for the last lines to reach the terminal


@click.command("up")
@manifests.option
def command(file: str | None) -> None:
    """Start the group and stay with it, its members' output behind their names.

    Ctrl-C stops it in order; a second Ctrl-C leaves it two seconds more. Exits with 0 after a
    success or a stop that was asked for; with the code of the member that was the cause, or 128
    and its signal, after a failure; with 78 for a bad manifest, 75 if the group runs already.
    """
    group = manifests.load_or_exit(file)
    folders = Folders(group.places)
    _claim(folders, group)
    guard.entrust(folders.lock)
    status = _run(group, folders)
    # Nothing is left to do, and an interpreter takes its time to find that out.
    os._exit(status)


def _claim(folders: Folders, group: Group) -> None:
    try:
        folders.claim()
    except AlreadyRunningError:
        message, code = f"group {group.name} is running already", ALREADY_RUNNING
    except UnsafeFolderError as error:
        message, code = str(error), CANNOT_CREATE
    except OSError as error:
        message = f"cannot make the group's folder {group.places.run}: {error.strerror}"
        code = CANNOT_CREATE
    else:
        return
    click.echo(f"pairvisor: {message}", err=True)
    sys.exit(code)


def _run(group: Group, folders: Folders) -> int:
    console = Console(list(group.members))
    pump = Pump(console)
    pump.start()
    reporter = Reporter(pump, console)
    try:
        finish = Supervisor(group, folders, pump, reporter.tell).run()
    except InternalError as error:
        pump.say(f"internal error: {error.__cause__!r}; the group is killed. Please report this.")
        pump.finish(DRAIN)
        return INTERNAL
    folders.release()
    reporter.close(finish)
    pump.finish(DRAIN)
    return finish.status
