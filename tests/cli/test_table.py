"""Tables: what gives way where there is not room for all."""

import pytest

from pairvisor.cli.screen import Screen, cut, width
from pairvisor.cli.table import Cell, Column, lines

COLUMNS = (
    Column("NAME", least=4),
    Column("N", rank=1, is_number=True),
    Column("EMPTY"),
    Column("ABOUT", rank=2, least=6),
)
ROWS = [
    [Cell("tls"), Cell("7"), Cell(""), Cell("ends TLS for all", short="TLS")],
    [Cell("log-shipper"), Cell("1234"), Cell(""), Cell("ships")],
]


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (
            None,
            [
                "NAME            N  ABOUT",
                "tls             7  ends TLS for all",
                "log-shipper  1234  ships",
            ],
        ),
        (
            34,
            [
                "NAME           N ABOUT",
                "tls            7 ends TLS for all",
                "log-shipper 1234 ships",
            ],
        ),
        (24, ["NAME           N ABOUT", "tls            7 TLS", "log-shipper 1234 ships"]),
        (17, ["NAME     N ABOUT", "tls      7 TLS", "log-… 1234 ships"]),
        (12, ["NAME       N", "tls        7", "log-sh… 1234"]),
        (4, ["NAME", "tls", "log…"]),
    ],
)
def test_what_gives_way(columns: int | None, shown: list[str]) -> None:
    assert lines(Screen(columns), COLUMNS, ROWS) == shown


@pytest.mark.parametrize("columns", range(4, 40))
def test_nothing_is_wider_than_the_terminal(columns: int) -> None:
    assert all(width(line) <= columns for line in lines(Screen(columns), COLUMNS, ROWS))


def test_what_a_terminal_would_obey_is_shown_as_text() -> None:
    rows = [[Cell("a\x1b[31mb\x9b\u202e"), Cell(""), Cell(""), Cell("")]]
    assert lines(Screen(80), COLUMNS, rows)[1] == "a\\x1b[31mb\\x9b\\u202e"
    assert lines(Screen(), COLUMNS, rows)[1] == "a\x1b[31mb\x9b\u202e"


def test_characters_that_take_two_columns_or_none() -> None:
    assert width("日本") == 4
    assert width("e\u0301") == 1
    assert cut("日本語", 5) == "日本…"
    assert cut("日本語", 4) == "日…"


def test_colours_do_not_count() -> None:
    rows = [[Cell("tls", (32,)), Cell("7"), Cell(""), Cell("x")]]
    title, row = lines(Screen(80, has_colour=True), COLUMNS, rows)
    assert row == "\x1b[32mtls\x1b[0m   7  x"
    assert title.startswith("\x1b[2mNAME\x1b[0m")
