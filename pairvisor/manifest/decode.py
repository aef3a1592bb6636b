"""From TOML's values to the manifest's types."""

from typing import Any, TypeVar

import msgspec

from pairvisor.manifest.report import Report

TableT = TypeVar("TableT", bound=msgspec.Struct)


def decode(data: dict[str, Any], table: type[TableT], report: Report) -> TableT | None:
    """The table, or as much of it as is sound where that was reported not to be."""
    try:
        return msgspec.convert(data, table, dec_hook=parse_unit)
    except (msgspec.ValidationError, OverflowError):
        from pairvisor.manifest.explain import explain  # noqa: PLC0415 - only for broken ones

    return explain(data, table, report)


def parse_unit(unit: Any, written: object) -> object:
    """msgspec's hook for the types that it doesn't know: those of `units`."""
    return unit.parse(written)
