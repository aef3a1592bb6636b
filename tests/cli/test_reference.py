"""docs/cli.md is what `python -m tests.docs` makes of the commands."""

import json
import re

from tests import docs

TO_DO = "run: python -m tests.docs"


def test_the_page_is_up_to_date() -> None:
    assert docs.COMMAND_LINE.read_text() == docs.command_line_page(), TO_DO


def test_every_key_of_the_plan_is_explained() -> None:
    example = re.search(r"```json\n(.*?)```", docs.command_line_page(), re.DOTALL)
    assert example is not None
    plan = json.loads(example[1])
    assert list(plan) == list(docs.PLAN_KEYS)
    for member in plan["members"]:
        assert list(member) == list(docs.MEMBER_KEYS)


def test_every_option_is_explained() -> None:
    rows = re.findall(r"^\| (`-.*?`) \| (.*) \|$", docs.command_line_page(), re.MULTILINE)
    assert len(rows) > 5
    assert all(text for _, text in rows)
