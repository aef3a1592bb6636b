"""Rows and columns that fit where they are shown.

Not all columns matter alike. Where a terminal is too narrow for all of them, the gaps and those
that may be narrower give way first, and then the least important are left out, one after the other.
A pipe has all of them, whole.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pairvisor.cli.screen import DIM, Screen, cut, width

GAP = 2
NARROW = 1  # a gap, where there is not room for all


class Cell(NamedTuple):
    """`short` is for where there is not room for the whole text."""

    text: str
    colours: tuple[int, ...] = ()
    short: str = ""


class Column(NamedTuple):
    """`rank`: the columns with the highest are left out first, those with 0 never; `least`: to
    how many columns of the terminal it may shrink."""

    title: str
    rank: int = 0
    is_number: bool = False
    least: int | None = None


def lines(screen: Screen, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> list[str]:
    """The table's lines, the titles first. A column in which all cells are empty is left out."""
    shown = [[cell._replace(text=screen.text(cell.text)) for cell in row] for row in rows]
    used = [i for i in range(len(columns)) if any(row[i].text for row in shown)]
    wanted = {i: max(width(columns[i].title), *(width(r[i].text) for r in shown)) for i in used}
    widths, gap = _fitted(columns, wanted, screen.columns)
    titles = [Cell(column.title, (DIM,)) for column in columns]
    return [_line(screen, columns, row, widths, gap) for row in (titles, *shown)]


def _fitted(
    columns: Sequence[Column], wanted: dict[int, int], available: int | None
) -> tuple[dict[int, int], int]:
    """The width of each column that is shown, and of the gaps between them."""
    if available is None or _total(wanted, GAP) <= available:
        return wanted, GAP
    widths = dict(wanted)
    while _least(columns, widths) > available:
        droppable = [i for i in widths if columns[i].rank]
        if not droppable:
            break
        del widths[max(droppable, key=lambda i: columns[i].rank)]
    gap = GAP if _total(widths, GAP) <= available else NARROW
    return _shrunk(columns, widths, _total(widths, gap) - available), gap


def _total(widths: dict[int, int], gap: int) -> int:
    return sum(widths.values()) + gap * (len(widths) - 1)


def _least(columns: Sequence[Column], widths: dict[int, int]) -> int:
    """How narrow they can be."""
    least = {i: min(wide, columns[i].least or wide) for i, wide in widths.items()}
    return _total(least, NARROW)


def _shrunk(columns: Sequence[Column], widths: dict[int, int], excess: int) -> dict[int, int]:
    """The least important of those that may give way does so, until they fit or none can."""
    found = dict(widths)
    for _ in range(excess):
        soft = [i for i, wide in found.items() if wide > (columns[i].least or wide)]
        if soft:
            found[max(soft, key=lambda i: columns[i].rank)] -= 1
    return found


def _line(
    screen: Screen, columns: Sequence[Column], row: Sequence[Cell], widths: dict[int, int], gap: int
) -> str:
    parts = []
    for i, wide in widths.items():
        fits = width(row[i].text) <= wide or not row[i].short
        text = cut(row[i].text if fits else row[i].short, wide)
        blank = " " * (wide - width(text))
        painted = screen.paint(text, *row[i].colours)
        parts.append(blank + painted if columns[i].is_number else painted + blank)
    return (" " * gap).join(parts).rstrip()
