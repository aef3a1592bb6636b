"""The members of a written manifest, in one list: inits, then sidecars, then the primary."""

from collections.abc import Iterable

from msgspec import Struct

from pairvisor.manifest import model
from pairvisor.manifest.group import Role
from pairvisor.manifest.names import check_name
from pairvisor.manifest.report import Report, spelled

MOST_MEMBERS = 1000


class Entry(Struct, frozen=True):
    """One member's table. `report` is for what is wrong in it."""

    name: str
    role: Role
    table: model.Init | model.Sidecar | model.Primary
    report: Report


def list_entries(manifest: model.Manifest, report: Report) -> list[Entry]:
    """The members, their names checked; those whose name is taken already are left out."""
    count = len(manifest.init) + len(manifest.sidecars) + 1
    if count > MOST_MEMBERS:
        report.error(f"{count} members; {MOST_MEMBERS} are the most that a group may have")
        return []
    entries: dict[str, Entry] = {}
    for entry in _all(manifest, report):
        if isinstance(entry.table, model.Sidecar) and entry.table.with_ and not entry.table.use:
            entry.report.at("with").error('only where a template is used: use = "NAME"')
        if _is_new(entry, entries):
            entries[entry.name] = entry
    return list(entries.values())


def _all(manifest: model.Manifest, report: Report) -> list[Entry]:
    inits = report.at("init")
    sidecars = report.at("sidecars")
    name = manifest.primary.name
    return [
        *(Entry(n, Role.INIT, table, inits.at(n)) for n, table in manifest.init.items()),
        *(Entry(n, Role.SIDECAR, table, sidecars.at(n)) for n, table in manifest.sidecars.items()),
        Entry(
            "primary" if name is None else name,
            Role.PRIMARY,
            manifest.primary,
            report.at("primary"),
        ),
    ]


def _is_new(entry: Entry, earlier: dict[str, Entry]) -> bool:
    of_primary = entry.role is Role.PRIMARY
    report = entry.report.at("name") if of_primary else entry.report
    if entry.name == "primary" and not of_primary:
        report.error('"primary" always means the primary: give this member another name')
        return False
    if entry.name == "pairvisor":
        report.error('"pairvisor" is the name behind which pairvisor speaks: take another name')
    check_name(entry.name, report)
    if taken := earlier.get(entry.name):
        report.error(f'"{entry.name}" is the name of a member already: {spelled(taken.report.key)}')
    return taken is None


def unknown_member(name: str, entry: Entry, names: Iterable[str]) -> str:
    """What is wrong where an entry names a member that isn't there."""
    from pairvisor.manifest.hints import did_you_mean  # noqa: PLC0415 - costs time, seldom needed

    others = ["primary", *(other for other in names if other != entry.name)]
    return f'no member is called "{name}"{did_you_mean(name, others)}'
