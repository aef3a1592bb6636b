"""Completion, by the shells themselves: what is on the line, Tab, what is on it then."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Start
from tests.cli.terminal import Terminal
from tests.support import Up

SHELLS = ("bash", "zsh", "fish")
TAB = b"\t"
COLOUR = r"(\x1b\[[0-9;]*m)*"  # zsh paints what it adds
SHOP = """
name = "shop"
[primary]
name = "web"
command = "sleep inf"
concern = "the shop"
[sidecars.tls-proxy]
command = "sleep inf"
[sidecars.ship-logs]
command = "sleep inf"
"""


def needs(shell: str) -> str:
    return shutil.which(shell) or pytest.skip(f"needs {shell}: apt-get install {shell}")


@pytest.fixture
def shop(cli: Cli, start: Start) -> Iterator[Up]:
    group = start(cli.write(SHOP))
    group.read_until("group shop is ready")
    yield group
    group.stop()


def proposed(cli: Cli, *words: str, cwd: Path | None = None) -> list[str]:
    """What bash would get for the last word, without its kind."""
    ran = cli.run(
        cwd=cwd,
        _PAIRVISOR_COMPLETE="bash_complete",
        COMP_WORDS="\n".join(["pairvisor", *words]),
        COMP_CWORD=str(len(words)),
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return [line.partition(",")[2] for line in ran.stdout.splitlines() if line]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one(cli: Cli, shell: str) -> None:
    program = needs(shell)
    ran = cli.run("completion", shell)
    assert (ran.returncode, ran.stderr) == (0, "")
    checked = subprocess.run(
        [program, "-n", "/dev/stdin"], input=ran.stdout, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_an_unknown_shell(cli: Cli) -> None:
    ran = cli.run("completion", "tcsh")
    assert ran.returncode == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in ran.stderr


def test_the_script_needs_no_shell(cli: Cli) -> None:
    """It may be made where packages are built."""
    (cli.folder / "python3").symlink_to(shutil.which("python3", path=cli.env["PATH"]) or "")
    assert "complete -o nosort" in cli.run("completion", "bash", PATH=str(cli.folder)).stdout


@pytest.fixture
def shell(cli: Cli, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    """On a terminal, with the script in it."""
    name: str = request.param
    program = needs(name)
    begin = {
        "bash": [program, "--norc", "--noprofile", "-i"],
        "zsh": [program, "-f", "-i"],
        "fish": [program, "--no-config", "-i"],
    }[name]
    usual = {"TERM": "xterm", "HOME": str(cli.folder), "HISTFILE": "/dev/null"}
    opened = Terminal(begin, cli.folder, cli.env | usual, 100)
    script = f'eval "$(pairvisor completion {name})"'
    setting_up = {
        "bash": script,
        "zsh": f"autoload -Uz compinit; compinit -D -u; {script}",
        "fish": "pairvisor completion fish | source",
    }[name]
    opened.press(f"{setting_up}; echo set'' up\n".encode())
    opened.read_until("set up")
    opened.written = ""
    yield opened
    opened.close()


@pytest.mark.parametrize("shell", SHELLS, indirect=True)
def test_the_shells_complete(shell: Terminal, shop: Up) -> None:
    shell.press(b"pairvisor timel" + TAB)
    shell.read_until(rf"timeline{COLOUR} ")
    shell.press(b"--sv" + TAB)
    shell.read_until(rf"--svg{COLOUR} ")
    shell.press(b"\x15pairvisor restart tls" + TAB)
    shell.read_until(rf"tls-proxy{COLOUR} ")


@pytest.mark.parametrize("shell", SHELLS, indirect=True)
def test_nothing_is_said_where_there_is_nothing(shell: Terminal) -> None:
    shell.press(b"pairvisor restart x" + TAB + TAB + b"\x15echo the'' end\n")
    shell.read_until("the end")
    assert "pairvisor:" not in shell.written
    assert "Traceback" not in shell.written


def test_commands_and_options(cli: Cli) -> None:
    assert proposed(cli, "st") == ["status", "start", "stop"]
    assert proposed(cli, "--ver") == ["--version"]
    assert proposed(cli, "status", "--wai") == ["--wait"]
    assert proposed(cli, "completion", "") == list(SHELLS)


def test_members(cli: Cli, shop: Up, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert proposed(cli, "restart", "") == ["tls-proxy", "ship-logs", "web"]
    assert proposed(cli, "restart", "web", "") == ["tls-proxy", "ship-logs"]
    assert proposed(cli, "signal", "HUP", "w") == ["web"]
    assert proposed(cli, "exec", "s") == ["ship-logs"]
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert proposed(cli, "why", "", cwd=elsewhere) == []
    assert proposed(cli, "why", "-g", "shop", "t", cwd=elsewhere) == ["tls-proxy"]
    manifest = str(cli.folder / "pairvisor.toml")
    assert proposed(cli, "logs", "--file", manifest, "t", cwd=elsewhere) == ["tls-proxy"]


def test_members_of_a_group_that_has_ended(cli: Cli, shop: Up) -> None:
    assert shop.stop() == 0
    assert proposed(cli, "why", "t") == ["tls-proxy"]
    assert proposed(cli, "status", "-g", "") == ["shop"]


def test_groups(cli: Cli, shop: Up) -> None:
    assert proposed(cli, "status", "-g", "s") == ["shop"]
    assert proposed(cli, "status", "-g", "x") == []


def test_a_group_that_does_not_answer_is_not_waited_for(cli: Cli, shop: Up) -> None:
    supervisor = shop.supervisor
    os.kill(supervisor, signal.SIGSTOP)
    try:
        assert proposed(cli, "restart", "") == []
    finally:
        os.kill(supervisor, signal.SIGCONT)


def test_signals_and_files(cli: Cli) -> None:
    assert proposed(cli, "signal", "hu") == ["HUP"]
    assert proposed(cli, "signal", "SIGU") == ["SIGUSR1", "SIGUSR2", "SIGURG"]
    ran = cli.run(
        _PAIRVISOR_COMPLETE="bash_complete", COMP_WORDS="pairvisor\ncheck\n-f\np", COMP_CWORD="3"
    )
    assert ran.stdout == "file,p\n"


def test_a_broken_manifest_keeps_nobody_from_its_members(cli: Cli, shop: Up) -> None:
    cli.write(SHOP + "[nonsense\n")
    assert proposed(cli, "restart", "w") == ["web"]
