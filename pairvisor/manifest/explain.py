"""Says all that is wrong with a manifest that msgspec refused; msgspec stops at the first.

Walks the written data beside the types. What is sound is copied, what isn't is reported and left
out, so that the rest can still be decoded and checked: a typo must not hide a cycle.
"""

from enum import EnumMeta
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from pairvisor.manifest.decode import TableT, parse_unit
from pairvisor.manifest.hints import did_you_mean, explain_unknown
from pairvisor.manifest.model import Manifest, Probe
from pairvisor.manifest.reference import KEYS
from pairvisor.manifest.report import Report
from pairvisor.manifest.units import Bound, Duration, Mode, SignalName, Size, Umask, shown

_LEFT_OUT: Any = object()
_IN_WORDS: dict[Any, str] = {
    str: "text in quotes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list[str]: "a list of texts in quotes",
    list[int]: "a list of whole numbers",
    list[str | int]: "a list of names or numbers",
}
_WORDS = "a text in quotes or a list of them"
_UNITS = (Duration, Size, Bound, Umask, Mode, SignalName)


def explain(data: dict[str, Any], table: type[TableT], report: Report) -> TableT | None:
    """Report what is wrong; return the table without it, if that leaves one."""
    sound = _table(data, table, report)
    if table is Manifest:
        if "primary" not in data:
            _report_no_primary(report)
        sound.setdefault("primary", {})
    else:
        _report_missing(data, table, report)
    try:
        return msgspec.convert(sound, table, dec_hook=parse_unit)
    except (msgspec.ValidationError, OverflowError) as error:
        if not report.failed:
            report.error(str(error))
        return None


def _report_no_primary(report: Report) -> None:
    report.at("primary").error(
        'missing: a group has one primary process; write [primary] and command = ["PROGRAM", …] '
        "below it"
    )


def _report_missing(data: dict[str, Any], table: type[msgspec.Struct], report: Report) -> None:
    for field in msgspec.structs.fields(table):
        if field.required and field.encode_name not in data:
            report.at(field.encode_name).error("missing")


def _value(value: Any, wanted: Any, report: Report) -> Any:
    """The sound part of a value, or _LEFT_OUT."""
    arms = _arms(wanted)
    arm = next((arm for arm in arms if _has_shape(value, arm)), None)
    if isinstance(value, dict) and arm is not None:
        return _table_or_dict(value, arm, report)
    if isinstance(value, list) and arm is not None:
        return _list(value, get_args(arm)[0], report)
    return _leaf(value, wanted, arms, report)


def _arms(wanted: Any) -> tuple[Any, ...]:
    if not isinstance(wanted, UnionType):
        return (wanted,)
    return tuple(arm for arm in get_args(wanted) if arm is not NoneType)


def _has_shape(value: Any, arm: Any) -> bool:
    if isinstance(value, dict):
        return get_origin(arm) is dict or _is_table(arm)
    return isinstance(value, list) and get_origin(arm) is list


def _is_table(wanted: Any) -> bool:
    return isinstance(wanted, type) and issubclass(wanted, msgspec.Struct)


def _table_or_dict(value: dict[str, Any], arm: Any, report: Report) -> dict[str, Any]:
    if _is_table(arm):
        return _table(value, arm, report)
    wanted = get_args(arm)[1]
    return _kept({k: _value(v, wanted, report.at(k)) for k, v in value.items()})


def _table(value: dict[str, Any], table: type, report: Report) -> dict[str, Any]:
    types = _types(table)
    unsaid = {key for key in value if not report.at(key).is_excused()}
    unknown = [key for key in value if key in unsaid and key not in types]
    for key in unknown:
        meant = _report_unknown(key, table, set(types), report)
        _excuse(meant - value.keys(), report)
    known = {key: written for key, written in value.items() if key in unsaid and key in types}
    sound = _kept({k: _value(written, types[k], report.at(k)) for k, written in known.items()})
    if unknown and table is Probe:
        report.excuse()  # "a probe needs a method" would be no news
    return sound


def _types(table: type) -> dict[str, Any]:
    """The type of each key, by the key's name in the manifest."""
    hints = get_type_hints(table)
    return {field.encode_name: hints[field.name] for field in msgspec.structs.fields(table)}


def _report_unknown(key: str, table: type, known: set[str], report: Report) -> frozenset[str]:
    explanation = explain_unknown(key, table.__name__, known)
    report.at(key).error(explanation.message)
    return explanation.meant


def _excuse(keys: frozenset[str], report: Report) -> None:
    for key in keys:
        report.at(key).excuse()  # "command is missing" would be no news


def _kept(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not _LEFT_OUT}


def _list(value: list[Any], wanted: Any, report: Report) -> list[Any]:
    found = [_value(item, wanted, report.at(index)) for index, item in enumerate(value)]
    return [item for item in found if item is not _LEFT_OUT]


def _leaf(value: Any, wanted: Any, arms: tuple[Any, ...], report: Report) -> Any:
    try:
        msgspec.convert(value, wanted, dec_hook=parse_unit)
    except (msgspec.ValidationError, OverflowError):
        report.error(_why(value, arms, report))
    else:
        return value
    return {} if any(_is_table(arm) for arm in arms) else _LEFT_OUT


def _why(value: Any, arms: tuple[Any, ...], report: Report) -> str:
    for arm in arms:
        if arm in _UNITS:
            return _why_no_unit(value, arm)
    allowed = _allowed(arms[0]) if len(arms) == 1 else ()
    if allowed and isinstance(value, str):
        return f"expected {_either(allowed)}, got {shown(value)}{did_you_mean(value, allowed)}"
    wanted = _WORDS if arms == (str, list[str]) else " or ".join(map(_in_words, arms))
    return f"expected {wanted}, got {shown(value)}{_advice(value, arms, report)}"


def _why_no_unit(value: Any, unit: Any) -> str:
    try:
        unit.parse(value)
    except ValueError as error:
        return str(error)
    return f"unexpected {shown(value)}"


def _allowed(arm: Any) -> tuple[str, ...]:
    if get_origin(arm) is Literal:
        return get_args(arm)
    return tuple(arm) if isinstance(arm, EnumMeta) else ()


def _either(allowed: tuple[str, ...]) -> str:
    *others, last = (f'"{each}"' for each in allowed)
    return f"{', '.join(others)} or {last}" if others else last


def _in_words(arm: Any) -> str:
    if arm in _IN_WORDS:
        return _IN_WORDS[arm]
    if allowed := _allowed(arm):
        return _either(allowed)
    return "a list" if get_origin(arm) is list else "a table"


def _advice(value: Any, arms: tuple[Any, ...], report: Report) -> str:
    if arms == (str,) and isinstance(value, int | float):
        return f' (write "{shown(value)}")'
    key = str(report.key[-1])
    examples = (entries[key].example for entries in KEYS.values() if key in entries)
    example = next((each for each in examples if each.startswith("{")), "")
    return f" (such as {key} = {example})" if example else ""
