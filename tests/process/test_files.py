"""Files of members, their check before a start, and files whose change lets a member reload.

| fault | test |
| --- | --- |
| a check that fails at a start, and at a reload | test_a_check_that_fails_* |
| files that come, go and change while the group runs | test_a_change_* |
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from pairvisor.manifest.identity import find_user
from pairvisor.manifest.report import Report
from tests.process.test_control import ask, events
from tests.support import Up, eventually, up

TOLD = 'trap "echo told" HUP; echo up; while :; do sleep 0.05; done'
MANIFEST = f"""
[primary]
command = ["sh", "-c", '{TOLD}', "${{files.app.conf}}"]
ready = {{ log = "up" }}
check = ["grep", "-q", "good", "${{files.app.conf}}"]
reload = {{ signal = "SIGHUP" }}
[primary.files."app.conf"]
text = "good one"
mode = "0600"
[sidecars.side]
command = ["sleep", "1000"]
"""


def change(group: Up, old: str, new: str) -> None:
    """Put something else into its manifest."""
    text = group.manifest.read_text()
    assert old in text
    group.manifest.write_text(text.replace(old, new))


def reload(group: Up) -> tuple[int, object]:
    status, answer = ask(group, "/v1/reload", {})[:2]
    return status, answer


def test_files_are_there_before_the_start(tmp_path: Path) -> None:
    text = """
    [files.all]
    text = "all of ${name}"
    [primary]
    command = ["sh", "-c", 'cat "$1" "$2"; exec sleep 1000', "sh", "${files.all}", "${files.own}"]
    ready = { log = "own of primary" }
    [primary.files.own]
    text = ", own of ${member}\\n"
    mode = "0400"
    """
    with up(tmp_path, text) as group:
        group.read_until("all of test, own of primary")
        own = group.run / "files/primary/own"
        assert stat.S_IMODE(own.stat().st_mode) == 0o400
        assert group.stop() == 0
        assert not own.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has members of other users")
def test_another_users_files_are_his(tmp_path: Path) -> None:
    user = find_user("nobody", Report())
    assert user is not None
    text = """
    [files.all]
    text = "for all"
    [primary]
    command = ["sleep", "1000"]
    [sidecars.other]
    command = ["sh", "-c", 'cat "$1" "$2" && exec sleep 1000', "sh", "${files.all}", "${files.own}"]
    user = "nobody"
    working_dir = "/"
    ready = { log = "for all, and one" }
    [sidecars.other.files.own]
    text = ", and one\\n"
    mode = "0400"
    """
    with up(tmp_path, text, XDG_RUNTIME_DIR="", XDG_STATE_HOME=str(tmp_path)) as group:
        group.read_until("group test is ready")
        assert group.stop() == 0


def test_a_check_that_fails_keeps_a_member_from_its_start(tmp_path: Path) -> None:
    text = MANIFEST.replace("good one", "bad one") + '[restart]\nlimit = 1\ninitial = "10ms"\n'
    with up(tmp_path, text) as group:
        group.read_until(r"primary +\|.*the check before the start failed: grep -q good")
        assert group.wait() == 78
        assert "told" not in group.said


def test_a_check_is_silent_and_costs_no_process(tmp_path: Path) -> None:
    text = MANIFEST.replace('["grep", "-q",', '["grep",')
    with up(tmp_path, text) as group:
        group.read_until("group test is ready")
        assert "good one" not in group.said
        assert Path(f"/proc/{group.main('primary')}/cmdline").read_bytes().endswith(b"app.conf\0")
        assert group.stop() == 0


def test_a_change_of_files_is_told_by_the_reload(tmp_path: Path) -> None:
    with up(tmp_path, MANIFEST) as group:
        group.read_until("group test is ready")
        pid = group.main("primary")
        change(group, "good one", "good two")
        assert reload(group)[0] == 200
        group.read_until(r"primary +\|.*told")
        assert (group.run / "files/primary/app.conf").read_text() == "good two"
        assert group.main("primary") == pid
        assert group.stop() == 0


def test_a_change_of_files_restarts_where_there_is_no_reload(tmp_path: Path) -> None:
    text = MANIFEST.replace('reload = { signal = "SIGHUP" }', "")
    with up(tmp_path, text) as group:
        group.read_until("group test is ready")
        side, old = group.main("side"), group.main("primary")
        change(group, "good one", "good two")
        assert reload(group)[0] == 200
        eventually(lambda: group.main("primary") not in (0, old))
        assert group.main("side") == side
        assert group.stop() == 0


def test_a_check_that_fails_refuses_a_reload(tmp_path: Path) -> None:
    with up(tmp_path, MANIFEST) as group:
        group.read_until("group test is ready")
        pid = group.main("primary")
        change(group, "good one", "bad")
        status, answer = reload(group)
        assert status == 409
        assert "primary's check of its new files exited with 1" in str(answer)
        assert (group.run / "files/primary/app.conf").read_text() == "good one"
        assert group.main("primary") == pid
        assert group.stop() == 0


CHANGING = f"""
[primary]
command = ["sh", "-c", '{TOLD}']
ready = {{ log = "up" }}
check = ["sh", "-c", "! grep -s bad ${{volume}}/config/x.json"]
reload = {{ signal = "SIGHUP", on_change = ["${{volume}}/config/*.json"] }}
[sidecars.side]
command = ["sleep", "1000"]
reload = {{ on_change = ["side.conf"] }}
"""


def test_a_change_lets_a_member_reload(tmp_path: Path) -> None:
    with up(tmp_path, CHANGING) as group:
        group.read_until("group test is ready")
        pid, config = group.main("primary"), group.run / "volume/config"
        config.mkdir()
        (config / "x.json").write_text("{}")
        group.read_until(r"x.json has changed: primary reloads")
        group.read_until(r"primary +\|.*told")
        (config / "x.json").write_text("bad")
        eventually(lambda: events(group, "reload-failed"))
        assert "primary's check command exited with 1" in events(group, "reload-failed")[0]["text"]
        assert group.main("primary") == pid
        assert group.stop() == 0
        assert "told" not in group.said


@pytest.mark.parametrize("glob", ["*.json", "x.json"])
@pytest.mark.parametrize("where", ["volume", "elsewhere"])
def test_a_change_of_a_link_is_one_of_what_is_behind_it(
    tmp_path: Path, glob: str, where: str
) -> None:
    """Wherever that is: in the group's own folder, which is seldom below the manifest's, or not."""
    own, run = tmp_path / "own", tmp_path / "run"
    own.mkdir()
    run.mkdir(mode=0o700)
    folder = "${volume}" if where == "volume" else str(tmp_path)
    text = CHANGING.replace("${volume}/config/*.json", f"{folder}/config/current/{glob}")
    with up(own, text, XDG_RUNTIME_DIR=str(run)) as group:
        group.read_until("group test is ready")
        config = (group.run / "volume" if where == "volume" else tmp_path) / "config"
        for number in (1, 2, 3, 4):
            (config / f"v{number}").mkdir(parents=True)
            (config / f"v{number}/x.json").write_text("{}")
            (config / "link").symlink_to(f"v{number}")
            (config / "link").rename(config / "current")
            group.read_until(r"primary +\|.*told")
        assert group.stop() == 0


def test_what_a_member_was_started_with_is_no_change(tmp_path: Path) -> None:
    """The init takes a second more: a change is seen some milliseconds after it was made."""
    text = (
        CHANGING
        + """
    [init.config]
    command = ["sh", "-c", "mkdir ${volume}/config; echo 1 > ${volume}/config/x.json; sleep 1"]
    """
    )
    with up(tmp_path, text) as group:
        group.read_until("group test is ready")
        side = group.main("side")
        (tmp_path / "side.conf").write_text("x")  # it is told in the order of the changes
        eventually(lambda: group.main("side") != side)
        assert [event["member"] for event in events(group, "file-changed")] == ["side"]
        assert group.stop() == 0


def test_who_is_starting_reloads_once_it_is_ready(tmp_path: Path) -> None:
    text = CHANGING.replace("echo up", "until test -e ${volume}/go; do sleep 0.05; done; echo up")
    with up(tmp_path, text) as group:
        group.read_until("group test starts")
        config = group.run / "volume/config"
        pid = group.main("primary")
        config.mkdir()
        (config / "x.json").write_text("{}")
        group.read_until(r"x.json has changed: primary reloads")
        (group.run / "volume/go").touch()
        group.read_until(r"primary +\| up")
        group.read_until(r"primary +\| told")
        assert group.main("primary") == pid
        assert group.stop() == 0


def test_a_change_restarts_who_has_no_other_reload(tmp_path: Path) -> None:
    with up(tmp_path, CHANGING) as group:
        group.read_until("group test is ready")
        primary, side = group.main("primary"), group.main("side")
        (tmp_path / "side.conf").write_text("x")
        eventually(lambda: group.main("side") not in (0, side))
        assert group.main("primary") == primary
        assert group.stop() == 0


def test_a_reload_can_bring_files_to_watch(tmp_path: Path) -> None:
    plain = CHANGING.replace(', on_change = ["${volume}/config/*.json"]', "").replace(
        'reload = { on_change = ["side.conf"] }', ""
    )
    with up(tmp_path, plain) as group:
        group.read_until("group test is ready")
        group.manifest.write_text('name = "test"\n' + CHANGING)
        assert reload(group)[0] == 200
        # That it watches from now on it says nowhere: a change that is seen tells.
        eventually(lambda: is_seen(tmp_path / "side.conf", group))
        assert group.stop() == 0


def is_seen(file: Path, group: Up) -> bool:
    file.write_text("x")
    with suppress(AssertionError):
        eventually(lambda: events(group, "file-changed"), within=2)
    return bool(events(group, "file-changed"))


def test_sidecars_are_released_apart_from_the_application(tmp_path: Path) -> None:
    """The platform's file changes one sidecar, the application's the primary: nobody else."""
    folder = tmp_path / "etc/inject.d"
    folder.mkdir(parents=True)
    platform = 'select = {}\n[sidecars.agent]\ncommand = ["sleep", "2001"]\n'
    (folder / "agent.toml").write_text(platform)
    text = '[primary]\ncommand = ["sleep", "1001"]'
    with up(tmp_path, text, CONFIGURATION_DIRECTORY=str(tmp_path / "etc")) as group:
        group.read_until("group test is ready")
        app, agent = group.main("primary"), group.main("agent")
        (folder / "agent.toml").write_text(platform.replace("2001", "2002"))
        assert reload(group)[0] == 200
        eventually(lambda: group.main("agent") not in (0, agent))
        assert group.main("primary") == app
        agent = group.main("agent")
        change(group, "1001", "1002")
        assert reload(group)[0] == 200
        eventually(lambda: group.main("primary") not in (0, app))
        assert group.main("agent") == agent
        status = ask(group, "/v1/status")[1]
        assert [m["origin"] for m in status["members"]] == [f"{folder}/agent.toml", "manifest"]
        assert group.stop() == 0
