"""`pairvisor sidecars` and `pairvisor add`, and where `status` says that a member comes from."""

import json
import os
import stat
from pathlib import Path

import pytest

from pairvisor.manifest.templates import SHIPPED
from tests.cli.conftest import Cli, Start
from tests.cli.test_completion import proposed

TEMPLATE = """
summary = "Waits for nothing"
program = "sleep"
install = "apt-get install coreutils"
version = ["sleep", "--version"]
[parameters]
seconds = { type = "integer", description = "how long", example = 1000 }
names = { type = "list", default = [], description = "of whom" }
[sidecar]
concern = "rest"
command = ["sleep", "${with.seconds.text}"]
"""
MANIFEST = """\
# The shop.
name = "shop"

[primary]
command = "sleep 1000"  # for now
"""


@pytest.fixture
def shop(cli: Cli) -> Cli:
    cli.write(MANIFEST)
    cli.write(TEMPLATE, "sidecars/rest.toml")
    return cli


def test_all_are_listed(shop: Cli) -> None:
    ran = shop.run("sidecars")
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert lines[0].split() == "NAME CONCERN INSTALLED WHAT IT DOES".split()
    names = {line.split()[0] for line in lines[1:]}
    assert names == {"rest", *(path.stem for path in Path(SHIPPED).glob("*.toml"))}
    (rest,) = (line for line in lines if line.startswith("rest "))
    assert rest.split(maxsplit=3)[0:2] == ["rest", "rest"]
    assert rest.endswith("Waits for nothing")


def test_whether_it_is_installed(shop: Cli) -> None:
    shop.write(TEMPLATE.replace('program = "sleep"', 'program = "nope"'), "sidecars/gone.toml")
    shop.write(TEMPLATE.replace('"sleep", "--version"', '"false"'), "sidecars/bad.toml")
    shop.write(TEMPLATE.replace('["sleep", "--version"]', "[]"), "sidecars/mute.toml")
    ran = shop.run("sidecars", "--json")
    found = {each["name"]: each for each in json.loads(ran.stdout)}
    assert {name: found[name]["installed"] for name in ("rest", "gone", "bad", "mute")} == {
        "rest": True,
        "gone": False,
        "bad": False,
        "mute": True,
    }
    assert found["rest"]["version"]
    assert found["mute"]["version"] is None
    assert found["rest"]["parameters"]["seconds"]["description"] == "how long"


def test_a_wrong_one_is_said_and_hides_no_other(shop: Cli) -> None:
    shop.write(TEMPLATE.replace("summary", "sumary"), "sidecars/wrong.toml")
    ran = shop.run("sidecars")
    assert ran.returncode == 78
    assert "sidecars/wrong.toml:2: sumary: unknown key" in ran.stderr
    assert "\nrest " in ran.stdout


def test_one_is_shown(shop: Cli) -> None:
    ran = shop.run("sidecars", "show", "rest")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "  seconds (integer, required): how long\n  names (list, []): of whom\n" in ran.stdout
    assert ran.stdout.endswith('[sidecars.rest]\nuse = "rest"\nwith = { seconds = 1000 }\n')
    assert json.loads(shop.run("sidecars", "show", "rest", "--json").stdout)["name"] == "rest"


@pytest.mark.parametrize("words", [("sidecars", "show"), ("add",)])
def test_an_unknown_one(shop: Cli, words: tuple[str, ...]) -> None:
    ran = shop.run(*words, "rset")
    assert ran.returncode == 78
    assert 'no sidecar template is called "rset" (did you mean "rest"?)' in ran.stderr
    assert ran.stdout == ""


def test_without_a_manifest_the_others_are_there(cli: Cli) -> None:
    assert "\nstunnel " in cli.run("sidecars", cwd=Path("/")).stdout


def test_one_is_added(shop: Cli) -> None:
    manifest = shop.folder / "pairvisor.toml"
    manifest.chmod(0o640)
    ran = shop.run("add", "rest", "--with", "seconds=1000", "--with", "names=a,b", "--as", "calm")
    table = '[sidecars.calm]\nuse = "rest"\nwith = { seconds = 1000, names = ["a", "b"] }\n'
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, table, "")
    assert manifest.read_text() == f"{MANIFEST}\n{table}"
    assert stat.S_IMODE(manifest.stat().st_mode) == 0o640
    assert sorted(os.listdir(shop.folder)) == ["pairvisor.toml", "sidecars"]
    assert shop.run("check").returncode == 0


def test_it_is_only_shown(shop: Cli) -> None:
    ran = shop.run("add", "rest", "--with", "seconds=1", "--dry-run")
    assert ran.stdout == '[sidecars.rest]\nuse = "rest"\nwith = { seconds = 1 }\n'
    assert (shop.folder / "pairvisor.toml").read_text() == MANIFEST


def test_a_link_stays_one(shop: Cli) -> None:
    (shop.folder / "real.toml").write_text(MANIFEST)
    (shop.folder / "pairvisor.toml").unlink()
    (shop.folder / "pairvisor.toml").symlink_to("real.toml")
    assert shop.run("add", "rest", "--with", "seconds=1").returncode == 0
    assert (shop.folder / "pairvisor.toml").is_symlink()
    assert "[sidecars.rest]" in (shop.folder / "real.toml").read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("rest",), 78, "rest needs seconds: how long"),
        (("rest", "--with", "seconds=ten"), 78, 'expected a whole number, got "ten"'),
        (("rest", "--with", "secs=1"), 78, "no parameter of rest"),
        (("rest", "--with", "seconds"), 2, "--with seconds: expected KEY=VALUE"),
        (("rest", "--with", "seconds=1", "--as", "A"), 78, '"A" can\'t be a name'),
        (("rest", "--with", "seconds=1", "--as", "there"), 1, "a sidecar there already"),
    ],
)
def test_nothing_is_written_where_it_would_not_be_good(
    shop: Cli, words: tuple[str, ...], code: int, said: str
) -> None:
    text = f'{MANIFEST}\n[sidecars.there]\ncommand = "sleep 1"\n'
    manifest = shop.write(text)
    ran = shop.run("add", *words)
    assert (ran.returncode, ran.stdout) == (code, "")
    assert said in ran.stderr
    assert manifest.read_text() == text


def test_templates_and_parameters_are_completed(shop: Cli) -> None:
    assert proposed(shop, "add", "res") == ["rest"]
    assert proposed(shop, "sidecars", "show", "stunn") == ["stunnel"]
    assert proposed(shop, "add", "rest", "--with", "") == ["seconds=", "names="]
    assert proposed(shop, "add", "rest", "--with", "seconds=1", "--with", "") == ["names="]


def test_status_says_where_a_member_comes_from(shop: Cli, start: Start) -> None:
    shop.write(
        '[sidecars.side]\nuse = "rest"\nwith = { seconds = 1000 }', "pairvisor.toml.d/a.toml"
    )
    group = start(shop.folder / "pairvisor.toml")
    group.read_until("group shop is ready")
    head, side, primary = shop.run("status").stdout.splitlines()[1:4]
    assert head.endswith("FROM")
    assert side.endswith(" pairvisor.toml.d/a.toml (template rest)")
    assert "manifest" not in primary
    group.stop()
