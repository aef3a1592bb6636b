"""`check`: all that is wrong, nothing else."""

import pytest

from tests.cli.conftest import Cli

GOOD = '[primary]\ncommand = "sleep inf"\n'
BROKEN = """\
grace = "soon"

[primary]
comand = "sleep inf"

[sidecars.a]
command = "no-such-program-at-all"
after = ["b"]
"""


def test_a_good_manifest_is_said_to_be_good(cli: Cli) -> None:
    cli.write(GOOD, "shop.toml")
    ran = cli.run("check", "-f", "shop.toml")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "shop.toml: good: group shop, 1 member\n"


def test_members_are_counted(cli: Cli) -> None:
    cli.write('name = "shop"\n' + GOOD + "[sidecars.a]\ncommand = 'true'\n")
    assert cli.run("check").stdout == "pairvisor.toml: good: group shop, 2 members\n"


def test_all_that_is_wrong_goes_to_stderr(cli: Cli) -> None:
    cli.write(BROKEN)
    ran = cli.run("check")
    assert (ran.returncode, ran.stdout) == (78, "")
    lines = ran.stderr.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["pairvisor.toml:1", "grace"],
        ["pairvisor.toml:4", "primary.comand"],
        ["pairvisor.toml:7", "sidecars.a.command"],
        ["pairvisor.toml:8", "sidecars.a.after"],
    ]
    assert '(did you mean "command"?)' in lines[1]


def test_a_warning_is_no_error(cli: Cli) -> None:
    cli.write('name = "shop"\n[primary]\ncommand = "echo a | cat"\n')
    ran = cli.run("check")
    assert (ran.returncode, ran.stdout) == (0, "pairvisor.toml: good: group shop, 1 member\n")
    assert ran.stderr.startswith("pairvisor.toml:3: primary.command: ")
    assert ran.stderr.endswith(" (warning)\n")


@pytest.mark.parametrize("command", ["check", "plan", "up"])
def test_the_nearest_manifest_is_found(cli: Cli, command: str) -> None:
    cli.write("[primary]\ncommand = 'true'\n")
    cli.write('[primary]\ncommand = "no-such-program-at-all"\n', "a/pairvisor.toml")
    below = cli.folder / "a" / "b" / "c"
    below.mkdir(parents=True)
    ran = cli.run(command, cwd=below)
    assert ran.returncode == 78
    assert ran.stderr.startswith("../../pairvisor.toml:2: primary.command: ")


@pytest.mark.parametrize("command", ["check", "plan", "up"])
def test_no_manifest_at_all(cli: Cli, command: str) -> None:
    ran = cli.run(command)
    assert (ran.returncode, ran.stdout) == (78, "")
    assert ran.stderr == (
        f"pairvisor: no pairvisor.toml in {cli.folder} or a folder above it: "
        "name one with -f FILE\n"
    )


@pytest.mark.parametrize("command", ["check", "plan", "up"])
def test_a_manifest_that_is_not_there(cli: Cli, command: str) -> None:
    ran = cli.run(command, "-f", "none.toml")
    assert (ran.returncode, ran.stdout, ran.stderr) == (78, "", "none.toml: no such file\n")
