"""`logs`, `events` and `why`: of a group that runs, and of one that has ended."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from pairvisor.cli.logs import following
from pairvisor.record.model import Dropped, Kind, LogLine
from tests.cli.conftest import PROGRAM, Cli, Open, Start
from tests.cli.terminal import CTRL_C, colours
from tests.support import Up, eventually

TLS = r"printf 'red \033[31mline\033[0m\n'; echo run $$PAIRVISOR_RESTARTS; exec sleep inf"
SHOP = f"""\
name = "shop"
[sidecars.tls]
command = ["sh", "-c", {json.dumps(TLS)}]
ready = {{ log = "run" }}
[primary]
name = "web"
command = ["sh", "-c", "seq 20; touch $$PAIRVISOR_RUN/volume/done; exec sleep inf"]
ready = {{ file = "${{volume}}/done" }}
"""
CLOCK = r"\d\d:\d\d:\d\d\.\d\d\d"


@pytest.fixture
def shop(cli: Cli, start: Start) -> Up:
    group = start(cli.write(SHOP))
    group.read_all("group shop is ready", "^web .* 20$", "^tls .* run 0$")
    return group


def said(cli: Cli, *words: str) -> list[str]:
    ran = cli.run(*words)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.splitlines()


def test_all_that_was_written(cli: Cli, shop: Up) -> None:
    lines = said(cli, "logs")
    assert sorted(lines) == sorted(
        ["tls | red \x1b[31mline\x1b[0m", "tls | run 0", *(f"web | {i}" for i in range(1, 21))]
    )


def test_of_some_members_and_the_last_of_it(cli: Cli, shop: Up) -> None:
    assert said(cli, "logs", "-n", "2", "primary") == ["web | 19", "web | 20"]
    assert said(cli, "logs", "-n", "0") == []


def test_since_then(cli: Cli, shop: Up) -> None:
    assert len(said(cli, "logs", "--since", "10m", "web")) == 20
    assert said(cli, "logs", "--since", "0s", "web") == []
    assert said(cli, "logs", "--since", "2999-01-01", "web") == []
    assert len(said(cli, "logs", "--since", "2001-01-01T12:00:00Z", "web")) == 20
    ran = cli.run("logs", "--since", "yesterday")
    assert ran.returncode == 2
    assert 'expected a duration such as "10m", or a time such as "12:00"' in ran.stderr


def test_the_run_before(cli: Cli, shop: Up) -> None:
    said(cli, "restart", "tls")
    assert said(cli, "logs", "tls", "-n1") == ["tls | run 1"]
    assert said(cli, "logs", "tls", "-n1", "--previous") == ["tls | run 0"]


def test_lines_as_json(cli: Cli, shop: Up) -> None:
    line = json.loads(said(cli, "logs", "-n", "1", "--json", "tls")[0])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("at"))
    assert line == {"member": "tls", "run": 1, "stream": "stdout", "message": "run 0"}


def test_a_terminal_is_not_ordered_about(cli: Cli, shop: Up, terminal: Open) -> None:
    opened = terminal("logs", "tls")
    assert opened.wait() == 0
    assert "red \\x1b[31mline\\x1b[0m" in opened.screen
    assert len(colours(opened.written)) == 1
    plain = terminal("logs", "tls", NO_COLOR="1")
    assert plain.wait() == 0
    assert "\x1b" not in plain.written


def test_following_ends_with_the_group(cli: Cli, shop: Up, terminal: Open) -> None:
    opened = terminal("logs", "-f", "web", "tls")
    opened.read_until(r"web \|\S+ 20")
    assert len(opened.screen.splitlines()) == 10
    cli.run("restart", "tls")
    opened.read_until("run 1")
    assert cli.run("down").returncode == 0
    assert opened.wait() == 0


def test_following_is_interrupted_quietly(cli: Cli, shop: Up, terminal: Open) -> None:
    for command, awaited in (("logs", r"web \|\S+ 20"), ("events", "shop is ready")):
        opened = terminal(command, "-f")
        opened.read_until(awaited)
        opened.press(CTRL_C)
        assert opened.wait() == 130
        assert opened.screen.splitlines()[-1] == "^C"


def test_a_reader_that_leaves_early(cli: Cli, shop: Up) -> None:
    popen = subprocess.Popen(
        [*PROGRAM, "logs", "-f", "-n", "5"],
        cwd=cli.folder,
        env=cli.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert popen.stdout is not None
    assert popen.stderr is not None
    popen.stdout.readline()
    popen.stdout.close()
    for _ in range(2):
        cli.run("restart", "tls")
    popen.wait(20)
    assert popen.stderr.read() == b""
    popen.stderr.close()


def test_one_that_is_too_slow_is_told_what_it_missed(capsys: pytest.CaptureFixture[str]) -> None:
    line = LogLine(at="", member="web", run=1, stream="stdout", message="a")
    found = list(following([line, Dropped(member="web", bytes=12_345), line]))
    assert found == [line, line]
    assert capsys.readouterr().err == "pairvisor: 12K bytes of web came too fast to be shown\n"


def test_what_has_happened(cli: Cli, shop: Up) -> None:
    lines = said(cli, "events")
    assert all(re.match(f"{CLOCK}  ", line) for line in lines)
    texts = [line.partition("  ")[2] for line in lines]
    assert texts[0] == "the supervisor starts"
    assert texts[-1] == "group shop is ready"
    assert said(cli, "events", "-n", "1") == lines[-1:]
    assert said(cli, "events", "-n", "0") == []


def test_events_as_json(cli: Cli, shop: Up) -> None:
    events = [json.loads(line) for line in said(cli, "events", "--json")]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert {event["kind"] for event in events} <= set(Kind)


def test_what_happens(cli: Cli, shop: Up, terminal: Open) -> None:
    opened = terminal("events", "-f")
    opened.read_until("group shop is ready")
    shop.kill("tls")
    opened.read_until(r"tls was killed by SIGKILL")
    opened.read_until("group shop is restarted: tls was killed by SIGKILL")
    assert cli.run("down").returncode == 0
    assert opened.wait() == 0
    assert "group shop stopped, as asked" in opened.screen.splitlines()[-1]


def test_why(cli: Cli, shop: Up) -> None:
    assert said(cli, "why") == ["group shop has not been restarted and has not ended."]
    shop.kill("tls")
    shop.read_until("group shop is ready")
    text, *events = said(cli, "why")
    assert text.startswith("group shop was restarted because tls was killed by SIGKILL, ")
    assert [event.split("  ")[-1] for event in events] == [
        "tls was killed by SIGKILL",
        "group shop is restarted: tls was killed by SIGKILL",
    ]
    assert said(cli, "why", "tls")[0].startswith("tls was killed by SIGKILL, ")
    assert said(cli, "why", "primary")[0].startswith("web was ")
    document = json.loads("".join(said(cli, "why", "--json")))
    assert (document["text"], len(document["events"])) == (text, 2)


def test_why_in_a_narrow_terminal(cli: Cli, shop: Up, terminal: Open) -> None:
    shop.kill("tls")
    shop.read_until("group shop is ready")
    opened = terminal("why", columns=50)
    assert opened.wait() == 0
    lines = opened.screen.splitlines()
    assert lines[0] == "group shop was restarted because tls was killed by"
    assert all(len(line) <= 50 for line in lines[:3])


def test_a_group_that_has_ended_still_tells(cli: Cli, start: Start) -> None:
    group = start(cli.write(SHOP.replace("[primary]", 'on_failure = "teardown"\n[primary]')))
    group.read_until("group shop is ready")
    assert said(cli, "events")
    group.kill("tls")
    assert group.wait() == 137
    events = said(cli, "events")
    assert events[-1].endswith("  group shop failed: tls was killed by SIGKILL")
    assert said(cli, "events", "-n", "1", "-f") == events[-1:]
    assert json.loads(said(cli, "events", "-n", "1", "--json")[0])["kind"] == "group-ended"
    assert said(cli, "why")[0].startswith("group shop failed: tls was killed by SIGKILL, ")
    assert said(cli, "why", "web")[0].startswith("web was stopped by SIGTERM")
    assert said(cli, "logs")[-1] == "tls | run 0"
    assert said(cli, "logs", "tls")[-1] == "tls | run 0"
    assert cli.run("logs", "web").returncode == 69
    assert said(cli, "timeline")[0].startswith("shop: ready after ")


def test_a_group_whose_supervisor_was_killed_still_tells(cli: Cli, shop: Up) -> None:
    assert said(cli, "events")
    os.kill(shop.supervisor, signal.SIGKILL)
    shop.wait()
    assert said(cli, "events")[-1].endswith("group shop is ready")
    assert said(cli, "why")[0].startswith(
        "group shop ended because its supervisor was killed, some time after "
    )


def test_several_lives_are_told(cli: Cli, shop: Up) -> None:
    assert cli.run("down").returncode == 0
    shop.wait()
    before = said(cli, "events")
    ran = cli.run("up", "-d")
    assert ran.returncode == 0
    after = said(cli, "events")
    assert after[: len(before)] == before
    assert [line for line in after if line.endswith("the supervisor starts")][1:]
    eventually(lambda: Path(cli.env["XDG_RUNTIME_DIR"], "pairvisor", "shop").exists())
    assert cli.run("down").returncode == 0
