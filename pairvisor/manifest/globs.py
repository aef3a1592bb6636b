"""Globs of files to watch: what is written in a manifest, made absolute and made a pattern.

`*`, `?` and `[…]` stay within one name, `**` is any number of folders, and a glob without any of
them is that file or folder with all that is in it. Unlike a shell's, they match hidden files.
"""

import re
from collections.abc import Mapping

from pairvisor.manifest.interpolate import Interpolator
from pairvisor.manifest.paths import below, climbs
from pairvisor.manifest.report import Report

_WILD = re.compile(r"([*?[])")
_ESCAPED = re.compile(r"\[([*?[])\]")
_TOKEN = re.compile(r"\*+|\?|\[(!?)(\]?[^\]]*)\]|.", re.DOTALL)
_BRACES = re.compile(r"\{[^}]*,[^}]*\}")


def resolve_globs(
    written: list[str], folder: str, interpolator: Interpolator, report: Report
) -> tuple[str, ...]:
    """Absolute globs. What `${…}` stands for stands for itself, whatever characters it has."""
    if not written:
        return ()
    exact = Interpolator(_as_globs(interpolator.values), _as_globs(interpolator.env))
    return tuple(
        _absolute(exact.fill(glob, report.at(index)), folder, report.at(index))
        for index, glob in enumerate(written)
    )


def _absolute(glob: str, folder: str, report: Report) -> str:
    if why := _why_not(glob):
        report.error(why)
        return glob
    absolute = below(as_glob(folder), glob) + ("/**" if glob.endswith("/") else "")
    try:
        compiled(absolute)
    except re.error as error:
        report.error(f'"{glob}" is not a glob: {error.msg}')
    if fixed_part(absolute) == "/":
        report.error(f'"{glob}" would watch the whole machine: name a folder')
    return absolute


def _why_not(glob: str) -> str:
    if not glob or "\0" in glob:
        return "a path can't have a NUL character" if glob else "the text is empty"
    if climbs(glob):
        return f'"{glob}" leaves the manifest\'s folder (an absolute path may)'
    if glob.startswith("!"):
        return "there is no exclusion: name what is to be watched"
    if _BRACES.search(glob):
        return "braces are ordinary characters here: write a glob for each"
    return ""


def _as_globs(values: Mapping[str, str]) -> dict[str, str]:
    return {name: as_glob(value) for name, value in values.items()}


def as_glob(path: str) -> str:
    """A glob that means that path alone."""
    return _WILD.sub(r"[\1]", path)


def fixed_part(glob: str) -> str:
    """Where an absolute glob looks: the path before its first name with a wildcard."""
    names = []
    for name in glob.split("/"):
        if _is_wild(name):
            break
        names.append(_ESCAPED.sub(r"\1", name))
    return "/".join(names) or "/"


def compiled(glob: str) -> re.Pattern[str]:
    """What the whole of an absolute path must match. Raises re.error, as for `[z-a]`."""
    names = glob.split("/")[1:]
    pattern = "".join(map(_pattern, names[:-1])) + _last_pattern(names[-1])
    everything_in_it = "" if any(map(_is_wild, names)) else "(?:/.*)?"
    return re.compile(pattern + everything_in_it, re.DOTALL)


def _is_wild(name: str) -> bool:
    return _WILD.search(_ESCAPED.sub("", name)) is not None


def _pattern(name: str) -> str:
    return "(?:/[^/]+)*" if name == "**" else f"/{_TOKEN.sub(_token, name)}"


def _last_pattern(name: str) -> str:
    return "(?:/[^/]+)+" if name == "**" else _pattern(name)


def _token(match: re.Match[str]) -> str:
    text, negated, characters = match[0], match[1], match[2]
    if characters:
        within = re.sub(r"([\\^\[\]&~|])", r"\\\1", characters)
        return f"[{'^/' if negated else ''}{within}]"
    if text == "?":
        return "[^/]"
    return "[^/]*" if text.startswith("*") else re.escape(text)
