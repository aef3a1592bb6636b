"""`up`, as the one who typed it sees it: what is said, on a pipe and on a terminal; exit codes."""

import re
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Open, Ran, Start
from tests.cli.terminal import CLEAR, CTRL_C, colours
from tests.support import eventually, is_alive

SLOW = """\
name = "slow"
[sidecars.side]
command = "sh -c 'echo hello; exec sleep inf'"
ready = { file = "${volume}/go" }
[primary]
command = "sleep inf"
"""
TIME = re.compile(r"\b[\d.]+(e-\d+)? s\b")
ERRNO = re.compile(r" \(E[A-Z]+\)")


def last_line(ran: Ran) -> str:
    return ERRNO.sub("", TIME.sub("T", ran.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("manifest", "code", "said"),
    [
        (
            "[primary]\ncommand = 'true'",
            0,
            "succeeded: primary exited with 0, after T",
        ),
        (
            "[primary]\ncommand = 'sh -c \"exit 3\"'\non_failure = 'teardown'",
            3,
            "failed: primary exited with 3, after T (exit code 3)",
        ),
        (
            "[primary]\ncommand = 'sh -c \"exit 3\"'\nsuccess_codes = [3]",
            0,
            "succeeded: primary exited with 3, after T",
        ),
        (
            "[primary]\ncommand = ['sh', '-c', 'kill -9 $$$$']\non_failure = 'teardown'",
            137,
            "failed: primary was killed by SIGKILL, after T (exit code 137)",
        ),
        (
            (
                "[primary]\ncommand = 'sleep inf'\n"
                "[sidecars.side]\ncommand = 'sh -c \"exit 4\"'\non_failure = 'teardown'"
            ),
            4,
            "failed: side exited with 4, after T (exit code 4)",
        ),
        (
            (
                "[init.first]\ncommand = 'true'\n"
                "[primary]\ncommand = '${run}/none'\non_failure = 'teardown'"
            ),
            126,
            (
                'failed: primary could not be started: cannot run "RUN/none": no such file '
                "(pairvisor.toml:5), after T (exit code 126)"
            ),
        ),
        (
            (
                "[primary]\ncommand = 'sleep inf'\nready = { file = 'none' }\n"
                "start_timeout = '100ms'\non_failure = 'teardown'"
            ),
            1,
            "failed: primary was not ready within T, after T (exit code 1)",
        ),
        (
            (
                "restart = { limit = 2, within = '1m', initial = '10ms' }\n"
                "[primary]\ncommand = 'sh -c \"exit 5\"'"
            ),
            5,
            (
                "failed: primary exited with 5 (gave up after 2 restarts within T), "
                "after T (exit code 5)"
            ),
        ),
        (
            "max_runtime = '200ms'\n[primary]\ncommand = 'sleep inf'",
            1,
            "failed: the group ran for T, its max_runtime, after T (exit code 1)",
        ),
    ],
)
def test_the_last_line_and_the_exit_code(cli: Cli, manifest: str, code: int, said: str) -> None:
    cli.write(f'name = "end"\n{manifest}\n')
    ran = cli.run("up")
    run = f"{cli.env['XDG_RUNTIME_DIR']}/pairvisor/end"
    assert last_line(ran).replace(run, "RUN") == f"pairvisor | {said}"
    assert (ran.returncode, ran.stderr) == (code, "")
    assert not Path(run).exists()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_that_was_asked_for_is_no_failure(cli: Cli, start: Start, signum: int) -> None:
    group = start(cli.write('name = "stop"\n[primary]\ncommand = "sleep inf"\n'))
    group.read_until("group stop is ready")
    group.signal(signum)
    group.read_until("^pairvisor . group stop is stopped, as asked$")
    group.read_until("^pairvisor . primary stopped$")
    group.read_until("^pairvisor . stopped, as asked, after .* s$")
    assert group.wait() == 0


def test_a_primary_that_had_to_be_killed_is_a_failure(cli: Cli, start: Start) -> None:
    command = ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"]
    group = start(cli.write(f'grace = "200ms"\n[primary]\ncommand = {command}\n'))
    group.read_until("deaf")
    assert group.stop() == 137
    assert "primary did not end in time and is killed" in group.said
    assert re.search(
        r"^pairvisor . failed: primary had to be killed: .* \(exit code 137\)$",
        group.said,
        re.MULTILINE,
    )


def test_the_short_way_and_clicks_way_are_the_same(cli: Cli) -> None:
    cli.write("[primary]\ncommand = 'sh -c \"echo hi; exit 7\"'\non_failure = 'teardown'\n")
    ways = [
        cli.run("up", *words.split())
        for words in ("", "-f pairvisor.toml", "--file pairvisor.toml", "-fpairvisor.toml")
    ]
    assert {ran.returncode for ran in ways} == {7}
    # What a member writes may come before or after what is said of it.
    assert len({tuple(sorted(TIME.sub("T", ran.stdout).splitlines())) for ran in ways}) == 1
    assert {ran.stderr for ran in ways} == {""}


def test_a_bad_manifest_starts_nothing(cli: Cli) -> None:
    cli.write(
        f"[init.a]\ncommand = 'touch {cli.folder}/trace'\n[primary]\ncommand = 'true'\nafter = 5\n"
    )
    ran = cli.run("up")
    assert (ran.returncode, ran.stdout) == (78, "")
    assert ran.stderr.startswith("pairvisor.toml:5: primary.after: ")
    assert not (cli.folder / "trace").exists()
    assert not list(Path(cli.env["XDG_RUNTIME_DIR"]).iterdir())


def test_a_group_runs_once(cli: Cli, start: Start) -> None:
    group = start(cli.write('name = "one"\n[primary]\ncommand = "sleep inf"\n'))
    group.read_until("group one is ready")
    for _ in range(2):
        ran = cli.run("up")
        assert (ran.returncode, ran.stdout) == (75, "")
        assert ran.stderr == "pairvisor: group one is running already\n"
    assert all(map(is_alive, group.processes("primary")))
    assert group.stop() == 0
    assert len(cli.run("check").stdout.splitlines()) == 1


def test_a_first_member_that_cannot_be_started_ends_the_group(cli: Cli, start: Start) -> None:
    group = start(cli.write("[primary]\ncommand = '${run}/none'\non_failure = 'teardown'\n"))
    group.read_until("failed: primary could not be started: ", within=3)
    assert group.wait() == 126


def test_what_a_member_leaves_behind_is_ended_and_said(cli: Cli, start: Start) -> None:
    daemon = """["sh", "-c", "setsid sleep inf & exit 0"]"""
    group = start(
        cli.write(
            'name = "left"\n[primary]\ncommand = "sleep inf"\n'
            f'[sidecars.side]\ncommand = {daemon}\non_success = "ignore"\n'
        )
    )
    group.read_until("side left 1 process behind, killed: a member has to stay in the fore")
    assert not group.processes("side")


def test_a_runtime_folder_that_is_none(cli: Cli) -> None:
    cli.write('name = "one"\n[primary]\ncommand = "true"\n')
    taken = Path(cli.env["XDG_RUNTIME_DIR"], "pairvisor", "one")
    taken.parent.mkdir(mode=0o700)
    taken.touch()
    ran = cli.run("up")
    assert (ran.returncode, ran.stdout) == (73, "")
    assert ran.stderr == f"pairvisor: {taken} is not a folder: remove it\n"


def test_a_runtime_folder_that_others_may_write_to(cli: Cli) -> None:
    cli.write('name = "one"\n[primary]\ncommand = "true"\n')
    folder = Path(cli.env["XDG_RUNTIME_DIR"], "pairvisor")
    folder.mkdir()
    folder.chmod(0o777)
    ran = cli.run("up")
    assert (ran.returncode, ran.stdout) == (73, "")
    assert "others may write to it" in ran.stderr


def test_a_pipe_gets_plain_lines(cli: Cli, start: Start) -> None:
    group = start(cli.write(SLOW))
    group.read_until("hello")
    (group.run / "volume" / "go").touch()
    group.read_until("group slow is ready")
    group.said = ""
    assert group.stop() == 0
    ran = cli.run("up", "-f", "none.toml")
    assert "\x1b" not in group.said + ran.stderr


def test_nothing_but_whole_plain_lines_is_piped(cli: Cli) -> None:
    cli.write('name = "x"\n[primary]\ncommand = ["printf", "a\\nb"]\n')
    ran = cli.run("up")
    assert "\x1b" not in ran.stdout
    assert "\r" not in ran.stdout
    lines = ran.stdout.splitlines()
    assert [line for line in lines if line.startswith("primary")] == [
        "primary   | a",
        "primary   | b",
    ]
    assert all(line.startswith(("primary   | ", "pairvisor | ")) for line in lines)


def test_a_terminal_has_colours_and_says_what_it_waits_for(cli: Cli, terminal: Open) -> None:
    cli.write(SLOW)
    shown = terminal("up")
    shown.read_until("hello")
    shown.read_until(r"waiting for side \(0 of 2 ready\)")
    assert shown.screen.splitlines()[-1].startswith("waiting for side")
    go(cli)
    shown.read_until("group slow is ready")
    shown.press(CTRL_C)
    assert shown.wait() == 0
    assert CLEAR in shown.written
    assert "waiting for" not in shown.screen
    assert len(colours(shown.written)) >= 1
    assert re.search(r"\x1b\[\d+mside      \|\x1b\[0m hello", shown.written)
    lines = [line for line in shown.screen.splitlines() if line.strip()]
    assert all(re.match(r"(\^C)?(side|primary|pairvisor) +\| ", line) for line in lines)
    assert re.fullmatch(r"pairvisor \| stopped, as asked, after .* s", lines[-1])


def go(cli: Cli) -> None:
    """Let SLOW's sidecar be ready."""
    Path(cli.env["XDG_RUNTIME_DIR"], "pairvisor", "slow", "volume", "go").touch()


def test_a_terminal_without_colours(cli: Cli, terminal: Open) -> None:
    cli.write(SLOW)
    shown = terminal("up", NO_COLOR="1")
    shown.read_until("waiting for side")
    go(cli)
    shown.read_until("group slow is ready")
    shown.press(CTRL_C)
    assert shown.wait() == 0
    assert "\x1b[" not in shown.written.replace(CLEAR, "")
    assert "side      | hello" in shown.screen


def test_progress_fits_a_narrow_terminal(cli: Cli, terminal: Open) -> None:
    cli.write(SLOW)
    shown = terminal("up", columns=20)
    shown.read_until("waiting for side \\(0")
    assert "of 2" not in shown.written
    go(cli)
    shown.read_until("group slow is ready")
    shown.press(CTRL_C)
    assert shown.wait() == 0


def test_a_second_ctrl_c_shortens_the_grace(cli: Cli, terminal: Open) -> None:
    command = ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"]
    cli.write(f'grace = "50s"\n[primary]\ncommand = {command}\n')
    shown = terminal("up")
    shown.read_until("deaf")
    shown.press(CTRL_C)
    shown.read_until("is stopped, as asked")
    shown.press(CTRL_C)
    assert shown.wait(within=15) == 137


def test_a_member_of_a_terminal_has_none(cli: Cli, terminal: Open) -> None:
    """Ctrl-C is pairvisor's: each member has a session of its own, and no terminal."""
    cli.write('[primary]\ncommand = ["sh", "-c", "(: </dev/tty) 2>/dev/null || echo none"]\n')
    shown = terminal("up")
    assert shown.wait() == 0
    assert "primary   | none" in shown.screen


def test_a_reader_that_has_gone_stops_nothing(cli: Cli, start: Start) -> None:
    group = start(cli.write('name = "pipe"\n[primary]\ncommand = "sleep inf"\n'))
    group.read_until("group pipe is ready")
    assert group.popen.stdout is not None
    group.popen.stdout.close()
    pids = group.processes("primary")
    group.signal(signal.SIGTERM)
    assert group.popen.wait(20) == 0
    eventually(lambda: not any(map(is_alive, pids)))


def test_of_a_members_orders_to_a_terminal_colours_alone_are_passed_on(
    cli: Cli, terminal: Open
) -> None:
    """A title, a bell, a cursor's move, a NUL, C1: shown as the text that stands for them."""
    cli.write(
        r"""
        [primary]
        command = ['printf', '\033]0;x\007 \033[31mred\033[2A \000\302\233 end\ttab\n']
        """
    )
    shown = terminal("up")
    shown.read_until("succeeded")
    assert r"\x1b]0;x\x07 " in shown.written
    assert "\x1b[31mred" + r"\x1b[2A \x00\xc2\x9b end" in shown.written
    assert "tab\x1b[0m" in shown.written


def test_a_pipe_gets_what_members_write(cli: Cli) -> None:
    cli.write("[primary]\ncommand = ['printf', '\\033[2J\\000\\n']\n")
    assert "\x1b[2J\0\n" in cli.run("up").stdout
