"""A group in this process: claim its folders, run it, say how it ended."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from msgspec import Struct

from pairvisor.api.listener import Listener, bind
from pairvisor.cli.console import STDOUT, Console
from pairvisor.cli.exits import ALREADY_RUNNING, BAD_MANIFEST, CANNOT_CREATE, INTERNAL, fail
from pairvisor.cli.manifests import load_or_exit
from pairvisor.cli.news import Reporter
from pairvisor.manifest.group import Group
from pairvisor.record.model import Event
from pairvisor.runtime import guard
from pairvisor.runtime.folders import AlreadyRunningError, Folders, UnsafeFolderError
from pairvisor.runtime.logs.pump import Pump
from pairvisor.runtime.manager import Manager
from pairvisor.runtime.provision import Provision, ProvisionError
from pairvisor.runtime.records import Records
from pairvisor.runtime.rings import Rings
from pairvisor.runtime.supervisor import InternalError, Supervisor

DRAIN = 1.0  # seconds for the last lines to reach the terminal
STDERR = 2


class Outside(Struct, frozen=True):
    """Who is told of the group as it goes: people at a terminal, the journal, a service manager."""

    console: Console | None
    manager: Manager
    has_journal: bool = False


def run(file: str | None, *, detached: bool = False, watch: bool = False) -> NoReturn:
    """Run the manifest's group to its end, and exit as it says.

    A detached one has no terminal: stderr is a pipe to who started it, for what keeps it from
    starting, or a NUL once its control socket answers.
    """
    group, folders, control = _begin(file)
    front = Listener(control, watch=watch)
    if detached:
        front.when_served = _let_go
    is_terminal = os.isatty(STDOUT)
    console = None if detached else Console(list(group.members), is_terminal=is_terminal)
    _end(_run(group, folders, front, Outside(console, Manager({}))))


def serve(file: str) -> NoReturn:
    """The same for a service manager, which is told how the group is (sd_notify(3)).

    Where our stderr is the journal, all goes there, in entries of their own; otherwise to stdout.
    """
    group, folders, control = _begin(file)
    has_journal = _is_journal(STDERR)
    console = None if has_journal else Console(list(group.members), is_terminal=False)
    outside = Outside(console, Manager(os.environ), has_journal=has_journal)
    _end(_run(group, folders, Listener(control, reloads=True), outside))


def _begin(file: str | None) -> tuple[Group, Folders, socket.socket]:
    """The manifest's group, its folders, which are ours, and its control socket, which listens."""
    os.umask(0o077)
    group = load_or_exit(file)
    folders = Folders(group.places)
    control = _claim(folders, group)
    guard.entrust(folders.lock, folders.folder, group.places.run)
    return group, folders, control


def _end(status: int) -> NoReturn:
    """Nothing is left to do, and an interpreter takes its time to find that out."""
    os._exit(status)


def _is_journal(descriptor: int) -> bool:
    if "JOURNAL_STREAM" not in os.environ:
        return False
    from pairvisor.runtime.logs import journal  # noqa: PLC0415 - of services alone

    return journal.is_ours(os.environ, descriptor)


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


def _run(group: Group, folders: Folders, front: Listener, outside: Outside) -> int:
    console = outside.console
    journal = group.name if outside.has_journal else ""
    pump = Pump(console, Rings(list(group.members)), journal)
    reporter = Reporter(pump, is_terminal=console is not None and console.is_terminal)
    records = Records(group, reporter.tell)
    if outside.has_journal:
        records.on_kept = _noting(pump)
    provision = _provide(group, folders, records)
    pump.adopt(group)
    pump.start()
    supervisor = Supervisor(provision, folders, pump, records, front)
    supervisor.manager = outside.manager
    try:
        finish = supervisor.run()
    except InternalError as error:
        message = f"internal error: {error.__cause__!r}; the group is killed. Please report this."
        if console is None:
            with suppress(OSError):
                os.write(STDERR, f"pairvisor: {message}\n".encode())
        pump.say(message)
        pump.finish(DRAIN)
        return INTERNAL
    from pairvisor.runtime.status import final_status  # noqa: PLC0415 - not before the members

    records.close(final_status(supervisor))
    provision.close()
    reporter.close(finish)
    pump.finish(DRAIN)
    guard.leave(supervisor.unkillable())
    return finish.status


def _noting(pump: Pump) -> Callable[[Event], None]:
    """Each event becomes an entry of the journal."""
    from pairvisor.record.entries import fields  # noqa: PLC0415 - of services alone

    return lambda event: pump.note(fields(event))


def _provide(group: Group, folders: Folders, records: Records) -> Provision:
    try:
        return Provision(group, folders, records.contained)
    except ProvisionError as error:
        return fail(str(error), BAD_MANIFEST)


def _let_go() -> None:
    """Who started us need not wait any longer for what keeps a group from starting."""
    with suppress(OSError):
        os.write(STDERR, b"\0")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, STDERR)
    os.close(nothing)
