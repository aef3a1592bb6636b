"""What a platform's team adds to other teams' groups: the system's `inject.d/*.toml`."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from pairvisor.manifest.decode import decode
from pairvisor.manifest.group import Part
from pairvisor.manifest.origins import Origins
from pairvisor.manifest.report import Report
from pairvisor.manifest.template import INJECTED
from pairvisor.manifest.template import Injection as Written
from pairvisor.manifest.toml import read_toml


class Injection(Struct, frozen=True):
    """One file's. `tables` are the manifest's, by their names."""

    file: str
    text: str
    select: Mapping[str, str]
    is_optional: bool
    tables: dict[str, dict[str, Any]]

    def selects(self, data: Mapping[str, Any]) -> bool:
        """Whether the group of this manifest has the labels; none are wanted of each group."""
        labels = data.get("labels")
        known = labels if isinstance(labels, dict) else {}
        return all(known.get(name) == value for name, value in self.select.items())


def read_injection(file: str, uid: int, report: Report) -> Injection | None:
    """None where it is not sound, which is reported. Raises ManifestError."""
    text, data = read_toml(file, uid)
    own = Report()
    written = decode(data, Written, own)
    if written is None or own.failed:
        report.add(own.problems(Origins([Part(file)], {file: text}).find))
        return None
    tables = {kind: data[kind] for kind in INJECTED if kind in data}
    return Injection(file, text, written.select, written.optional, tables)


def bring(data: dict[str, Any], injection: Injection, report: Report) -> dict[str, Any]:
    """The manifest with it. What has a name that is taken is left out, and reported."""
    brought = dict(data)
    for kind, tables in injection.tables.items():
        present = data.get(kind, {})
        if not isinstance(present, dict):
            continue  # for others to complain of
        for name in tables.keys() & present.keys():
            report.at(kind, name).error(f'"{name}" is a name that {injection.file} brings, too')
        brought[kind] = present | {n: t for n, t in tables.items() if n not in present}
    return brought
