"""From the written manifest to the `Group` that the rest of pairvisor works with."""

import os.path
from collections.abc import Mapping
from math import inf

from msgspec import Struct
from msgspec.structs import replace

from pairvisor.manifest import model
from pairvisor.manifest.control import resolve_control_group, resolve_metrics
from pairvisor.manifest.entries import Entry, list_entries
from pairvisor.manifest.environment import Environments, about_itself
from pairvisor.manifest.files import names as file_names
from pairvisor.manifest.files import resolve_files
from pairvisor.manifest.group import Feed, File, Gate, Group, Member, Places, Restart, Role, Volume
from pairvisor.manifest.identity import User, find_user, resolve_identity
from pairvisor.manifest.interpolate import Interpolator
from pairvisor.manifest.limits import resolve_limits, settle_oom_scores
from pairvisor.manifest.logs import check_files, resolve_feeds
from pairvisor.manifest.member import Common, MemberMaker, check_grace
from pairvisor.manifest.names import group_name
from pairvisor.manifest.order import resolve_order
from pairvisor.manifest.places import find_places
from pairvisor.manifest.probes import MOST, check_socket_length
from pairvisor.manifest.programs import Programs
from pairvisor.manifest.report import Report
from pairvisor.manifest.secrets import resolve_secrets, variables
from pairvisor.manifest.volumes import resolve_volumes


class Setting(Struct, frozen=True):
    """Where a manifest is resolved: its path as the user gave it, who runs it, and with what."""

    path: str
    environ: Mapping[str, str]
    uid: int
    origins: Mapping[str, str] = {}  # of members that are not from that file alone


def resolve(manifest: model.Manifest, setting: Setting, report: Report) -> Group | None:
    """The group, or None where it can't be made. All that is wrong is reported."""
    name = group_name(manifest.name, setting.path, report.at("name"))
    places = find_places(name, setting.environ, setting.uid)
    check_socket_length(places.control, report.at("name"))
    check_grace(manifest.grace, report.at("grace"))
    entries = list_entries(manifest, report)
    if not entries:
        return None
    volumes = resolve_volumes(manifest.volumes, places, setting.uid, report.at("volumes"))
    members = _Members(name, manifest, places, volumes, setting)
    members.share_environment(manifest, report)
    members.share_files(manifest, report.at("files"))
    interpolator = members.of_all
    return Group(
        name=name,
        manifest=setting.path,
        places=places,
        members=members.make_all(entries),
        labels=manifest.labels,
        grace=manifest.grace,
        start_timeout=manifest.start_timeout or inf,
        max_runtime=manifest.max_runtime or inf,
        restart=_restart(manifest.restart, report.at("restart")),
        control_group=resolve_control_group(
            manifest.control_group, setting.uid, report.at("control_group")
        ),
        limits=resolve_limits(manifest.limits, report.at("limits")),
        volumes=volumes,
        files=members.files,
        secrets=resolve_secrets(
            manifest.secrets, members.folder, interpolator, report.at("secrets")
        ),
        metrics=resolve_metrics(manifest.metrics, places, interpolator, report.at("metrics")),
    )


def _restart(written: model.Restart, report: Report) -> Restart:
    _check_restart(written, report)
    return Restart(
        initial=written.initial,
        max=written.max,
        factor=written.factor,
        jitter=written.jitter,
        reset_after=written.reset_after,
        limit=written.limit,
        within=written.within,
    )


def _check_restart(written: model.Restart, report: Report) -> None:
    if written.initial > written.max:
        report.at("initial").error(f"more than restart.max, which is {written.max:g} s")
    if not 1 <= written.factor <= 1000:
        report.at("factor").error("between 1 and 1000")
    if not 0 <= written.jitter <= 1:
        report.at("jitter").error("between 0 and 1")
    if not 0 <= written.limit <= MOST:
        report.at("limit").error(f"between 0 and {MOST} (0: no limit)")
    if written.limit and not written.within:
        report.at("within").error("more than 0 where there is a limit")


class _Members:
    """Makes the members of a group; holds what they have in common."""

    def __init__(
        self,
        name: str,
        manifest: model.Manifest,
        places: Places,
        volumes: Mapping[str, Volume],
        setting: Setting,
    ) -> None:
        folder = os.path.dirname(os.path.abspath(setting.path))
        self._name = name
        self.folder = folder
        self._uid = setting.uid
        self._common = Common(
            folder,
            places,
            manifest.grace,
            Programs(),
            manifest.secrets.keys(),
            files=(),
            origins=setting.origins,
        )
        values = {f"volumes.{each}": volume.path for each, volume in volumes.items()}
        values |= file_names(manifest.files, places.shared_files)
        self._base = Interpolator(_values(name, folder, places) | values, {})
        hidden = variables(manifest.secrets)
        self._environments = Environments(
            setting.environ, self._base, folder, setting.uid, hidden=hidden
        )

    def share_environment(self, manifest: model.Manifest, report: Report) -> None:
        self._environments.share(manifest.env_file, manifest.env, report)

    def share_files(self, manifest: model.Manifest, report: Report) -> None:
        files = resolve_files(manifest.files, self._common.places.shared_files, self.of_all, report)
        self._common = replace(self._common, files=files)

    @property
    def files(self) -> tuple[File, ...]:
        """The group's own."""
        return self._common.files

    @property
    def of_all(self) -> Interpolator:
        """What fills in the keys that belong to no member."""
        return self._base.seeing(self._environments.inherited | self._environments.shared)

    def make_all(self, entries: list[Entry]) -> dict[str, Member]:
        feeds = resolve_feeds(entries)
        waits = resolve_order(entries, feeds)
        first_init = next((e.name for e in entries if e.role is Role.INIT), None)
        made = {
            entry.name: self._make(
                entry,
                waits.get(entry.name, {}),
                feeds.get(entry.name),
                an_init_ran=first_init is not None and entry.name != first_init,
            )
            for entry in entries
        }
        check_files(made, entries)
        return settle_oom_scores(made, entries)

    def _make(
        self, entry: Entry, after: dict[str, Gate], feed: Feed | None, *, an_init_ran: bool
    ) -> Member:
        table = entry.table
        user = self._user(table, entry.report)
        secrets = self._common.places.secrets_of(entry.name)
        base = self._base.knowing(
            {"member": entry.name}
            | {f"secrets.{each}": f"{secrets}/{each}" for each in table.secrets}
            | file_names(table.files, self._common.places.files_of(entry.name))
        )
        env = self._environments.member(table, user.variables if user else None, base, entry.report)
        env.update(about_itself(self._name, entry.name, entry.role, self._common.places))
        if table.secrets:
            env["CREDENTIALS_DIRECTORY"] = secrets
        maker = MemberMaker(entry, self._common, base.seeing(env), may_appear=an_init_ran)
        identity = resolve_identity(table, user, self._uid, entry.report)
        return maker.make(env, after, feed, identity)

    def _user(self, table: model.Process, report: Report) -> User | None:
        """Another one than ours; root may be one, too, as it has groups to shed."""
        user = find_user(table.user, report.at("user"))
        return None if user is not None and 0 != self._uid == user.uid else user


def _values(name: str, folder: str, places: Places) -> dict[str, str]:
    values = {
        "sockets": places.sockets,
        "volume": places.volume,
        "run": places.run,
        "name": name,
        "dir": folder,
    }
    _, at, instance = name.partition("@")
    return values | {"instance": instance} if at else values
