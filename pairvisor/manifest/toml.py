"""Reads a TOML file that a person wrote: its text and its table, or one clear message."""

import re
import tomllib
from typing import Any

from pairvisor.manifest.errors import ManifestError, Problem
from pairvisor.manifest.reading import UnreadableError, read_text

# tomllib's time grows with the square of a dotted key's parts: minutes for one of a megabyte.
# No part of this pattern looks far ahead, so that its own time doesn't.
_PART = r"""(?:"(?:[^"\\\n]|\\.){0,99}+"|'[^'\n]{0,99}+'|[\w-]{1,99}+)"""
_LONG_KEY = re.compile(rf"(?<![\w-])(?:{_PART}[ \t]{{0,9}}+\.[ \t]{{0,9}}+){{100}}")


def read_toml(file: str, uid: int) -> tuple[str, dict[str, Any]]:
    """The text and what it says. Raises ManifestError."""
    try:
        text = read_text(file, uid)
    except UnreadableError as error:
        raise ManifestError([Problem(file, error.line, "", error.message)]) from None
    return text, parse_toml(text, file)


def parse_toml(text: str, file: str) -> dict[str, Any]:
    """What the text of that file says. Raises ManifestError."""
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
