"""`start`, `stop`, `restart`, `signal` and `reload`, with real groups."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Open, Start
from tests.cli.terminal import CTRL_C
from tests.support import Up, is_alive

SHOP = """\
name = "shop"
[sidecars.tls]
command = ["sh", "-c", "trap 'echo again' HUP; echo up; while :; do sleep 1000 & wait; done"]
ready = { log = "up" }
[sidecars.gate]
command = "sleep inf"
ready = { file = "${volume}/go" }
after = ["web"]
[primary]
name = "web"
command = "sleep inf"
"""
AFTER = r", after [\d.]+m?s\n"


@pytest.fixture
def shop(cli: Cli, start: Start) -> Up:
    group = start(cli.write(SHOP))
    group.read_until("web is ready")
    return group


def go(cli: Cli) -> None:
    Path(cli.env["XDG_RUNTIME_DIR"], "pairvisor", "shop", "volume", "go").touch()


def state(cli: Cli, member: str) -> str:
    members = json.loads(cli.run("status", "--json").stdout)["members"]
    found: str = next(m["state"] for m in members if m["name"] == member)
    return found


def said(cli: Cli, *words: str) -> str:
    ran = cli.run(*words)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def test_a_member_is_stopped_and_started(cli: Cli, shop: Up) -> None:
    pid, web = shop.main("tls"), shop.main("web")
    assert re.fullmatch("tls: stopped" + AFTER, said(cli, "stop", "tls"))
    assert not is_alive(pid)
    assert state(cli, "tls") == "stopped"
    assert re.fullmatch("tls: ready" + AFTER, said(cli, "start", "tls"))
    assert state(cli, "tls") == "running"
    assert (shop.main("web"), is_alive(web)) == (web, True)


def test_a_member_is_restarted(cli: Cli, shop: Up) -> None:
    pid = shop.main("tls")
    assert re.fullmatch("tls: ready again" + AFTER, said(cli, "restart", "tls"))
    assert shop.main("tls") != pid


def test_several_at_once_and_the_primary_by_its_role(cli: Cli, shop: Up) -> None:
    pids = [shop.main("tls"), shop.main("web")]
    out = said(cli, "restart", "tls", "primary", "tls")
    assert re.fullmatch("tls, web: ready again" + AFTER, out)
    assert not any(map(is_alive, pids))


def test_the_group_is_restarted(cli: Cli, shop: Up) -> None:
    pids = [shop.main("tls"), shop.main("web")]
    assert said(cli, "restart", "--no-wait") == "shop: asked to restart\n"
    shop.read_until("starts again")
    shop.read_until("web is ready")
    go(cli)
    assert said(cli, "status", "--wait", "ready")
    assert not any(map(is_alive, pids))
    assert "the group was asked to restart" in said(cli, "status").splitlines()[0]


def test_it_waits_until_they_are_ready(cli: Cli, shop: Up, terminal: Open) -> None:
    waiting = terminal("restart", "gate")
    waiting.read_until("waiting for gate to be ready")
    go(cli)
    assert waiting.wait() == 0
    assert re.search("gate: ready again, after", waiting.screen)


def test_ctrl_c_ends_the_waiting_only(cli: Cli, shop: Up, terminal: Open) -> None:
    waiting = terminal("start", "gate")
    waiting.read_until("waiting for gate to be ready")
    waiting.press(CTRL_C)
    assert waiting.wait() == 130
    assert "pairvisor: what was asked for goes on" in waiting.screen
    assert state(cli, "gate") == "starting"


def test_one_that_fails_before_it_is_ready(cli: Cli, start: Start) -> None:
    fails_later = ["sh", "-c", "test ! -e $PAIRVISOR_RUN/volume/fail || exit 3; exec sleep inf"]
    command = json.dumps(fails_later).replace("$", "$$")
    manifest = 'name = "shop"\n[primary]\ncommand = "sleep inf"\n'
    manifest += f'[sidecars.tls]\ncommand = {command}\non_failure = "ignore"\n'
    manifest += 'ready = { exec = "test -e ${volume}/ok" }\n'
    group = start(cli.write(manifest))
    group.read_until("group shop starts")
    (group.run / "volume" / "ok").touch()
    group.read_until("group shop is ready")
    (group.run / "volume" / "ok").unlink()
    (group.run / "volume" / "fail").touch()
    ran = cli.run("restart", "tls")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "pairvisor: tls exited with 3\n"


def test_what_is_asked_for_as_json(cli: Cli, shop: Up) -> None:
    answer = json.loads(said(cli, "stop", "tls", "--json"))
    assert answer["event"] > 0
    asked = [json.loads(line) for line in said(cli, "events", "--json").splitlines()]
    request = next(event for event in asked if event["id"] == answer["event"])
    assert (request["kind"], request["detail"]) == ("requested", "stop tls")


def test_a_signal_by_any_of_its_names(cli: Cli, shop: Up) -> None:
    for name in ("HUP", "sighup", "1"):
        assert said(cli, "signal", name, "tls") == "SIGHUP sent to tls\n"
        shop.read_until("^tls .* again$")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["signal", "HPU", "tls"], 'no signal is called "HPU" (did you mean "SIGHUP"?)'),
        (["signal", "99", "tls"], 'no signal is called "99"'),
        (["signal", "HUP", "tsl"], 'no member of shop is called "tsl" (did you mean "tls"?)'),
        (["restart", "wbe"], 'no member of shop is called "wbe" (did you mean "web"?)'),
        (["stop", "xyzzy"], 'no member of shop is called "xyzzy": it has tls, gate, web'),
        (["logs", "tlss"], '"tlss" (did you mean "tls"?)'),
        (["why", "tlss"], '"tlss" (did you mean "tls"?)'),
    ],
)
def test_what_is_not_there(cli: Cli, shop: Up, words: list[str], hint: str) -> None:
    ran = cli.run(*words)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert hint in ran.stderr


def test_a_member_that_has_no_process_takes_no_signal(cli: Cli, shop: Up) -> None:
    said(cli, "stop", "tls")
    ran = cli.run("signal", "HUP", "tls")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "pairvisor: tls has no process now\n"


def test_a_reload_says_what_it_does(cli: Cli, shop: Up) -> None:
    assert said(cli, "reload") == "nothing has changed\n"
    web = shop.main("web")
    (cli.folder / "pairvisor.toml").write_text(SHOP.replace("echo again", "echo once more"))
    would = said(cli, "reload", "--dry-run")
    assert would.startswith("dry run: tls ")
    assert said(cli, "reload") == would.removeprefix("dry run: ")
    assert said(cli, "reload", "--dry-run") == "dry run: nothing has changed\n"
    assert shop.main("web") == web
    changes = json.loads(said(cli, "reload", "--json"))
    assert (changes["dry_run"], changes["changes"]) == (False, [])


def test_a_reload_of_a_wrong_manifest_changes_nothing(cli: Cli, shop: Up) -> None:
    (cli.folder / "pairvisor.toml").write_text(SHOP.replace("command", "comand", 1))
    ran = cli.run("reload")
    assert (ran.returncode, ran.stdout) == (78, "")
    first, last = ran.stderr.splitlines()
    assert re.match(r"/.*/pairvisor\.toml:3: sidecars\.tls\.comand: unknown key", first)
    assert last.startswith("pairvisor: ")
    assert state(cli, "tls") == "running"
