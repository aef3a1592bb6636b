"""Finds the group that a command is about: running, ended, or neither, and then says what to do.

A group is named by `-g`, or by a manifest: the one given with `-f`, or the nearest. Of a manifest
only the name is read, so that a broken one does not keep anybody from its group; where that name
finds nothing, the running groups are asked which manifest they have.

Where a group's socket is depends on the environment in which it was started, which need not be
this command's: systemd's, another terminal's. So all places where one of this user's, or root's,
can be are looked at. A folder in /tmp is trusted only if nobody else could have put it there.
"""

import glob
import os
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import NoReturn

from pairvisor.api.client import (
    Client,
    ControlError,
    NoAnswerError,
    NotPermittedError,
    NotRunningError,
    RefusedError,
    listens,
)
from pairvisor.cli import exits
from pairvisor.cli.exits import fail
from pairvisor.cli.nearest import nearest
from pairvisor.manifest.group import control_in
from pairvisor.manifest.names import NAME, group_name
from pairvisor.manifest.places import find_places
from pairvisor.manifest.reading import UnreadableError, read_text
from pairvisor.manifest.report import Report

TEMPORARY = "/tmp"  # noqa: S108 - a folder in it is looked at only if it is ours
BRIEF = 2.0  # seconds for one of many groups to answer
EXITS = {400: exits.USAGE, 404: exits.USAGE, 422: exits.BAD_MANIFEST}  # all others: no
_WRITTEN_NAME = re.compile(r"""^name\s*=\s*["']([^"'\n]*)["']""", re.MULTILINE)


class Target:
    """The group that is meant."""

    def __init__(self, name: str, manifest: str | None, how_to_start: str) -> None:
        self.name = name
        self.manifest = manifest  # None where the name was given
        self._how_to_start = how_to_start

    @cached_property
    def run(self) -> str | None:
        """The runtime folder of the group, if it runs. Raises NotPermittedError."""
        refusal: NotPermittedError | None = None
        for run in _runs(self.name):
            try:
                if listens(control_in(run)):
                    return run
            except NotPermittedError:
                refusal = NotPermittedError(_whose(self.name, run))
        if refusal is not None:
            raise refusal
        return self._run_by_manifest()

    def _run_by_manifest(self) -> str | None:
        if self.manifest is None:
            return None
        wanted = os.path.realpath(self.manifest)
        for run, client in running():
            with suppress(ControlError):
                if os.path.realpath(client.status().manifest) == wanted:
                    return run
        return None

    @property
    def is_running(self) -> bool:
        return self.run is not None

    @property
    def client(self) -> Client:
        """Of the running group; where it does not run, that is the end."""
        if self.run is None:
            self.fail_as_not_running()
        return Client(control_in(self.run))

    @property
    def state(self) -> str:
        """Its state folder, if this is the environment in which it was started."""
        return find_places(self.name, os.environ, os.geteuid()).state

    def fail_as_not_running(self) -> NoReturn:
        if self.manifest is not None and not os.path.exists(self.manifest):
            fail(f"{self.manifest}: no such file", exits.BAD_MANIFEST)
        hint = _near(self.name, [os.path.basename(run) for run, _ in running()])
        fail(f'no group "{self.name}" is running{hint}: {self._how_to_start}', exits.NOT_RUNNING)


def find(group: str | None, file: str | None) -> Target:
    """By the values of -g and -f."""
    if group is not None and file is not None:
        fail("-g and -f exclude each other", exits.USAGE)
    if group is not None:
        if not all(NAME.fullmatch(part) for part in group.split("@", 1)):
            fail(f"{group!r} can't be a group's name: see `pairvisor ls`", exits.USAGE)
        return Target(group, None, "`pairvisor ls` shows those that are")
    path = file or nearest("name a group with -g NAME, or a manifest with -f FILE")
    given = f" -f {shlex.quote(file)}" if file else ""
    return Target(_name_in(path), path, f"start it with `pairvisor up -d{given}`")


@contextmanager
def answers() -> Iterator[None]:
    """What a group, or its absence, answers instead of what was asked for, as an exit code."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(exits.INTERRUPTED)
    except NotRunningError:
        fail("the group has ended meanwhile", exits.NOT_RUNNING)
    except NotPermittedError as error:
        fail(str(error), exits.NOT_PERMITTED)
    except NoAnswerError as error:
        fail(str(error), exits.INTERNAL)
    except RefusedError as error:
        for problem in error.failure.problems:
            sys.stderr.write(f"{problem}\n")
        fail(str(error), EXITS.get(error.status, exits.NO))


def running(*, of_everybody: bool = False) -> Iterator[tuple[str, Client]]:
    """The runtime folder and a client of each running group that the caller may see.

    What other users run is for root to look at, and not to be trusted with more than that.
    """
    for folder in _all_folders() if of_everybody and os.geteuid() == 0 else _folders():
        with suppress(OSError):
            for name in sorted(os.listdir(folder)):
                path = control_in(f"{folder}/{name}")
                with suppress(NotPermittedError):
                    if listens(path):
                        yield f"{folder}/{name}", Client(path, BRIEF)


def suggestion(written: str, names: list[str]) -> str:
    """` (did you mean "web"?)`, if one is near enough."""
    return _near(written, names)


def _near(written: str, names: list[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only where something is said

    near = get_close_matches(written, names, 1)
    return f' (did you mean "{near[0]}"?)' if near else ""


def _runs(name: str) -> list[str]:
    """The runtime folders that may be the group's, the likeliest first."""
    usual = find_places(name, os.environ, os.geteuid()).run
    found = [usual] if _is_trusted(os.path.dirname(usual)) else []
    return list(dict.fromkeys([*found, *(f"{folder}/{name}" for folder in _folders())]))


def _folders() -> list[str]:
    """Those of all groups of this user, and of root."""
    uid = os.geteuid()
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    found = [f"{session.rstrip('/')}/pairvisor"] if session.startswith("/") else []
    temporary = [os.environ.get("TMPDIR") or TEMPORARY, TEMPORARY]
    found += ["/run/pairvisor", *(f"{folder.rstrip('/')}/pairvisor-{uid}" for folder in temporary)]
    return [folder for folder in dict.fromkeys(found) if _is_trusted(folder)]


def _all_folders() -> list[str]:
    others = glob.glob("/run/user/*/pairvisor") + glob.glob(f"{TEMPORARY}/pairvisor-*")
    return list(dict.fromkeys([*_folders(), *sorted(others)]))


def _is_trusted(folder: str) -> bool:
    """Whether nobody else could have put it, or a link, there."""
    try:
        return os.lstat(folder).st_uid in (0, os.geteuid())
    except OSError:
        return False


def _whose(name: str, run: str) -> str:
    owner = user_name(os.stat(run).st_uid)
    return f'group "{name}" is {owner}\'s, and this user may not use its control socket'


def user_name(uid: int) -> str:
    from pwd import getpwuid  # noqa: PLC0415 - only where something is said

    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _name_in(path: str) -> str:
    """The group's name, of a manifest that may be broken, or gone."""
    try:
        text = read_text(path, os.geteuid())
    except UnreadableError:
        text = ""
    return group_name(_written_name(text), path, Report())


def _written_name(text: str) -> str | None:
    try:
        name = tomllib.loads(text).get("name")
    except (ValueError, RecursionError):
        match = _WRITTEN_NAME.search(text)
        name = match[1] if match else None
    return name if isinstance(name, str) else None
