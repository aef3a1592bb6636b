"""`down`, and `stop` of the whole group."""

import json
import re
import subprocess

import pytest

from tests.cli.conftest import PROGRAM, Cli, Open, Start
from tests.cli.terminal import CTRL_C
from tests.support import eventually, is_alive

ASLEEP = 'name = "shop"\n[primary]\ncommand = "sleep inf"\n'
DEAF = ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"]
AFTER = r", after [\d.]+m?s"


@pytest.mark.parametrize("command", ["down", "stop"])
def test_the_group_is_stopped(cli: Cli, start: Start, command: str) -> None:
    group = start(cli.write(ASLEEP))
    group.read_until("group shop is ready")
    pids = group.processes()
    ran = cli.run(command)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert re.fullmatch(rf"group shop stopped, as asked{AFTER}\n", ran.stdout)
    assert not any(map(is_alive, pids))
    assert group.wait() == 0


@pytest.mark.usefixtures("background")
def test_it_is_gone_when_that_is_said(cli: Cli) -> None:
    """Nothing of it is in the way of the next: its lock was the last thing to go."""
    cli.write(ASLEEP)
    for _ in range(5):
        assert cli.run("up", "-d").returncode == 0
        assert cli.run("down").returncode == 0


def test_a_primary_that_had_to_be_killed(cli: Cli, start: Start) -> None:
    manifest = f'name = "shop"\ngrace = "200ms"\n[primary]\ncommand = {DEAF}\n'
    group = start(cli.write(manifest))
    group.read_until("deaf")
    ran = cli.run("down")
    assert ran.returncode == 1
    killed, result = ran.stdout.splitlines()
    assert killed == "primary did not end in time and is killed"
    assert re.fullmatch(f"group shop failed: primary had to be killed: .*{AFTER}", result)
    assert group.wait() == 137


def test_the_result_as_json(cli: Cli, start: Start) -> None:
    start(cli.write(ASLEEP)).read_until("group shop is ready")
    status = json.loads(cli.run("down", "--json").stdout)
    assert (status["group"], status["state"], status["exit_status"]) == ("shop", "stopped", 0)


def test_a_terminal_shows_who_is_left(cli: Cli, start: Start, terminal: Open) -> None:
    manifest = (
        f'grace = "50s"\n[sidecars.side]\ncommand = "sleep inf"\n[primary]\ncommand = {DEAF}\n'
    )
    group = start(cli.write('name = "shop"\n' + manifest))
    group.read_until("deaf")
    waiting = terminal("down", columns=60)
    waiting.read_until(r"still stopping: primary, side \(0 of 2 have ended\)")
    group.kill("primary")
    assert waiting.wait() == 0
    assert "still stopping" not in waiting.screen


def test_ctrl_c_leaves_it_stopping(cli: Cli, start: Start, terminal: Open) -> None:
    group = start(cli.write(f'name = "shop"\ngrace = "50s"\n[primary]\ncommand = {DEAF}\n'))
    group.read_until("deaf")
    waiting = terminal("down")
    waiting.read_until("still stopping: primary")
    waiting.press(CTRL_C)
    assert waiting.wait() == 130
    assert "pairvisor: it goes on stopping" in waiting.screen
    assert cli.run("status").stdout.startswith("shop: stopping")


def test_it_need_not_be_waited_for(cli: Cli, start: Start) -> None:
    group = start(cli.write(ASLEEP))
    group.read_until("group shop is ready")
    ran = cli.run("down", "--no-wait")
    assert (ran.returncode, ran.stdout) == (0, "shop: asked to stop\n")
    assert group.wait() == 0


def test_a_supervisor_that_is_killed_meanwhile(cli: Cli, start: Start) -> None:
    group = start(cli.write(f'name = "shop"\ngrace = "50s"\n[primary]\ncommand = {DEAF}\n'))
    group.read_until("deaf")
    down = subprocess.Popen(
        [*PROGRAM, "down"], cwd=cli.folder, env=cli.env, stdout=subprocess.PIPE, text=True
    )
    eventually(lambda: cli.run("status").stdout.startswith("shop: stopping"))
    subprocess.run(["kill", "-9", str(group.supervisor)], check=True)
    assert re.match("the supervisor of group shop was killed", down.communicate(timeout=20)[0])
    assert down.returncode == 1
    assert not group.processes()
