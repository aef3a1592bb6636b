"""Sidecar templates: found by name, and filled in by what `with` gives."""

import os
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from pairvisor.manifest.decode import decode
from pairvisor.manifest.group import Part
from pairvisor.manifest.names import NAME
from pairvisor.manifest.origins import Origins
from pairvisor.manifest.parameters import Value, resolve_parameters
from pairvisor.manifest.places import system_configuration, user_configuration
from pairvisor.manifest.report import Locator, Report
from pairvisor.manifest.template import Template
from pairvisor.manifest.toml import read_toml

FOLDER = "sidecars"
SHIPPED = os.path.join(os.path.dirname(os.path.dirname(__file__)), FOLDER)
_REFERENCE = re.compile(r"\$\$|\$\{with\.([^}]*)\}")
_ABSENT: Any = object()


class Expanded(Struct, frozen=True):
    """A template's `[sidecar]` with its parameters filled in."""

    file: str
    text: str
    table: dict[str, Any]


class Found(Struct, frozen=True):
    """A template that is there."""

    name: str
    file: str
    text: str
    template: Template


class Templates:
    """Those that a manifest in `folder` can use: of two of one name the nearest counts."""

    def __init__(self, folder: str, environ: Mapping[str, str], uid: int) -> None:
        above = (folder, user_configuration(environ, uid), system_configuration(environ))
        self.folders = [*(f"{each}/{FOLDER}" for each in above), SHIPPED]
        self._uid = uid

    def expand(self, use: str, written: Mapping[str, Any], report: Report) -> Expanded | None:
        """What the template gives to the sidecar with this table. None where it can't be had, which
        is reported. Raises ManifestError."""
        found = self.find(use, report.at("use"))
        if found is None:
            report.at("command").excuse()  # the template would bring it
            return None
        given = written.get("with", {})
        if not isinstance(given, dict):
            return None
        values = resolve_parameters(found.template.parameters, given, use, report)
        if values is None:
            report.excuse()  # what lacks a value is not worth a look
            return None
        own = Report()
        table = _filled(found.template.sidecar, values, own.at("sidecar"))
        table.setdefault("install", found.template.install)
        if own.failed:
            report.add(own.problems(_origins(found.file, found.text)))
            report.excuse()
        return Expanded(found.file, found.text, table)

    def find(self, name: str, report: Report) -> Found | None:
        """None where there is none that is sound, which is reported. Raises ManifestError."""
        if NAME.fullmatch(name):
            for folder in self.folders:
                if os.path.exists(file := f"{folder}/{name}.toml"):
                    return self._read(name, file, report)
        report.error(_unknown(name, self.names()))
        return None

    def names(self) -> list[str]:
        return sorted({name for folder in self.folders for name in _names(folder)})

    def _read(self, name: str, file: str, report: Report) -> Found | None:
        text, data = read_toml(file, self._uid)
        own = Report()
        template = decode(data, Template, own)
        if template is not None and "use" in template.sidecar:
            own.at("sidecar", "use").error("a template can't use another one")
        if template is None or own.failed:
            report.add(own.problems(_origins(file, text)))
            return None
        return Found(name, file, text, template)


def _origins(file: str, text: str) -> Locator:
    return Origins([Part(file)], {file: text}).find


def _names(place: str) -> list[str]:
    try:
        files = os.listdir(place)
    except OSError:
        return []
    names = [f.removesuffix(".toml") for f in files if f.endswith(".toml")]
    return [name for name in names if NAME.fullmatch(name)]


def _unknown(name: str, known: list[str]) -> str:
    from pairvisor.manifest.hints import did_you_mean  # noqa: PLC0415 - costs time, seldom needed

    return (
        f'no sidecar template is called "{name}"{did_you_mean(name, known)}; '
        "`pairvisor sidecars` lists them"
    )


def _filled(value: Any, values: Mapping[str, Value], report: Report) -> Any:
    """The same with each `${with.NAME}` replaced; a key whose whole value is one that is absent
    is left out, and so is an element of a list. A list takes a list's elements."""
    if isinstance(value, dict):
        filled = {key: _filled(v, values, report.at(key)) for key, v in value.items()}
        return {key: v for key, v in filled.items() if v is not _ABSENT}
    if isinstance(value, list):
        return [each for i, v in enumerate(value) for each in _elements(v, values, report.at(i))]
    return _text(value, values, report) if isinstance(value, str) else value


def _elements(value: Any, values: Mapping[str, Value], report: Report) -> list[Any]:
    filled = _filled(value, values, report)
    if filled is _ABSENT:
        return []
    return filled if isinstance(filled, list) and isinstance(value, str) else [filled]


def _text(text: str, values: Mapping[str, Value], report: Report) -> Any:
    def replacement(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        value = _value(match[1], values, report)
        return value.text if value else ""

    whole = _REFERENCE.fullmatch(text)
    if whole is None or whole[1] is None:
        return _REFERENCE.sub(replacement, text)
    value = _value(whole[1], values, report)
    if value is None:
        return text
    return _ABSENT if value.plain is None else value.plain


def _value(name: str, values: Mapping[str, Value], report: Report) -> Value | None:
    if name in values:
        return values[name]
    from pairvisor.manifest.hints import did_you_mean  # noqa: PLC0415 - costs time, seldom needed

    report.error(f"${{with.{name}}}: no parameter is called so{did_you_mean(name, list(values))}")
    return None
