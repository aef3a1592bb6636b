"""Globs of files to watch: what they become, and what they match."""

from pathlib import Path

import pytest

from pairvisor.manifest.globs import as_glob, compiled, fixed_part
from tests.manifest.conftest import Loader


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("/d/*.py", "/d/a.py", True),
        ("/d/*.py", "/d/.py", True),
        ("/d/*.py", "/d/a.pyc", False),
        ("/d/*.py", "/d/a/b.py", False),
        ("/d/*.py", "/da.py", False),
        ("/d/?.py", "/d/a.py", True),
        ("/d/?.py", "/d//.py", False),
        ("/d/[a-c].py", "/d/b.py", True),
        ("/d/[!a-c].py", "/d/b.py", False),
        ("/d/[!a-c]x", "/d/\nx", True),
        ("/d/[]x]", "/d/]", True),
        ("/d/[^a]", "/d/^", True),
        ("/d/[", "/d/[", True),
        ("/d/[]", "/d/[]", True),
        ("/d/**/*.py", "/d/a.py", True),
        ("/d/**/*.py", "/d/a/b/c.py", True),
        ("/d/**/*.py", "/e/a.py", False),
        ("/d/**", "/d/a/b", True),
        ("/d/**", "/d", False),
        ("/d/**", "/dd/a", False),
        ("/d/**/t/*", "/d/t/x", True),
        ("/d/**/t/*", "/d/a/t/x", True),
        ("/d/**/t/*", "/d/at/x", False),
        ("/d/a**", "/d/abc", True),
        ("/d/a**", "/d/a/b", False),
        ("/d/src", "/d/src", True),
        ("/d/src", "/d/src/a/b.py", True),
        ("/d/src", "/d/srcs", False),
        ("/d/a.b", "/d/acb", False),
        ("/d/[[]1]/*", "/d/[1]/x", True),
        ("/d/*", "/d/a\nb", True),
    ],
)
def test_matches(glob: str, path: str, matches: bool) -> None:
    assert (compiled(glob).fullmatch(path) is not None) is matches


@pytest.mark.parametrize(
    ("glob", "part"),
    [
        ("/d/src/**/*.py", "/d/src"),
        ("/d/src", "/d/src"),
        ("/d/[[]1]/a?", "/d/[1]"),
        ("/*/a", "/"),
    ],
)
def test_the_fixed_part(glob: str, part: str) -> None:
    assert fixed_part(glob) == part


@pytest.mark.parametrize(
    ("watch", "resolved_to"),
    [
        ("src/**/*.py", "FOLDER/src/**/*.py"),
        ("./a/../b", "FOLDER/b"),
        ("src/", "FOLDER/src/**"),
        ("/srv/x/*", "/srv/x/*"),
        ("${dir}/*.py", "FOLDER/*.py"),
        ("${env.A}/*.py", "/a/[[]1]/[*]/*.py"),
    ],
)
def test_relative_to_the_manifests_folder(
    resolved: Loader, tmp_path: Path, watch: str, resolved_to: str
) -> None:
    text = f'[primary]\ncommand = "sleep 1"\nwatch = ["{watch}"]\n'
    folder = as_glob(str(tmp_path))
    assert resolved(text, A="/a/[1]/*").primary.watch == (resolved_to.replace("FOLDER", folder),)
