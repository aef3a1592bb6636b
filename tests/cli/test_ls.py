"""`ls`: the groups that there are."""

import json
import os
import re

import pytest

from tests.cli.conftest import Cli, Open

pytestmark = pytest.mark.usefixtures("background")

ASLEEP = '[primary]\ncommand = "sleep inf"\n'


@pytest.fixture
def groups(cli: Cli) -> Cli:
    """Two that run, one that has ended."""
    for name in ("shop", "mail@eu"):
        cli.write(f'name = "{name}"\n{ASLEEP}', f"{name}.toml")
        assert cli.run("up", "-d", "-f", f"{name}.toml").returncode == 0
    cli.write('name = "job"\n[primary]\ncommand = "true"\n', "job.toml")
    assert cli.run("up", "-f", "job.toml").returncode == 0
    return cli


def own(lines: list[str], cli: Cli) -> list[str]:
    """Root sees others' groups, too."""
    return [line for line in lines if str(cli.folder) in line]


def test_those_that_run(groups: Cli) -> None:
    ran = groups.run("ls")
    assert (ran.returncode, ran.stderr) == (0, "")
    titles, *lines = ran.stdout.splitlines()
    assert titles.split()[:4] == ["GROUP", "STATE", "READY", "UP"]
    mail, shop = own(lines, groups)
    assert re.fullmatch(rf"mail@eu +running +yes +\S+ +0 +1 .*{groups.folder}/mail@eu.toml", mail)
    assert re.match(r"shop +running +yes ", shop)


def test_those_that_have_ended_as_well(groups: Cli) -> None:
    *_, job = own(groups.run("ls", "--all").stdout.splitlines(), groups)
    assert re.match(r"job +succeeded +0 +1 ", job)


def test_as_json(groups: Cli) -> None:
    found = json.loads(groups.run("ls", "--all", "--json").stdout)
    states = {s["group"]: s["state"] for s in found if str(groups.folder) in s["manifest"]}
    assert states == {"mail@eu": "running", "shop": "running", "job": "succeeded"}


def test_a_narrow_terminal(groups: Cli, terminal: Open) -> None:
    opened = terminal("ls", columns=50)
    assert opened.wait() == 0
    assert all(len(line) <= 50 for line in opened.screen.splitlines())
    assert "mail@eu" in opened.screen


@pytest.mark.skipif(os.geteuid() == 0, reason="root may see others' groups")
def test_none(cli: Cli) -> None:
    ran = cli.run("ls")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "no group is running\n")
    assert cli.run("ls", "--json").stdout == "[]\n"


def test_what_is_no_group_is_not_listed(cli: Cli) -> None:
    folder = cli.folder / "strange" / "pairvisor"
    (folder / "nothing").mkdir(parents=True)
    (folder / "a-file").touch()
    (folder / "socketless").mkdir()
    listed = cli.run("ls", XDG_RUNTIME_DIR=str(folder.parent)).stdout
    assert not {"nothing", "a-file", "socketless"} & set(listed.split())
