"""From TOML's values to the manifest's types."""

from typing import Any

import msgspec

from pairvisor.manifest.model import Manifest
from pairvisor.manifest.report import Report


def decode(data: dict[str, Any], report: Report) -> Manifest | None:
    """The manifest, or as much of it as is sound where that was reported not to be."""
    try:
        return msgspec.convert(data, Manifest, dec_hook=parse_unit)
    except (msgspec.ValidationError, OverflowError):
        from pairvisor.manifest.explain import explain  # noqa: PLC0415 - only for broken ones

    return explain(data, report)


def parse_unit(unit: Any, written: object) -> object:
    """msgspec's hook for the types that it doesn't know: those of `units`."""
    return unit.parse(written)
