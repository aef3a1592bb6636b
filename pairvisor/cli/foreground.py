"""A group in the foreground: claim its folders, run it, say how it ended."""

import os
from typing import NoReturn

from pairvisor.cli.console import Console
from pairvisor.cli.exits import ALREADY_RUNNING, CANNOT_CREATE, INTERNAL, fail
from pairvisor.cli.manifests import load_or_exit
from pairvisor.cli.news import Reporter
from pairvisor.manifest.group import Group
from pairvisor.runtime import guard
from pairvisor.runtime.folders import AlreadyRunningError, Folders, UnsafeFolderError
from pairvisor.runtime.pump import Pump
from pairvisor.runtime.supervisor import InternalError, Supervisor

DRAIN = 1.0  # seconds for the last lines to reach the terminal


def run(file: str | None) -> NoReturn:
    """Run the manifest's group to its end, and exit as it says."""
    os.umask(0o077)
    group = load_or_exit(file)
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
    fail(message, code)


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
