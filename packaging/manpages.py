"""Manual pages from pages of docs/, so that neither says what the other doesn't.

The pages are Markdown, of which this knows what they use: headings, paragraphs, tables, code,
inline code, bold, italics and links. What it makes is of man(7); a table is a list of tags, as
manual pages have it.
"""

import re
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

CODE = "```"
INDENT = "    "
CELLS = re.compile(r"(?<!\\)\|")
COMMAND = re.compile(r"`pairvisor (\w+)`")
SPANS = re.compile(r"(`[^`]+`|\*\*.+?\*\*|(?<!\w)\*[^*\s][^*]*\*|\[[^]]+\]\([^)]+\))")
PLAIN = ".nh\n.ad l\n"  # a name that is hyphenated or torn apart can't be copied
WIDTH = 78
FIRST = re.compile(r"^(\.S[HS] .*)\n\.PP$", re.MULTILINE)  # a paragraph begins there anyhow
GENERATED = "Made by `python -m tests.docs`"  # what only a reader of docs/ has to know


class Page(NamedTuple):
    """A manual page to be: its name and section, what it is about in a line, how it is used."""

    name: str
    section: int
    about: str
    synopsis: str


def manual_page(page: Page, markdown: str, version: str, epoch: int) -> str:
    """The page, as of `epoch`, seconds since 1970."""
    day = datetime.fromtimestamp(epoch, UTC).date()
    head = f'.TH {page.name.upper()} {page.section} "{day}" "pairvisor {version}"'
    body = FIRST.sub(r"\1", "\n".join(_blocks(markdown.splitlines())))
    return (
        f"{head}\n{PLAIN}.SH NAME\n{page.name} \\- {_escaped(page.about)}\n"
        f".SH SYNOPSIS\n{_inline(page.synopsis)}\n{body}\n"
    )


def _blocks(lines: list[str]) -> Iterator[str]:
    """The lines of the page's body."""
    at = 0
    in_commands = False
    while at < len(lines):
        line = lines[at]
        end = _end_of_block(lines, at)
        block = lines[at:end]
        if COMMAND.fullmatch(line.removeprefix("## ")) and not in_commands:
            in_commands = True
            yield ".SH COMMANDS"
        yield from _block(block)
        at = end


def _end_of_block(lines: list[str], at: int) -> int:
    line = lines[at]
    if line.startswith(CODE):
        return lines.index(CODE, at + 1) + 1
    if not line or line.startswith(("#", "<!--")):
        return at + 1
    end = at + 1
    while end < len(lines) and _goes_on(line, lines[end]):
        end += 1
    return end


def _goes_on(first: str, line: str) -> bool:
    if first.startswith(INDENT):
        return line.startswith(INDENT)
    return bool(line) and not line.startswith((CODE, "<!--"))


def _block(block: list[str]) -> Iterator[str]:
    first = block[0]
    if first.startswith(CODE):
        yield from _code(block[1:-1])
    elif first.startswith(INDENT):
        yield from _code([line.removeprefix(INDENT) for line in block])
    elif first.startswith("|"):
        yield from _table([_cells(line) for line in block])
    elif first.startswith("#"):
        yield from _heading(first)
    elif first and not first.startswith(("<!--", GENERATED)):
        yield ".PP"
        yield _inline(" ".join(block))


def _heading(line: str) -> Iterator[str]:
    marks, _, text = line.partition(" ")
    if COMMAND.fullmatch(text) or len(marks) > 2:
        yield f".SS {_inline(text)}"
    elif len(marks) == 1:
        yield ".SH DESCRIPTION"
    else:
        yield f".SH {_escaped(text.replace('`', '').upper())}"


def _code(lines: list[str]) -> Iterator[str]:
    yield ".PP"
    yield ".RS 4"
    yield ".EX"
    yield from (_as_text(_escaped(line)) for line in lines)
    yield ".EE"
    yield ".RE"


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in CELLS.split(line)[1:-1]]


def _table(rows: list[list[str]]) -> Iterator[str]:
    """What stands between the first cell and the last goes before the last, as a line of its own,
    with the column's head where there are several such."""
    head, body = rows[0], rows[2:]
    for tag, *between, last in body:
        yield ".TP"
        yield _inline(tag)
        said = [
            cell if column == 0 else f"{head[column + 1]} {cell}"
            for column, cell in enumerate(between)
            if cell
        ]
        if said:
            yield _inline("; ".join(said)) + "."
            yield ".br"
        yield _inline(last)


def _inline(text: str) -> str:
    """In lines, none of which begins with a full stop: that would be a command."""
    line = "".join(_span(part) for part in SPANS.split(text))
    lines = textwrap.wrap(line, WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(map(_as_text, lines))


def _span(part: str) -> str:
    if not SPANS.fullmatch(part):
        return _escaped(part)
    if part.startswith("["):
        return _escaped(part[1 : part.index("]")])
    bare = part.strip("`") if part.startswith("`") else part.strip("*")
    font = "I" if part.startswith("*") and not part.startswith("**") else "B"
    return f"\\f{font}{_escaped(bare)}\\fR"


def _escaped(text: str) -> str:
    """What means something to troff, or looks otherwise when it is set, as it is."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("^", "\\(ha")
    return plain.replace("`", "\\(ga").replace("'", "\\(aq").replace("~", "\\(ti")


def _as_text(line: str) -> str:
    return f"\\&{line}" if line.startswith(".") else line
