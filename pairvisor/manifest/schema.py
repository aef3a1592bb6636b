"""The manifest's JSON Schema, for editors and for programs that write manifests."""

import tomllib
from typing import Any

import msgspec

from pairvisor.manifest import model
from pairvisor.manifest.names import NAME
from pairvisor.manifest.reference import KEYS, Entry, default_in_toml, is_unsupported, own_fields
from pairvisor.manifest.units import Bound, Duration, Mode, SignalName, Size, Umask

_UNITS: dict[type, dict[str, Any]] = {
    Duration: {
        "description": 'A duration: "500ms", "10s", "1h30m", or a number of seconds.',
        "anyOf": [
            {"type": "number", "minimum": 0},
            {"type": "string", "pattern": r"^\s*([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+\s*$"},
            {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*$"},
        ],
    },
    Size: {
        "description": 'A size: 512, "64KiB", "10MB", "1GiB".',
        "anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(|B|[KMGT]i?B)\s*$"},
        ],
    },
    Bound: {
        "description": 'A number, a size such as "64KiB", or "unlimited".',
        "anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(|B|[KMGT]i?B)\s*$"},
            {"const": "unlimited"},
        ],
    },
    Umask: {"type": "string", "pattern": "^0?[0-7]{3}$"},
    Mode: {"type": "string", "pattern": "^[0-7]{3,4}$"},
    SignalName: {"type": "string", "pattern": "^[A-Za-z0-9+-]+$"},
}
_EXTENDED = (model.Process, model.Serving)


def schema() -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) of the manifest. It knows types, not what fits together."""
    made = msgspec.json.schema(model.Manifest, schema_hook=_UNITS.__getitem__)
    tables: dict[str, Any] = made["$defs"]
    for table in KEYS:
        if table.__name__ in tables:
            _describe(tables[table.__name__]["properties"], table)
    for members in ("sidecars", "init"):
        names = {"pattern": f"^{NAME.pattern}$"}
        tables["Manifest"]["properties"][members]["propertyNames"] = names
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pairvisor manifest",
        **made,
    }


def _describe(properties: dict[str, Any], table: type[msgspec.Struct]) -> None:
    for kind in (*_EXTENDED, table):
        if issubclass(table, kind):
            for key, entry in KEYS[kind].items():
                properties[key] = _described(properties[key], kind, key, entry)


def _described(
    found: dict[str, Any], kind: type[msgspec.Struct], key: str, entry: Entry
) -> dict[str, Any]:
    field = next(f for f in own_fields(kind) if f.encode_name == key)
    if default := default_in_toml(field):
        found = {**found, "default": tomllib.loads(f"key = {default}")["key"]}
    note = "Not supported yet. " if is_unsupported(kind, key) else ""
    described = {**found, "description": note + entry.text}
    return {**described, "examples": [entry.value]} if entry.example else described
