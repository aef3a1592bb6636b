"""A group in this process: claim its folders, run it, say how it ended."""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from msgspec import Struct
from msgspec.structs import replace

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
from pairvisor.runtime.provision import Provision, ProvisionError, provide, provided
from pairvisor.runtime.records import Records
from pairvisor.runtime.rings import Rings
from pairvisor.runtime.supervisor import InternalError, Start, Supervisor

if TYPE_CHECKING:
    from pairvisor.runtime.handover import Handover

DRAIN = 1.0  # seconds for the last lines to reach the terminal
STDERR = 2


class Outside(Struct, frozen=True):
    """Who is told of the group as it goes: people at a terminal, the journal, a service manager."""

    console: Console | None
    manager: Manager
    has_journal: bool = False


class Claimed(Struct, frozen=True):
    """A group that is ours to run, and how we were told to."""

    group: Group
    folders: Folders
    control: socket.socket
    start: Start


def run(file: str | None, *, detached: bool = False, watch: bool = False) -> NoReturn:
    """Run the manifest's group to its end, and exit as it says.

    A detached one has no terminal: stderr is a pipe to who started it, for what keeps it from
    starting, or a NUL once its control socket answers.
    """
    claimed = _begin(file, Start(is_service=False, is_detached=detached, watch=watch))
    _end(_run(claimed, _outside(claimed)))


def serve(path: str, name: str = "") -> NoReturn:
    """The same for a service manager, which is told how the group is (sd_notify(3)). `name` is what
    the group should have, where the manifest was found by it.

    Where our stderr is the journal, all goes there, in entries of their own; otherwise to stdout.
    """
    claimed = _begin(path, Start(is_service=True))
    if name not in ("", claimed.group.name):
        text = f"the group's name is {claimed.group.name}: `-g {name}` will not find it"
        os.write(STDERR, f"{path}: name: {text} (warning)\n".encode())
    _end(_run(claimed, _outside(claimed)))


def take_over(descriptor: int) -> NoReturn:
    """Go on with a group whose supervisor this process was, by what it has handed over."""
    from pairvisor.runtime.handover import read  # noqa: PLC0415 - only here

    os.umask(0o077)
    handed = read(descriptor)
    os.close(descriptor)
    guard.take_over(handed.guard)
    folders = Folders(handed.group.places, handed.lock, handed.folder)
    control = socket.socket(fileno=handed.control)
    claimed = Claimed(handed.group, folders, control, handed.start)
    _end(_run(claimed, _outside(claimed), handed))


def _begin(file: str | None, start: Start) -> Claimed:
    """The manifest's group; its folders are ours, and its control socket listens."""
    os.umask(0o077)
    with suppress(FileNotFoundError):
        start = replace(start, folder=os.getcwd())
    group = load_or_exit(file)
    folders = Folders(group.places)
    control = _claim(folders, group)
    guard.entrust(folders.lock, folders.folder, group.places.run)
    return Claimed(group, folders, control, start)


def _outside(claimed: Claimed) -> Outside:
    names, start = list(claimed.group.members), claimed.start
    if not start.is_service:
        console = None if start.is_detached else Console(names, is_terminal=os.isatty(STDOUT))
        return Outside(console, Manager({}))
    has_journal = _is_journal(STDERR)
    console = None if has_journal else Console(names, is_terminal=False)
    return Outside(console, Manager(os.environ), has_journal=has_journal)


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


def _run(claimed: Claimed, outside: Outside, handed: "Handover | None" = None) -> int:
    group, start, console = claimed.group, claimed.start, outside.console
    journal = group.name if outside.has_journal else ""
    pump = Pump(console, Rings(list(group.members)), journal)
    reporter = Reporter(pump, is_terminal=console is not None and console.is_terminal)
    records = Records(group, reporter.tell)
    if outside.has_journal:
        records.on_kept = _noting(pump)
    provision = _provide(claimed, records, handed)
    if handed is None:
        pump.adopt(group)
        pump.start()
    front = Listener(claimed.control, watch=start.watch, reloads=start.is_service)
    if start.is_detached and handed is None:
        front.when_served = _let_go
    supervisor = Supervisor(provision, claimed.folders, pump, records, front)
    supervisor.manager, supervisor.start = outside.manager, start
    if handed is not None:
        from pairvisor.runtime import succession  # noqa: PLC0415 - only here

        reporter.take_over(handed.state)
        succession.take_over(supervisor, handed)
    try:
        finish = supervisor.run()
    except InternalError as error:
        message = f"internal error: {error.__cause__!r}; the group is killed. Please report this."
        if console is None:
            with suppress(OSError):
                os.write(STDERR, f"pairvisor: {message}\n".encode())
        pump.say(message)
        pump.finish(DRAIN)
        guard.leave({})
        return INTERNAL
    from pairvisor.runtime.status import final_status  # noqa: PLC0415 - not before the members

    records.close(final_status(supervisor))
    supervisor.provision.close()
    reporter.close(finish)
    pump.finish(DRAIN)
    guard.leave(supervisor.unkillable())
    return finish.status


def _noting(pump: Pump) -> Callable[[Event], None]:
    """Each event becomes an entry of the journal."""
    from pairvisor.record.entries import fields  # noqa: PLC0415 - of services alone

    return lambda event: pump.note(fields(event))


def _provide(claimed: Claimed, records: Records, handed: "Handover | None") -> Provision:
    group, folders = claimed.group, claimed.folders
    if handed is not None:
        records.take_over(handed.notes, handed.troubles, handed.unmet, handed.lost_lines)
        return provided(group, folders, records.contained, handed)
    try:
        return provide(group, folders, records.contained)
    except ProvisionError as error:
        guard.leave({})
        return fail(str(error), BAD_MANIFEST)


def _let_go() -> None:
    """Who started us need not wait any longer for what keeps a group from starting."""
    with suppress(OSError):
        os.write(STDERR, b"\0")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, STDERR)
    os.close(nothing)
