"""docs/reliability.md says what is tested, and where."""

import re

from tests.reliability import PAGE, ROOT, missing, page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run ./dev docs"


def test_all_tests_that_are_spoken_of_are_there() -> None:
    assert list(missing()) == []


def test_all_files_that_are_named_are_there() -> None:
    for path in re.findall(r"`(tests/[\w/.]+)`", PAGE.read_text()):
        assert (ROOT / path).exists(), path
