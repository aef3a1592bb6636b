"""Refuses the keys of the contract that this version can't honour yet, rather than ignore them.

It looks at what is written, not at decoded values: to write a default is to rely on it.
"""

from collections.abc import Iterator
from typing import Any

from pairvisor.manifest.model import NOT_YET, Init, Manifest, Primary, Sidecar
from pairvisor.manifest.report import Report

_UNSUPPORTED: dict[type, frozenset[str]] = {
    table: frozenset().union(*(NOT_YET[kind] for kind in NOT_YET if issubclass(table, kind)))
    for table in (Manifest, Init, Primary, Sidecar)
}


def refuse_unsupported(data: dict[str, Any], report: Report) -> None:
    for table, written, at in _tables(data, report):
        if isinstance(written, dict) and not _UNSUPPORTED[table].isdisjoint(written):
            _refuse(_UNSUPPORTED[table], written, at)


def _tables(data: dict[str, Any], report: Report) -> Iterator[tuple[type, object, Report]]:
    yield Manifest, data, report
    yield Primary, data.get("primary"), report.at("primary")
    for kind, table in (("sidecars", Sidecar), ("init", Init)):
        members = data.get(kind)
        if isinstance(members, dict):
            for name, written in members.items():
                yield table, written, report.at(kind, name)


def _refuse(unsupported: frozenset[str], written: dict[str, Any], report: Report) -> None:
    for key in written:
        if key in unsupported:
            report.at(key).error("not supported yet")
