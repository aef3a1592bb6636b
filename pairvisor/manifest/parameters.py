"""The parameters of a sidecar template: what `with` gives for each, checked and written out."""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from pairvisor.manifest.addresses import split_address
from pairvisor.manifest.report import Report
from pairvisor.manifest.template import Parameter
from pairvisor.manifest.units import Duration, Size, shown

_IN_WORDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "text": (str, "text in quotes"),
    "integer": (int, "a whole number"),
    "boolean": (bool, "true or false"),
    "duration": ((str, int, float), 'a duration such as "10s"'),
    "size": ((str, int), 'a size such as "64MiB"'),
    "path": (str, "a path, relative to the manifest's folder"),
    "address": ((str, int), 'an address such as "127.0.0.1:8080", or a socket such as "app.sock"'),
    "list": (list, "a list of texts in quotes"),
}
_EVERY = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - what listens is reached so


class Value(Struct, frozen=True):
    """`text` stands within other text, `plain` where there is nothing else; None: absent."""

    text: str
    plain: Any


_NONE = Value("", None)


def resolve_parameters(
    parameters: Mapping[str, Parameter], given: Mapping[str, Any], use: str, report: Report
) -> dict[str, Value] | None:
    """What `${with.…}` stands for, by what follows the dot. None where something is wrong, which is
    reported: `report` is for the sidecar's table."""
    at = report.at("with")
    is_sound = True
    for name in given.keys() - parameters.keys():
        at.at(name).error(_unknown(name, parameters, use))
        is_sound = False
    values: dict[str, Value] = {}
    for name, parameter in parameters.items():
        found = _values(name, parameter, given, use, at)
        is_sound = is_sound and found is not None
        values |= found or {}
    return values if is_sound else None


def _unknown(name: str, parameters: Mapping[str, Parameter], use: str) -> str:
    from pairvisor.manifest.hints import did_you_mean  # noqa: PLC0415 - costs time, seldom needed

    known = f"; there are {', '.join(parameters)}" if parameters else ", as it has none"
    return f"no parameter of {use}{did_you_mean(name, list(parameters)) or known}"


def _values(
    name: str, parameter: Parameter, given: Mapping[str, Any], use: str, report: Report
) -> dict[str, Value] | None:
    value = given.get(name, parameter.default)
    if value is None:
        if parameter.optional:
            parts = (*_PARTS, *parameter.formats)
            return dict.fromkeys([name, *(f"{name}.{part}" for part in parts)], _NONE)
        example = written("…" if parameter.example is None else parameter.example)
        what = f"{use} needs {name}: {parameter.description}"
        report.error(f"{what} (with = {{ {name} = {example} }})")
        return None
    try:
        _check(parameter, value)
        forms = _forms(parameter, value)
    except ValueError as error:
        report.at(name).error(str(error))
        return None
    return {f"{name}.{part}" if part else name: form for part, form in forms.items()}


_PARTS = ("value", "text", "joined", "host", "port", "path", "local", "seconds", "bytes")


def _check(parameter: Parameter, value: Any) -> None:
    """Raises ValueError."""
    wanted, words = _IN_WORDS[parameter.type]
    is_boolean = isinstance(value, bool)
    if not isinstance(value, wanted) or is_boolean != (parameter.type == "boolean"):
        raise ValueError(f"expected {words}, got {shown(value)}")
    texts = value if isinstance(value, list) else [value]
    for each in texts:
        if isinstance(value, list) and not isinstance(each, str):
            raise ValueError(f"expected {words}, got {shown(each)} in it")  # noqa: TRY004 - as all
        if isinstance(each, str):
            _check_text(parameter, each)


def _check_text(parameter: Parameter, text: str) -> None:
    if any(ord(character) < 32 and character != "\t" for character in text):
        raise ValueError("a value has one line, without control characters")
    if parameter.choices and text not in parameter.choices:
        from pairvisor.manifest.hints import did_you_mean  # noqa: PLC0415 - seldom needed

        hint = did_you_mean(text, parameter.choices)
        raise ValueError(f"one of {', '.join(parameter.choices)}, got {shown(text)}{hint}")
    if parameter.pattern and not re.fullmatch(parameter.pattern, text):
        raise ValueError(f"{shown(text)} does not match {parameter.pattern}")


def _forms(parameter: Parameter, value: Any) -> dict[str, Value]:
    """By what follows the parameter's name and a dot; the first has no such part."""
    match parameter.type:
        case "address":
            return _address(parameter, str(value))
        case "list":
            items = [_put_in(parameter.format, {"value": each}) for each in value]
            joined = parameter.separator.join(items)
            return {"": Value(joined, items), "joined": _plain(joined), "value": Value("", value)}
        case "boolean":
            return {"": Value(written(value), value), **_formatted(parameter, value and "true")}
        case "path":
            path = value if value.startswith(("/", "${")) else f"${{dir}}/{value}"
            return {"": _plain(path), **_formatted(parameter, path), "text": _plain(path)}
        case _:
            pass
    text = {"": Value(str(value), value), "value": Value(str(value), value)}
    return text | _formatted(parameter, str(value)) | _counted(parameter, value)


def _plain(text: str) -> Value:
    return Value(text, text)


def _formatted(parameter: Parameter, text: str) -> dict[str, Value]:
    """As it is to stand in other text; nothing at all where it is false."""
    forms = {"text": _plain(text)}
    if parameter.format is not None:
        forms[""] = _plain(_put_in(parameter.format, {"value": text}) if text else "")
    for name, form in parameter.formats.items():
        forms[name] = _plain(_put_in(form, {"value": text}) if text else "")
    return forms


def _put_in(form: str | None, values: Mapping[str, str]) -> str:
    text = "${value}" if form is None else form
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    return text


def _counted(parameter: Parameter, value: Any) -> dict[str, Value]:
    if parameter.type == "duration":
        seconds = float(Duration.parse(value))
        return {"seconds": _plain(f"{seconds:g}")}
    if parameter.type == "size":
        count = int(Size.parse(value))
        return {"bytes": _plain(str(count))}
    return {}


def _address(parameter: Parameter, text: str) -> dict[str, Value]:
    """A port alone is one of `parameter.host`; what is neither that nor HOST:PORT is a socket."""
    if text.isdecimal():
        text = f"{parameter.host}:{text}"
    parts = dict.fromkeys(("host", "port", "local", "path"), "")
    if "/" not in text and ":" in text:
        host, port = split_address(text)
        parts |= {"host": host, "port": port, "local": f"{_EVERY.get(host, host)}:{port}"}
        form = parameter.tcp or "${host}:${port}"
    elif parameter.socket:
        parts["path"] = text if text.startswith(("/", "${")) else f"${{sockets}}/{text}"
        form = parameter.unix or "${path}"
    else:
        raise ValueError(f'expected an address such as "127.0.0.1:8080", got "{text}"')
    forms = {"": form, **parameter.formats}
    return {
        **{name: _plain(_put_in(each, parts)) for name, each in forms.items()},
        **{part: _plain(each) if each else _NONE for part, each in parts.items()},
        "text": _plain(text),
    }


def written(value: Any) -> str:
    """As TOML has it."""
    import json  # noqa: PLC0415 - only where something is said

    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return json.dumps(value, ensure_ascii=False)
