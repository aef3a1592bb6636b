"""`load`: from a path to a `Group`, or to all that is wrong at once."""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from pairvisor.manifest.decode import decode
from pairvisor.manifest.errors import ManifestError, Problem
from pairvisor.manifest.group import Group
from pairvisor.manifest.reading import UnreadableError, read_text
from pairvisor.manifest.report import Key, Report
from pairvisor.manifest.resolve import Setting, resolve
from pairvisor.manifest.unsupported import refuse_unsupported

# tomllib's time grows with the square of a dotted key's parts: minutes for one of a megabyte.
# No part of this pattern looks far ahead, so that its own time doesn't.
_PART = r"""(?:"(?:[^"\\\n]|\\.){0,99}+"|'[^'\n]{0,99}+'|[\w-]{1,99}+)"""
_LONG_KEY = re.compile(rf"(?<![\w-])(?:{_PART}[ \t]{{0,9}}+\.[ \t]{{0,9}}+){{100}}")


def load(path: str | os.PathLike[str], environ: Mapping[str, str], uid: int) -> Group:
    """Read, check and resolve the manifest at `path`, for a supervisor of that environment.

    Raise ManifestError with all problems. What is odd but usable is in the group's `warnings`.
    """
    file = os.fspath(path)
    text = _read(file, uid)
    data = _parse(text, file)
    report = Report()
    refuse_unsupported(data, report)
    manifest = decode(data, report)
    group = resolve(manifest, Setting(file, environ, uid), report) if manifest else None
    if group is None or report.failed:
        raise ManifestError(report.problems(file, _locator(text)))
    if not report.warned:
        return group
    return msgspec.structs.replace(group, warnings=tuple(report.warnings(file, _locator(text))))


def _locator(text: str) -> Callable[[Key], int]:
    from pairvisor.manifest.locate import Lines  # noqa: PLC0415 - only where something is said

    return Lines(text).line_of


def _read(file: str, uid: int) -> str:
    try:
        return read_text(file, uid)
    except UnreadableError as error:
        raise ManifestError([Problem(file, error.line, "", error.message)]) from None


def _parse(text: str, file: str) -> dict[str, Any]:
    if match := _LONG_KEY.search(text):
        line = text.count("\n", 0, match.start()) + 1
        raise ManifestError([Problem(file, line, "", "a key with a hundred parts or more")])
    try:
        return tomllib.loads(text)
    except RecursionError:
        message = "lists or tables are nested too deeply"
        raise ManifestError([Problem(file, 0, "", message)]) from None
    except ValueError as error:  # TOMLDecodeError, or a number with too many digits
        raise ManifestError([_syntax_problem(file, text, str(error))]) from None


def _syntax_problem(file: str, text: str, message: str) -> Problem:
    """tomllib's `Invalid value (at line 3, column 5)` in our form."""
    match = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", message)
    if match is None:
        return Problem(file, 0, "", f"not TOML: {message}")
    said, line, column = match.groups()
    if line is None:
        return Problem(file, text.rstrip("\n").count("\n") + 1, "", f"not TOML: {said} at the end")
    return Problem(file, int(line), "", f"not TOML: {said} (column {column})")
