"""Several files are one manifest: drop-ins, and what is injected."""

from pathlib import Path

import pytest

from pairvisor.manifest.errors import ManifestError
from tests.manifest.conftest import Loader

MANIFEST = """
labels = { team = "checkout" }
[primary]
command = "sleep 1"
env = { A = "1", B = "1" }
[sidecars.own]
command = "sleep 2"
"""
MACHINE = """
select = { team = "checkout" }
[sidecars.machine]
command = "sleep 3"
"""


@pytest.fixture
def drop_in(tmp_path: Path) -> Path:
    folder = tmp_path / "shop.toml.d"
    folder.mkdir()
    return folder


@pytest.fixture
def system(tmp_path: Path) -> Path:
    (tmp_path / "etc/inject.d").mkdir(parents=True)
    return tmp_path / "etc"


def said(resolved: Loader, text: str = MANIFEST, **environ: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        resolved(text, **environ)
    return [str(problem) for problem in caught.value.problems]


def test_drop_ins_are_merged_in_the_order_of_their_names(resolved: Loader, drop_in: Path) -> None:
    (drop_in / "20.toml").write_text('[primary]\nenv = { B = "3" }')
    (drop_in / "10.toml").write_text(
        '[primary.env]\nB = "2"\nC = "2"\n[sidecars.x]\ncommand = "true"'
    )
    (drop_in / ".hidden.toml").write_text("[[[")
    (drop_in / "readme").write_text("[[[")
    group = resolved(MANIFEST)
    assert {n: group.primary.env[n] for n in "ABC"} == {"A": "1", "B": "3", "C": "2"}
    assert group.members["own"].origin == "manifest"
    assert group.members["x"].origin == f"{drop_in}/10.toml"
    assert group.primary.origin == f"manifest, {drop_in}/10.toml, {drop_in}/20.toml"


def test_what_is_wrong_in_a_drop_in_is_told_by_its_line(resolved: Loader, drop_in: Path) -> None:
    (drop_in / "a.toml").write_text('\n[primary]\nafter = ["nobody"]\n[sidecars.x]\ncomand = 1')
    first, second = said(resolved)
    assert first.startswith(f'{drop_in}/a.toml:3: primary.after: no member is called "nobody"')
    assert second.startswith(f"{drop_in}/a.toml:5: sidecars.x.comand: unknown key")


def test_an_injection_comes_to_groups_with_its_labels(resolved: Loader, system: Path) -> None:
    (system / "inject.d/machine.toml").write_text(MACHINE)
    environ = {"CONFIGURATION_DIRECTORY": str(system)}
    group = resolved(MANIFEST, **environ)
    assert group.members["machine"].origin == f"{system}/inject.d/machine.toml"
    assert list(group.members) == ["own", "machine", "primary"]
    assert "machine" in group.primary.after
    assert "machine" not in resolved(MANIFEST.replace("checkout", "x"), **environ).members
    assert "machine" not in resolved(MANIFEST).members
    (system / "inject.d/machine.toml").write_text(MACHINE.replace('team = "checkout"', ""))
    assert "machine" in resolved(MANIFEST.replace("checkout", "x"), **environ).members


def test_opting_out_is_for_the_file_to_allow(resolved: Loader, system: Path) -> None:
    environ = {"CONFIGURATION_DIRECTORY": str(system)}
    file = system / "inject.d/machine.toml"
    file.write_text(MACHINE)
    group = resolved("inject = false" + MANIFEST, **environ)
    assert "machine" in group.members
    assert "does not let a group opt out" in str(group.warnings[0])
    file.write_text("optional = true\n" + MACHINE)
    assert "machine" not in resolved("inject = false" + MANIFEST, **environ).members
    assert "machine" in resolved("inject = true" + MANIFEST, **environ).members


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (MACHINE.replace("machine", "own"), "is a name that"),
        (MACHINE.replace("select", "selects"), ':2: selects: unknown key (did you mean "select"?)'),
        ("[sidecars.machine]\ncommand = 'true'", "select: missing"),
        (MACHINE.replace("sleep", "none-such"), ":4: sidecars.machine.command: cannot run"),
        ("select = {}\n[primary]\ncommand = 'true'", ":2: primary: unknown key"),
        ("[[[", ":1: not TOML"),
    ],
)
def test_what_is_wrong_in_an_injection(
    resolved: Loader, system: Path, text: str, problem: str
) -> None:
    (system / "inject.d/x.toml").write_text(text)
    told = said(resolved, CONFIGURATION_DIRECTORY=str(system))
    assert any(f"{system}/inject.d/x.toml" in each and problem in each for each in told), told


def test_the_groups_own_files_are_of_those_that_name_them(resolved: Loader) -> None:
    text = """
    [files."all.conf"]
    text = "${name}"
    mode = "0600"
    [primary]
    command = ["cat", "${files.all.conf}"]
    [sidecars.own]
    command = "sleep 2"
    """
    group = resolved(text)
    (file,) = group.files
    assert file.path == "/run/user/1000/pairvisor/shop/files/_/all.conf"
    assert (file.text, file.mode) == ("shop", 0o600)
    assert group.primary.files == (file,)
    assert group.members["own"].files == ()


def test_a_files_name_is_no_path(resolved: Loader) -> None:
    (problem,) = said(resolved, '[files."../x"]\ntext = ""\n[primary]\ncommand = "true"')
    assert "a file's name, without a folder" in problem
