"""Names of groups and members: they become file names, socket names and words of commands."""

import os.path
import re

from pairvisor.manifest.report import Report

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_RULE = "a name has a-z, 0-9 and -, starts with a letter or digit, and is at most 63 long"


def check_name(name: str, report: Report) -> None:
    if not NAME.fullmatch(name):
        report.error(f"{_shown(name)} can't be a name: {_RULE}")


def group_name(written: str | None, path: str, report: Report) -> str:
    """The group's name: as it is written, or else by its file, or else by its file's folder."""
    name = _name_by_file(path) if written is None else written
    base, at, instance = name.partition("@")
    if NAME.fullmatch(base) and (not at or NAME.fullmatch(instance)):
        return name
    if written is None:
        report.error(f'the file\'s name gives {_shown(name)}: write name = "…" ({_RULE})')
    else:
        report.error(f"{_shown(name)} can't be a group's name: {_RULE}; one @INSTANCE may follow")
    return "unnamed"


def _name_by_file(path: str) -> str:
    """A folder may well be called My_App; the group in it is my-app then, as with Compose."""
    absolute = os.path.abspath(path)
    name = os.path.basename(absolute).removesuffix(".toml")
    if name == "pairvisor":
        name = os.path.basename(os.path.dirname(absolute))
    parts = name.lower().split("@", 1)
    return "@".join(re.sub("[^a-z0-9]+", "-", part)[:63].strip("-") for part in parts)


def _shown(name: str) -> str:
    name = name.replace("\n", "\\n")
    return f'"{name}"' if len(name) <= 70 else f'"{name[:69]}…"'
