"""What all commands have in common: help, version, misuse, and what a start costs."""

import json
import os
import statistics
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import jsonschema
import pytest

from pairvisor import __version__
from pairvisor.cli.commands import COMMANDS
from tests.cli.conftest import PROGRAM, Cli

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/*.toml"))


def test_the_version(cli: Cli) -> None:
    ran = cli.run("--version")
    assert (ran.returncode, ran.stdout) == (0, f"pairvisor {__version__}\n")


def imported(cli: Cli, *words: str) -> set[str]:
    """Every module that the command imports."""
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", *PROGRAM[1:], *words],
        cwd=cli.folder,
        env=cli.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [line for line in ran.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def test_the_version_needs_nothing_heavy(cli: Cli) -> None:
    modules = imported(cli, "--version")
    assert "click" in modules
    assert not modules & {"rich", "asyncio", "tomllib", "msgspec", "_ssl"}
    assert not {name for name in modules if name.startswith(("pairvisor.runtime", "rich."))}


def test_a_group_needs_neither_click_nor_rich_nor_tls(cli: Cli) -> None:
    cli.write("[primary]\ncommand = 'true'\n", "a.toml")
    modules = imported(cli, "up", "-f", "a.toml")
    assert {"asyncio", "tomllib", "msgspec"} <= modules
    assert not modules & {"click", "rich", "_ssl", "json"}


def test_a_start_is_quick(cli: Cli) -> None:
    """A bound for what has gone wrong altogether: some 30 ms are usual."""

    def took(*command: str) -> float:
        began = time.monotonic()
        subprocess.run(command, env=cli.env, cwd=cli.folder, capture_output=True, check=True)
        return time.monotonic() - began

    bare = statistics.median(took(sys.executable, "-c", "pass") for _ in range(5))
    whole = statistics.median(took(*PROGRAM, "--version") for _ in range(5))
    assert whole < 10 * (bare + 0.06)


def test_help_lists_the_commands(cli: Cli) -> None:
    ran = cli.run("--help")
    assert ran.returncode == 0
    for name, about in COMMANDS.items():
        assert f"  {name} " in ran.stdout
        assert about in ran.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(cli: Cli, name: str) -> None:
    ran = cli.run(name, "--help")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"Usage: pairvisor {name} ")


@pytest.mark.parametrize(("name", "codes"), [("up", "0 128 78 75"), ("check", "0 78")])
def test_help_says_the_exit_codes(cli: Cli, name: str, codes: str) -> None:
    words = cli.run(name, "--help").stdout.replace(",", " ").replace(";", " ").split()
    assert set(codes.split()) <= {word.rstrip(".") for word in words}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("chekc", "No such command 'chekc'"),
        ("up --fiel a.toml", "--file"),
        ("check --fiel a.toml", "--file"),
        ("plan --dto", "--dot"),
        ("up -f", "requires an argument"),
        ("up a.toml", "unexpected extra argument (a.toml)"),
        ("--verbose", "No such option"),
    ],
)
def test_misuse(cli: Cli, words: str, said: str) -> None:
    ran = cli.run(*words.split())
    assert (ran.returncode, ran.stdout) == (2, "")
    assert said in ran.stderr


def test_no_command_at_all(cli: Cli) -> None:
    ran = cli.run()
    assert ran.returncode == 2
    assert "Usage: pairvisor" in ran.stdout + ran.stderr


def test_the_schema_is_one_and_takes_the_examples(cli: Cli) -> None:
    ran = cli.run("schema")
    assert (ran.returncode, ran.stderr) == (0, "")
    schema = json.loads(ran.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert EXAMPLES
    for example in EXAMPLES:
        jsonschema.validate(tomllib.loads(example.read_text()), schema)


def test_a_reader_that_leaves_early(cli: Cli) -> None:
    """As `pairvisor schema | head -1`: no traceback."""
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run(
        [*PROGRAM, "schema"],
        env=cli.env,
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert b"Traceback" not in ran.stderr


def test_standard_descriptors_that_are_closed(cli: Cli) -> None:
    cli.write("[primary]\ncommand = 'true'\n", "a.toml")
    line = f"exec {PROGRAM[0]} -m pairvisor up -f a.toml <&- >&- 2>&-"
    ran = subprocess.run(["sh", "-c", line], env=cli.env, cwd=cli.folder, timeout=60, check=False)
    assert ran.returncode == 0
