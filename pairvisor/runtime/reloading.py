"""A group that reads its manifest and its secrets anew, all or nothing, while it runs.

What has changed is worked out first, and checked against this machine; then the group is held to
it, and the core says what that means for each member. A member whose secrets alone are others now
is told by its `reload`, and restarts where it has none.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import nullcontext

from pairvisor.manifest.changes import Changes, changes
from pairvisor.manifest.errors import ManifestError
from pairvisor.manifest.group import Group, Member, Reload
from pairvisor.manifest.load import load
from pairvisor.record import model
from pairvisor.record.model import Caller
from pairvisor.runtime import commands, files
from pairvisor.runtime.children import as_member
from pairvisor.runtime.folders import admit
from pairvisor.runtime.prober import raise_fault
from pairvisor.runtime.provision import ProvisionError
from pairvisor.runtime.secrets import SecretError
from pairvisor.runtime.supervisor import Supervisor


class CannotReloadError(Exception):
    """Why the group can't be as its manifest says now."""


class Reloading:
    """One at a time. `check` raises where the group can't be changed any more."""

    def __init__(self, supervisor: Supervisor, check: Callable[[], None]) -> None:
        self._supervisor = supervisor
        self._records = supervisor.records
        self._check = check
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_reload: Callable[[Group], None] = lambda _: None

    async def reload(self, by: Caller | None, *, dry_run: bool) -> model.Reload:
        """Raises ManifestError, CannotReloadError, and what `check` does."""
        async with self._turn:
            self._check()
            try:
                with nullcontext() if dry_run else self._supervisor.manager.reloading():
                    return await self._reload(by, dry_run)
            except ManifestError as error:
                self._note_failure(str(error.problems[0]), by, dry_run)
                raise
            except (SecretError, ProvisionError) as error:
                self._note_failure(str(error), by, dry_run)
                raise CannotReloadError(str(error)) from None

    def _note_failure(self, why: str, by: Caller | None, dry_run: bool) -> None:
        if not dry_run:
            self._records.reload_failed(why, by)

    async def _reload(self, by: Caller | None, dry_run: bool) -> model.Reload:
        provision = self._supervisor.provision
        new = load(self._supervisor.manifest, os.environ, os.geteuid())
        values = await provision.fetch(new)
        self._check()  # it may have taken its time
        old = self._supervisor.group
        new = provision.fitted(new, old, values)
        found = changes(old, new)
        if found.refused:
            raise CannotReloadError("; ".join(found.refused))
        told = _told(found)
        if found and not dry_run:
            await self._check_files(old, new)
            self._check()
            provision.renew(new, values)
            self._supervisor.reload(new, self._records.reloaded(told, by))
            self._admit(old, new)
            self._tell_readers(old, new, found)
            self.on_reload(new)
        return model.Reload(
            dry_run=dry_run,
            changes=[
                model.Change(member=c.member, action=c.action.value, keys=list(c.keys), text=c.text)
                for c in found.members
            ],
            warnings=[str(warning) for warning in new.warnings],
            text=told,
        )

    async def _check_files(self, old: Group, new: Group) -> None:
        """What a member's own check says of its new files. Raises CannotReloadError, and then they
        are as they were."""
        checked = [
            member
            for name, member in new.members.items()
            if member.check and name in old.members and member.files != old.members[name].files
        ]
        if not checked:
            return
        children = self._supervisor.children
        files.write(new)
        for member in checked:
            command = as_member(member, member.check)
            passed, why = await commands.run(children, f"{member.name}/check", command)
            if not passed:
                files.write(old)
                raise CannotReloadError(f"{member.name}'s check of its new files {why}")

    def _admit(self, old: Group, new: Group) -> None:
        if old.control_group != new.control_group:
            try:
                admit(new)
            except OSError as error:
                self._records.fault(f"the control group can't be let in: {error.strerror}")

    def _tell_readers(self, old: Group, new: Group, found: Changes) -> None:
        """Those whose secrets are others now, and whose process is the same."""
        for change in found.members:
            member = new.members.get(change.member)
            before = old.members.get(change.member)
            if member is None or before is None or member.reload is None:
                continue
            is_told = (member.secret_version, member.files) != (before.secret_version, before.files)
            if change.is_adjusted and is_told:
                self._tell(member, member.reload)

    def _tell(self, member: Member, how: Reload) -> None:
        if how.signal is not None:
            self._supervisor.children.signal(member.name, how.signal)
        else:
            self.begin(self._tell_by(member, how.command))

    def let_reload(self, member: Member, how: Reload) -> None:
        """Files that it reads have changed: it is told, where its own check takes them."""
        self.begin(self._check_and_tell(member, how))

    def begin(self, work: Coroutine[None, None, None]) -> None:
        """Do that meanwhile; what is wrong with it is a fault of ours."""
        task = self._supervisor.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(raise_fault)

    async def _check_and_tell(self, member: Member, how: Reload) -> None:
        if not member.check or await self._run(member, "check", member.check):
            self._tell(member, how)

    async def _tell_by(self, member: Member, words: tuple[str, ...]) -> None:
        await self._run(member, "reload", words)

    async def _run(self, member: Member, what: str, words: tuple[str, ...]) -> bool:
        """Whether it has succeeded; a failure is noted."""
        children = self._supervisor.children
        command = as_member(member, words)
        passed, detail = await commands.run(children, f"{member.name}/{what}", command)
        if not passed:
            detail = self._supervisor.provision.secrets.redact(detail)
            self._records.reload_failed(f"{member.name}'s {what} command {detail}", None)
        return passed


def _told(found: Changes) -> str:
    """All of it in a line."""
    if not found:
        return "nothing has changed"
    members = [f"{change.member} {change.text}" for change in found.members]
    group = [f"the group's {', '.join(found.group)}"] if found.group else []
    return "; ".join([*([found.whole] if found.whole else members), *group])
