"""Commands as they are written: a list of words, or a string that is split as a shell would.

No shell runs. Who writes a pipe, a redirection or `$HOME` nevertheless is told so.
"""

import re
from os.path import basename

from pairvisor.manifest.interpolate import Interpolator
from pairvisor.manifest.report import Report

Words = str | list[str]

_BLANKS = re.compile(r"[ \t\r\n]+")
_QUOTING = re.compile(r"['\"\\]")
_SHELLS_OWN = re.compile(r"\d*(>|>>|<|<<|>&|&>)\S*|\|\|?&?|&&?|;|\S+;")
_VARIABLE = re.compile(r"(?<!\$)\$([A-Za-z_][A-Za-z0-9_]*)")
_SHELLS = frozenset("sh bash dash ash zsh ksh fish busybox awk gawk mawk perl".split())


def split_command(written: Words, interpolator: Interpolator, report: Report) -> tuple[str, ...]:
    """The command's words, filled in; empty where it is unusable, which is then reported."""
    words = _split(written, report) if isinstance(written, str) else written
    if not words or not words[0]:
        report.error("the command is empty")
        return ()
    if any("\0" in word for word in words):
        report.error("a command can't have a NUL character")
        return ()
    if basename(words[0]) not in _SHELLS:
        _warn_of_shell_syntax(words, report, is_text=isinstance(written, str))
    return tuple([interpolator.fill(word, report) if "$" in word else word for word in words])


def _split(text: str, report: Report) -> list[str]:
    if not _QUOTING.search(text):
        return [word for word in _BLANKS.split(text) if word]
    from shlex import split  # noqa: PLC0415 - most commands don't need it

    try:
        return split(text)
    except ValueError as error:
        report.error(f"cannot split the command into words: {str(error).lower()}")
        report.excuse()
        return []


def _warn_of_shell_syntax(words: list[str], report: Report, *, is_text: bool) -> None:
    if is_text and (found := next(filter(_SHELLS_OWN.fullmatch, words[1:]), None)):
        report.warn(f'no shell runs, so "{found}" is an ordinary word: {_BY_SHELL}')
    for word in words:
        if "$" in word and (match := _VARIABLE.search(word)):
            report.warn(
                f"no shell runs, so {match[0]} stays as it is: write ${{env.{match[1]}}}, "
                f"or $${match[1]} to say that it is meant so"
            )


_BY_SHELL = 'use command = ["sh", "-c", "…"] where one is wanted'
