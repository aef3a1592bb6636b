"""What the machine gives a group beside its folders, before the first member starts: what contains
the members, volumes, shared rights, secrets. All or nothing: what can't be had refuses the start.
"""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from zlib import crc32

from msgspec.structs import replace

from pairvisor.manifest.group import Group, Member, ProcessLimits
from pairvisor.runtime import bounds, cgroup, files, kernel, mounts
from pairvisor.runtime.cgroup import PREFIX, find_cgroup
from pairvisor.runtime.children import Children
from pairvisor.runtime.containment import Cgroups, Containment, Sessions, Unmet, take_over
from pairvisor.runtime.folders import Folders
from pairvisor.runtime.secrets import Printing, SecretError, Secrets, read
from pairvisor.runtime.sharing import SharingError, share

if TYPE_CHECKING:
    from pairvisor.runtime.handover import Handover

NAMES = 100  # to try, where an earlier one can't be removed


class ProvisionError(Exception):
    """What can't be had here, in one or more lines."""


class Provision:
    """Of one group, from its claimed folders to its end: see `provide` and `provided`."""

    def __init__(
        self, group: Group, folders: Folders, containment: Containment, children: Children
    ) -> None:
        self._folders = folders
        self.group = group
        self.unmet: list[Unmet] = []
        self.secrets = Secrets()
        self.containment = containment
        self.children = children

    def make(self) -> None:
        """All that the group asks for. Raises ProvisionError, and then nothing is left."""
        group = self.group
        try:
            self.group = self.hold(group)
            self._make_volumes(group)
            files.make_folders(group)
            share(group)
            files.write(group)
            self.secrets.adopt(self._fetch_at_once())
            self.secrets.write(group)
        except (SecretError, SharingError) as error:
            self.close()
            raise ProvisionError(str(error)) from None
        except OSError as error:
            self.close()
            where = f"{error.filename}: " if error.filename else ""
            raise ProvisionError(f"{where}{error.strerror}") from None
        except ProvisionError:
            self.close()
            raise

    def hold(self, group: Group) -> Group:
        """Hold it to its limits: the group without those that can't be, and need not.

        Raises ProvisionError where one can't be that has to.
        """
        unmet = [*self.containment.adopt(group), *_unmet_by_processes(group)]
        if required := [each for each in unmet if each.is_required]:
            self.containment.adopt(self.group)
            raise ProvisionError("\n".join(map(self._located, required)))
        self.unmet = unmet
        return _without_all_unmet(group)

    def _located(self, unmet: Unmet) -> str:
        from pairvisor.manifest.origins import Origins  # noqa: PLC0415 - only where something is said

        place = Origins(self.group.parts).find(unmet.key)
        where = f"{place.file}:{place.line}: " if place.line else ""
        return f"{where}{unmet} (limits.required = false: start all the same)"

    def _make_volumes(self, group: Group) -> None:
        for volume in group.volumes.values():
            os.makedirs(volume.path, 0o700, exist_ok=volume.keep)
            if volume.is_memory:
                size = f",size={volume.size}" if volume.size else ""
                mounts.mount_memory(volume.path, f"mode=0700{size}", is_executable=True)
            os.chmod(volume.path, volume.mode)

    def _fetch_at_once(self) -> Mapping[str, bytes]:
        """Before there is a loop. Raises SecretError."""
        values = read(self.group.secrets, os.environ)
        return values | {
            name: self._print(name, self.group).wait()
            for name in self.group.secrets
            if name not in values
        }

    async def fetch(self, group: Group) -> Mapping[str, bytes]:
        """The secrets as they are now. Raises SecretError."""
        values = read(group.secrets, os.environ)
        for name in group.secrets.keys() - values.keys():
            values[name] = await self._print(name, group).ended()
        return values

    def _print(self, name: str, group: Group) -> Printing:
        folder = os.path.dirname(os.path.abspath(self.group.manifest))
        return Printing(self.children, name, group.secrets[name], os.environ, folder)

    def fitted(self, group: Group, old: Group, values: Mapping[str, bytes]) -> Group:
        """As it can be held here, with the versions of the secrets that are current then."""
        fresh = self.secrets.differing(values)
        members = {
            name: replace(member, secret_version=_version(old, member, fresh))
            for name, member in group.members.items()
        }
        return _without_all_unmet(replace(group, members=members))

    def renew(self, group: Group, values: Mapping[str, bytes]) -> None:
        """The group is this from now on. Raises ProvisionError, and then it is as it was."""
        try:
            self.group = self.hold(group)
            files.make_folders(group)
            share(group)
            files.write(group)
            self.secrets.adopt(values)
            self.secrets.write(group)
        except SharingError as error:
            raise ProvisionError(str(error)) from None
        except OSError as error:
            raise ProvisionError(f"{error.filename or 'secrets'}: {error.strerror}") from None

    def close(self) -> None:
        """The group is over."""
        self.containment.close()
        self._folders.release()


def provide(group: Group, folders: Folders, complain: Callable[[str, str], None]) -> Provision:
    """For a group that is about to start. Raises ProvisionError."""
    containment = contain(group, folders, complain)
    if group.is_unprivileged:
        kernel.forbid_new_privileges()
    children = Children(
        group.places.run,
        containment,
        is_unprivileged=group.is_unprivileged,
        oom_score=bounds.protect(),
    )
    provision = Provision(group, folders, containment, children)
    provision.make()
    return provision


def provided(
    group: Group, folders: Folders, complain: Callable[[str, str], None], handed: "Handover"
) -> Provision:
    """For one that runs, by what its last supervisor has handed over."""
    containment = take_over(handed.contained, complain)
    children = Children(group.places.run, containment)
    provision = Provision(group, folders, containment, children)
    provision.unmet = [*containment.adopt(group), *_unmet_by_processes(group)]
    provision.secrets.take_over(handed.secrets, handed.secret_words)
    return provision


def contain(group: Group, folders: Folders, complain: Callable[[str, str], None]) -> Containment:
    """The best that there is here."""
    own = find_cgroup()
    if own.why_not:
        return Sessions(own.why_not)
    top = f"{own.own}/{PREFIX}{group.name}-{crc32(os.fsencode(group.places.run)):08x}"
    try:
        unused = next(path for path in _names(top) if cgroup.sweep(path))
        folders.record(unused)
        return Cgroups.make(own, unused, complain)
    except OSError as error:
        return Sessions(f"cannot make {top}: {error.strerror}")


def _names(top: str) -> list[str]:
    """What can't be removed, because a process in it can't be killed, stays aside."""
    return [top, *(f"{top}.{number}" for number in range(1, NAMES))]


def _unmet_by_processes(group: Group) -> list[Unmet]:
    return [
        Unmet((*member.key, "limits", name), why, member.process_limits.is_required)
        for member in group.members.values()
        for name, why in _unmet(member.process_limits).items()
    ]


def _unmet(limits: ProcessLimits) -> dict[str, str]:
    return bounds.unmet(limits) if limits != ProcessLimits() else {}


def _version(old: Group, member: Member, fresh: set[str]) -> int:
    before = old.members.get(member.name)
    return (before.secret_version if before else 0) + (not fresh.isdisjoint(member.secrets))


def _without_all_unmet(group: Group) -> Group:
    members = {name: _without_unmet(m) for name, m in group.members.items()}
    return replace(group, members=members)


def _without_unmet(member: Member) -> Member:
    unmet = _unmet(member.process_limits)
    if not unmet:
        return member
    return replace(member, process_limits=bounds.without(member.process_limits, unmet))
