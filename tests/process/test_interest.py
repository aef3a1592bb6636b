"""Whom a changed path concerns, by tables."""

from pathlib import Path

import pytest

from pairvisor.manifest.group import Group, Member, Places, Role
from pairvisor.runtime.interest import MANIFEST, Concern, Interest, is_temporary

PLACES = Places(run="/run/g", state="/state/g")


def interest(top: str, **globs: str) -> Interest:
    members = {
        name: Member(name=name, role=Role.SIDECAR, watch=(f"{top}/{glob}",))
        for name, glob in globs.items()
    }
    group = Group(name="g", places=PLACES, members=members)
    return Interest(group, f"{top}/pairvisor.toml", is_developed=True)


def names(concerned: set[Concern]) -> set[str]:
    return {concern.member for concern in concerned}


@pytest.mark.parametrize(
    "name",
    [
        ".main.py.swp",
        ".main.py.swx",
        ".main.py.suz",
        "4913",
        "main.py~",
        ".main.py.un~",
        "#main.py#",
        ".#main.py",
        ".goutputstream-A1B2C3",
        "main.py___jb_tmp___",
        "main.py___jb_old___",
        ".sublA1B2.tmp",
        ".main.py.kate-swp",
        "main.py.vsctmp",
        ".~lock.main.ods#",
        "__pycache__/main.cpython-311.pyc",
        "deep/.git/index",
        ".hg/dirstate",
    ],
)
def test_what_is_editors_own(name: str) -> None:
    assert is_temporary(name)
    assert is_temporary(f"folder/{name}")


@pytest.mark.parametrize(
    "name",
    ["", "main.py", "main.swp", ".env", "49130", "a#", "#a", ".gitignore", "git/x", "x~/y", "a~b"],
)
def test_what_is_not(name: str) -> None:
    assert not is_temporary(name)


def test_whom_a_file_concerns() -> None:
    asked = interest("/d", a="src/**/*.py", b="src/*.py", c="src", d="__pycache__/x")
    assert names(asked.concerned("/d/src/x.py")) == {"a", "b", "c"}
    assert names(asked.concerned("/d/src/deep/x.py")) == {"a", "c"}
    assert names(asked.concerned("/d/src/x.js")) == {"c"}
    assert names(asked.concerned("/d/srcs/x.py")) == set()
    assert names(asked.concerned("/d/src/.x.py.swp")) == set()
    assert names(asked.concerned("/d/__pycache__/x")) == {"d"}  # it is named, after all
    assert asked.concerned("/d/pairvisor.toml") == {MANIFEST}


def test_whom_a_folders_end_concerns() -> None:
    asked = interest("/d", a="one/two/**/*.py", b="one/*.py")
    assert [
        p for p in ("/d", "/d/one", "/d/one/two", "/d/one/two/x") if asked.is_on_the_way(p)
    ] == [
        "/d",
        "/d/one",
        "/d/one/two",
    ]
    assert names(asked.concerned_below("/d/one")) == {"a", "b"}
    assert names(asked.concerned_below("/d/one/two")) == {"a"}


def test_the_folders_to_watch(tmp_path: Path) -> None:
    top = str(tmp_path)
    (tmp_path / "one/two").mkdir(parents=True)
    (tmp_path / "file").touch()
    asked = interest(top, a="one/two/*.py", b="one/**", c="file", d="none/x/*.py")
    assert asked.folders() == {top: False, f"{top}/one": True, f"{top}/one/two": False}
    assert list(asked.folders()) == sorted(asked.folders(), key=len)
    assert asked.missing() == [f"{top}/none/x"]


def test_a_glob_elsewhere_needs_the_nearest_folder_above_it_only(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there/deep").mkdir(parents=True)
    here, there = str(tmp_path / "here"), str(tmp_path / "there")
    for glob, folders in {
        f"{there}/*.py": {str(tmp_path): False, there: False},
        f"{there}/deep/none/x/*.py": {f"{there}/deep": False},
    }.items():
        member = Member(name="a", role=Role.SIDECAR, watch=(glob,))
        group = Group(name="g", places=PLACES, members={"a": member})
        asked = Interest(group, f"{here}/pairvisor.toml", is_developed=True)
        assert asked.folders() == {here: False, **folders}
        assert asked.is_on_the_way(there)
