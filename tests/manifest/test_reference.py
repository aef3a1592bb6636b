"""docs/manifest.md, the reference and the JSON Schema are held against the model."""

import re
import tomllib
from pathlib import Path
from typing import Any, get_type_hints

import jsonschema
import msgspec
import pytest

from pairvisor.manifest import model, template
from pairvisor.manifest.decode import parse_unit
from pairvisor.manifest.reference import (
    KEYS,
    UNSUPPORTED_TABLES,
    default_in_toml,
    main,
    own_fields,
    with_tables,
)
from pairvisor.manifest.schema import schema
from tests.manifest.conftest import Loader

PAGE = Path(__file__).parents[2] / "docs" / "manifest.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
SIDECARS = PAGE.with_name("sidecars.md")
TABLES: list[type[msgspec.Struct]] = [
    table
    for table in {**vars(model), **vars(template)}.values()
    if isinstance(table, type) and issubclass(table, model.Table) and table is not model.Table
]


def test_every_key_is_documented() -> None:
    documented = {table: set(entries) for table, entries in KEYS.items()}
    assert documented == {t: {f.encode_name for f in own_fields(t)} for t in TABLES}


def test_the_page_is_up_to_date(tmp_path: Path) -> None:
    page = PAGE.read_text()
    assert with_tables(page) == page, "run python -m pairvisor.manifest.reference docs/manifest.md"
    copy = tmp_path / "manifest.md"
    copy.write_text(page.replace("| `grace` |", "| `disgrace` |"))
    main(str(copy))
    assert copy.read_text() == page


def test_the_page_has_every_table() -> None:
    pages = PAGE.read_text() + SIDECARS.read_text()
    found = re.findall(r"<!-- keys: (\w+) -->", pages)
    assert sorted(found) == sorted(table.__name__ for table in TABLES)


def test_keys_that_are_not_supported_yet_are_marked() -> None:
    page = PAGE.read_text()
    marked = page.count("*not supported yet*")
    keys = [key for keys in model.NOT_YET.values() for key in keys]
    fields = [field for table in UNSUPPORTED_TABLES for field in own_fields(table)]
    assert marked == len(keys) + len(fields)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_examples_and_defaults_are_of_their_type(table: type[msgspec.Struct]) -> None:
    hints = get_type_hints(table)
    for field in own_fields(table):
        entry = KEYS[table][field.encode_name]
        texts = [entry.example, default_in_toml(field)]
        for value in (tomllib.loads(f"v = {text}")["v"] for text in texts if text):
            msgspec.convert(value, hints[field.name], dec_hook=parse_unit)


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_load(example: str, resolved: Loader, tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    for (
        program
    ) in "shop check announce drain clean-up ship proxy migrate gunicorn nginx vector".split():
        for folder in (tmp_path, tmp_path / "web"):
            (folder / program).symlink_to("/bin/sleep")
    group = resolved(example, uid=0, PATH=f"{tmp_path}:/usr/bin:/bin")
    assert group.warnings == ()


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_schema_takes_the_examples(example: str) -> None:
    jsonschema.validate(tomllib.loads(example), schema())


@pytest.mark.parametrize(
    "text",
    [
        "[sidecars.a]\ncommand = 'x'",
        "[primary]\ncomand = 'x'",
        "[primary]\ncommand = 5",
        "grace = 'soon'\n[primary]\ncommand = 'x'",
        "grace = -1\n[primary]\ncommand = 'x'",
        "[primary]\ncommand = 'x'\non_failure = 'always'",
        "[primary]\ncommand = 'x'\n[sidecars.Bad_Name]\ncommand = 'x'",
    ],
)
def test_the_schema_refuses(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(text), schema())


def test_the_schema_is_one_and_describes() -> None:
    whole: dict[str, Any] = schema()
    jsonschema.Draft202012Validator.check_schema(whole)
    stop = whole["$defs"]["Stop"]["properties"]["signal"]
    assert stop["default"] == "SIGTERM"
    assert "SIGCONT" in stop["description"]
    overlap = whole["$defs"]["Primary"]["properties"]["restart_mode"]
    assert overlap["description"].startswith("Not supported yet.")
