"""A group in this process: claim its folders, run it, say how it ended."""

import os
import socket
from contextlib import suppress
from typing import NoReturn

from pairvisor.api.listener import Listener, bind
from pairvisor.cli.console import Console
from pairvisor.cli.exits import ALREADY_RUNNING, BAD_MANIFEST, CANNOT_CREATE, INTERNAL, fail
from pairvisor.cli.manifests import load_or_exit
from pairvisor.cli.news import Reporter
from pairvisor.manifest.group import Group
from pairvisor.runtime import guard
from pairvisor.runtime.folders import AlreadyRunningError, Folders, UnsafeFolderError
from pairvisor.runtime.logs.pump import Pump
from pairvisor.runtime.provision import Provision, ProvisionError
from pairvisor.runtime.records import Records
from pairvisor.runtime.rings import Rings
from pairvisor.runtime.supervisor import InternalError, Supervisor

DRAIN = 1.0  # seconds for the last lines to reach the terminal


def run(file: str | None, *, detached: bool = False, watch: bool = False) -> NoReturn:
    """Run the manifest's group to its end, and exit as it says.

    A detached one has no terminal: stderr is a pipe to who started it, for what keeps it from
    starting, or a NUL once its control socket answers.
    """
    os.umask(0o077)
    group = load_or_exit(file)
    folders = Folders(group.places)
    front = Listener(_claim(folders, group), watch=watch)
    if detached:
        front.when_served = _let_go
    guard.entrust(folders.lock, folders.folder, group.places.run)
    status = _run(group, folders, front, None if detached else Console(list(group.members)))
    # Nothing is left to do, and an interpreter takes its time to find that out.
    os._exit(status)


def _claim(folders: Folders, group: Group) -> socket.socket:
    """The group's folders are ours, and its control socket listens."""
    try:
        folders.claim()
        listener = bind(group)
    except AlreadyRunningError:
        message, code = f"group {group.name} is running already", ALREADY_RUNNING
    except UnsafeFolderError as error:
        message, code = str(error), CANNOT_CREATE
    except OSError as error:
        message = f"cannot make the group's folder {group.places.run}: {error.strerror}"
        code = CANNOT_CREATE
    else:
        return listener
    return fail(message, code)


def _run(group: Group, folders: Folders, front: Listener, console: Console | None) -> int:
    pump = Pump(console, Rings(list(group.members)))
    reporter = Reporter(pump, is_terminal=console is not None and console.is_terminal)
    records = Records(group, reporter.tell)
    provision = _provide(group, folders, records)
    pump.adopt(group)
    pump.start()
    supervisor = Supervisor(provision, folders, pump, records, front)
    try:
        finish = supervisor.run()
    except InternalError as error:
        pump.say(f"internal error: {error.__cause__!r}; the group is killed. Please report this.")
        pump.finish(DRAIN)
        return INTERNAL
    from pairvisor.runtime.status import final_status  # noqa: PLC0415 - not before the members

    records.close(final_status(supervisor))
    provision.close()
    reporter.close(finish)
    pump.finish(DRAIN)
    guard.leave(supervisor.unkillable())
    return finish.status


def _provide(group: Group, folders: Folders, records: Records) -> Provision:
    try:
        return Provision(group, folders, records.contained)
    except ProvisionError as error:
        return fail(str(error), BAD_MANIFEST)


def _let_go() -> None:
    """Who started us need not wait any longer for what keeps a group from starting."""
    with suppress(OSError):
        os.write(2, b"\0")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 2)
    os.close(nothing)
