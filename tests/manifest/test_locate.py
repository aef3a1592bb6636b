"""Lines of keys, in every form that TOML has for them."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairvisor.manifest.group import Part
from pairvisor.manifest.locate import Key, Lines
from pairvisor.manifest.origins import Origins
from pairvisor.manifest.report import Place

FORMS = (
    r'''# a comment with [brackets] and = signs
top = 1
"quoted \u0041" = 2
'literal "key"' = 3
dotted.a . b = 4

[table]
multi = [ # comment ]
  "one", "]",
  { x = 1, y = "}" },
  [ 5,
    6 ],
]
text = """
[not.a.table]
key = "value" \"""
"""
raw = '''
    """'''
fake = 1
''''"""
    r"""
after = 1979-05-27 07:32:00
empty = ""
[ table . sub ]
k = { a.b = 1, c = { d = 2 } } # }
[[list]]
n = 1
[[list]]
n = 2
[list.inner]
z = 3
[[list.deep]]
q = 4
"""
)
LINES: dict[Key, int] = {
    ("top",): 2,
    ("quoted A",): 3,
    ('literal "key"',): 4,
    ("dotted",): 5,
    ("dotted", "a", "b"): 5,
    ("table",): 7,
    ("table", "multi"): 8,
    ("table", "multi", 0): 9,
    ("table", "multi", 2, "y"): 10,
    ("table", "multi", 3, 1): 12,
    ("table", "text"): 14,
    ("table", "raw"): 18,
    ("table", "after"): 21,
    ("table", "empty"): 22,
    ("table", "sub"): 23,
    ("table", "sub", "k", "a", "b"): 24,
    ("table", "sub", "k", "c", "d"): 24,
    ("list", 0, "n"): 26,
    ("list", 1, "n"): 28,
    ("list", 1, "inner", "z"): 30,
    ("list", 1, "deep", 0, "q"): 32,
}


@pytest.mark.parametrize("key", LINES, ids=str)
def test_each_form_has_its_line(key: Key) -> None:
    tomllib.loads(FORMS)
    assert Lines(FORMS).find(key) == (len(key), LINES[key])


def test_windows_line_ends() -> None:
    assert Lines("a = 1\r\n\r\n[b]\r\nc = 2\r\n").find(("b", "c")) == (2, 4)


def test_an_unknown_key_has_the_line_of_what_is_above_it() -> None:
    assert Lines("\n[a]\n").find(("a", "none", "x")) == (1, 2)
    assert Lines("a = 1").find(("none",)) == (0, 0)


def test_the_last_file_that_has_it_counts(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("template.toml", "a.toml", "drop-in.toml", "none.toml")]
    files[0].write_text("[sidecar]\n\ncommand = 1\nconcern = 1\n")
    files[1].write_text("[sidecars.tls]\nconcern = 2\n[primary]\ncommand = 3\n")
    files[2].write_text("\n\n[primary]\ncommand = 3\n")
    template, *others = map(str, files)
    parts = [Part(template, ("sidecars", "tls"), ("sidecar",)), *map(Part, others)]
    origins = Origins(parts, {others[2]: ""})
    assert origins.find(("primary", "command")) == Place(others[1], 4, ("primary", "command"))
    found = origins.find(("sidecars", "tls", "command", 0))
    assert found == Place(template, 3, ("sidecar", "command", 0))
    assert origins.find(("sidecars", "tls", "concern")).file == others[0]
    assert origins.find(("sidecars", "tls", "stop")).file == others[0]
    assert origins.find(("grace",)).line == 0


KEYS = st.text(alphabet="ab.-\"\\ #=[]{}'", min_size=1, max_size=4)
SCALARS = st.integers() | st.booleans() | st.text(alphabet="a\"\\ #=[]{}'\n,", max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def inline(value: Any) -> str:
    if isinstance(value, list):
        return "[\n" + ",\n".join(map(inline, value)) + "\n]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{quoted(k)} = {inline(v)}" for k, v in value.items()) + " }"
    return quoted(value) if isinstance(value, str) else str(value).lower()


@settings(deadline=None)
@given(st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=3))
def test_every_key_is_found_where_it_was_written(tables: dict[str, dict[str, Any]]) -> None:
    text = ""
    expected: dict[Key, int] = {}
    for name, table in tables.items():
        expected[(name,)] = text.count("\n") + 1
        text += f"[{quoted(name)}]\n"
        for key, value in table.items():
            expected[name, key] = text.count("\n") + 1
            text += f"{quoted(key)} = {inline(value)}\n"
    assert tomllib.loads(text) == tables
    assert {key: Lines(text).find(key)[1] for key in expected} == expected
