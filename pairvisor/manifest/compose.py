"""Makes one manifest of the files that several teams write.

The manifest itself; the drop-ins beside it, `FILE.d/*.toml`, merged over it table by table, in the
order of their names; what the system's `inject.d/*.toml` bring to each group whose labels match;
and beneath a sidecar that uses one, its template.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from pairvisor.manifest.errors import ManifestError, Problem
from pairvisor.manifest.group import Part
from pairvisor.manifest.places import system_configuration
from pairvisor.manifest.report import Report
from pairvisor.manifest.toml import parse_toml, read_toml

DROP_INS = ".d"
INJECTIONS = "inject.d"
MEMBERS = ("init", "sidecars")

Table = dict[str, Any]


class Composed(Struct):
    """`origins`: by their names, the members that are not from the manifest's own file alone."""

    data: Table
    parts: list[Part]
    texts: dict[str, str]
    origins: dict[str, str]


def compose(
    file: str, environ: Mapping[str, str], uid: int, report: Report, text: str | None = None
) -> Composed:
    """Raises ManifestError where a file can't be read, or is not TOML."""
    if text is None:
        text, data = read_toml(file, uid)
    else:
        data = parse_toml(text, file)
    composed = Composed(data, [Part(file)], {file: text}, {})
    for drop_in in _files_in(drop_ins_of(file)):
        _add_drop_in(composed, drop_in, uid)
    for injection in _files_in(f"{system_configuration(environ)}/{INJECTIONS}"):
        _inject(composed, injection, uid, report)
    _use_templates(composed, environ, uid, report)
    return composed


def drop_ins_of(file: str) -> str:
    """The folder of a manifest's drop-ins."""
    return file + DROP_INS


def merge(below: Table, above: Table) -> Table:
    """What is above counts, where it isn't a table in both."""
    merged = dict(below)
    for key, value in above.items():
        under = below.get(key)
        is_table = isinstance(under, dict) and isinstance(value, dict)
        merged[key] = merge(under, value) if is_table else value  # type: ignore[arg-type]
    return merged


def _files_in(folder: str) -> list[str]:
    """Those that count, in the order of their names. Raises ManifestError."""
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        message = f"cannot look into the folder: {error.strerror}"
        raise ManifestError([Problem(folder, 0, "", message)]) from None
    return [f"{folder}/{n}" for n in names if n.endswith(".toml") and not n.startswith(".")]


def _add_drop_in(composed: Composed, file: str, uid: int) -> None:
    text, data = read_toml(file, uid)
    for name in _members(data):
        is_new = name not in {*_members(composed.data)}
        earlier = "" if is_new else composed.origins.get(name, "manifest") + ", "
        composed.origins[name] = f"{earlier}{file}"
    composed.data = merge(composed.data, data)
    composed.parts.append(Part(file))
    composed.texts[file] = text


def _members(data: Table) -> Iterator[str]:
    """The names that are written; what is no table is for others to complain of."""
    for kind in MEMBERS:
        if isinstance(tables := data.get(kind), dict):
            yield from tables
    if isinstance(primary := data.get("primary"), dict):
        name = primary.get("name")
        yield name if isinstance(name, str) else "primary"


def _inject(composed: Composed, file: str, uid: int, report: Report) -> None:
    from pairvisor.manifest.injection import bring, read_injection  # noqa: PLC0415 - seldom needed

    injection = read_injection(file, uid, report)
    if injection is None or not injection.selects(composed.data):
        return
    if composed.data.get("inject") is False:
        if injection.is_optional:
            return
        report.at("inject").warn(f"{file} does not let a group opt out: it is added all the same")
    composed.data = bring(composed.data, injection, report)
    composed.parts.append(Part(file))
    composed.texts[file] = injection.text
    composed.origins |= {
        name: file
        for kind in MEMBERS
        if kind in injection.tables
        for name in injection.tables[kind]
    }


def _use_templates(
    composed: Composed, environ: Mapping[str, str], uid: int, report: Report
) -> None:
    sidecars = composed.data.get("sidecars")
    tables = sidecars if isinstance(sidecars, dict) else {}
    users = {
        n: t for n, t in tables.items() if isinstance(t, dict) and isinstance(t.get("use"), str)
    }
    if not users:
        return
    from pairvisor.manifest.templates import Templates  # noqa: PLC0415 - only where one is used

    folder = os.path.dirname(os.path.abspath(composed.parts[0].file))
    templates = Templates(folder, environ, uid)
    for name, written in users.items():
        use = written["use"]
        expanded = templates.expand(use, written, report.at("sidecars", name))
        if expanded is not None:
            tables[name] = merge(expanded.table, written)
            composed.parts.insert(0, Part(expanded.file, ("sidecars", name), ("sidecar",)))
            composed.texts[expanded.file] = expanded.text
            composed.origins[name] = f"{composed.origins.get(name, 'manifest')} (template {use})"
