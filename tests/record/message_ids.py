"""The table of MESSAGE_IDs in docs/systemd.md, made of the kinds of events."""

import re
from pathlib import Path

from pairvisor.record.entries import PRIORITIES, message_id
from pairvisor.record.model import Kind

PAGE = Path(__file__).parents[2] / "docs/systemd.md"
BEGIN, END = "<!-- message ids -->\n", "<!-- end -->"
USUAL = 6


def page() -> str:
    """The page, with the table made anew."""
    rows = [f"| `{kind}` | {PRIORITIES.get(kind, USUAL)} | {message_id(kind)} |\n" for kind in Kind]
    table = "| `EVENT` | `PRIORITY` | `MESSAGE_ID` |\n| --- | --- | --- |\n" + "".join(rows)
    pattern = re.compile(f"{BEGIN}.*{END}", re.DOTALL)
    return pattern.sub(lambda _: BEGIN + table + END, PAGE.read_text())
