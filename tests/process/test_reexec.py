"""`reexec`: another program supervises, in the same process, and the members do not notice.

| fault | test |
| --- | --- |
| a member dies while the supervisor is replaced | test_no_exit_is_lost_* |
| a member writes, and is read, meanwhile | test_not_a_line_is_lost |
| the new program does not understand the state, or is broken | test_a_program_that_* |
| supervisor or guard killed after it | test_what_guards_* |
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.process.programs import FOLDER
from tests.process.test_control import ask, events
from tests.process.test_run import AS_SERVICE, RUN, Manager, manager
from tests.support import Up, eventually, gone, up

__all__ = ["manager"]  # a fixture

ROOT = Path(__file__).parents[2]
PLAIN = '[primary]\ncommand = "sleep 1000"'


def reexec(group: Up) -> str:
    """Ask for it; the event's text that says what came of it."""
    before = len(outcomes(group))
    ask(group, "/v1/reexec", {})
    eventually(lambda: len(outcomes(group)) > before)
    return str(outcomes(group)[-1]["text"])


def outcomes(group: Up) -> list[Any]:
    """Whose supervisor may be about to be another one, which has closed our connection."""
    while True:
        try:
            return [e for e in ask(group, "/v1/events")[1] if e["kind"].startswith("reexec")]
        except (ConnectionError, json.JSONDecodeError, IndexError):
            pass


def replaced(group: Up) -> None:
    assert "has taken over from" in reexec(group)


def copy(folder: Path) -> dict[str, str]:
    """The environment for a pairvisor of its own, which can be upgraded."""
    shutil.copytree(ROOT / "pairvisor", folder / "copy/pairvisor")
    return {"PYTHONPATH": str(folder / "copy"), "PYTHONDONTWRITEBYTECODE": "1"}


def change(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / "copy/pairvisor" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_members_run_on(tmp_path: Path) -> None:
    with up(tmp_path, f'{PLAIN}\n[sidecars.side]\ncommand = "sleep 1000"') as group:
        group.read_until("group test is ready")
        eventually(lambda: len(group.processes()) == 2)  # none is in the middle of an exec
        supervisor, members = group.supervisor, sorted(group.processes())
        for _ in range(3):
            replaced(group)
        assert group.supervisor == supervisor
        assert sorted(group.processes()) == members
        status = ask(group, "/v1/status")[1]
        assert (status["state"], status["ready"], status["restarts"]) == ("running", True, 0)
        assert {member["pid"] for member in status["members"]} == set(members)
        assert len(events(group, "supervisor-started")) == 1
        assert group.stop() == 0
        assert "pairvisor | stopped, as asked" in group.said


def test_the_new_program_supervises(tmp_path: Path) -> None:
    with up(tmp_path, PLAIN, how=None, **copy(tmp_path)) as group:
        group.read_until("group test is ready")
        change(tmp_path, "__init__.py", '__version__ = "', '__version__ = "9.')
        assert reexec(group).startswith("pairvisor 9.")
        assert group.stop() == 0


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("runtime/handover.py", "VERSION = ", "VERSION = 9", "takes over version 9"),
        ("runtime/supervisor.py", "class Supervisor", "class 1", "SyntaxError"),
        ("core/state.py", "    began: float = 0.0", "    began: str = ''", "can't be understood"),
        ("__main__.py", "handed = os.environ.pop", "handed = {}.get", "running already"),
        ("__main__.py", "def main()", "os._exit(0)\ndef main()", "did not say that it can"),
    ],
)
def test_a_program_that_can_t_take_over_changes_nothing(
    tmp_path: Path, file: str, old: str, new: str, said: str
) -> None:
    with up(tmp_path, PLAIN, how=None, **copy(tmp_path)) as group:
        group.read_until("group test is ready")
        ask(group, "/v1/status")  # what answers is imported
        eventually(group.processes)
        members = group.processes()
        change(tmp_path, file, old, new)
        why = reexec(group)
        assert why.startswith("not re-executed, all runs on as it was: ")
        assert said in why
        assert group.processes() == members
        change(tmp_path, file, new, old)
        replaced(group)
        assert group.stop() == 0


def test_what_fails_after_all_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    """Shown the state it says yes; in our place it ends as if all were well."""
    with up(tmp_path, PLAIN, how=None, **copy(tmp_path)) as group:
        group.read_until("group test is ready")
        change(tmp_path, "__main__.py", "foreground.take_over(int(handed))", "os._exit(0)")
        ask(group, "/v1/reexec", {})
        assert group.wait() == 70
        assert "the supervisor exited with 0 all at once" in group.said
        assert not group.processes()


def test_what_hangs_after_all_is_ended(tmp_path: Path) -> None:
    env = copy(tmp_path)
    change(tmp_path, "runtime/reexec.py", "LIMIT = 30", "LIMIT = 1")
    with up(tmp_path, PLAIN, how=None, **env) as group:
        group.read_until("group test is ready")
        hang = "import time; time.sleep(1000)"
        change(tmp_path, "__main__.py", "foreground.take_over(int(handed))", hang)
        ask(group, "/v1/reexec", {})
        assert group.wait() == 128 + signal.SIGALRM
        assert not group.processes()


def test_what_is_asked_for_twice_is_done_once(tmp_path: Path) -> None:
    with up(tmp_path, PLAIN) as group:
        group.read_until("group test is ready")
        os.kill(group.supervisor, signal.SIGUSR2)
        first = ask(group, "/v1/reexec", {})
        os.kill(group.supervisor, signal.SIGUSR2)
        eventually(lambda: outcomes(group) and outcomes(group)[-1]["kind"] == "reexecuted")
        assert first[0] in (200, 409)
        assert group.stop() == 0


def test_events_are_followed_over_it(tmp_path: Path) -> None:
    with up(tmp_path, PLAIN) as group:
        group.read_until("group test is ready")
        command = [sys.executable, "-m", "pairvisor", "events", "-f"]
        with subprocess.Popen(
            command, cwd=tmp_path, env=group.env, stdout=subprocess.PIPE, text=True
        ) as follower:
            assert follower.stdout is not None
            assert any("group test is ready" in line for line in follower.stdout)
            replaced(group)
            assert any("has taken over from" in line for line in follower.stdout)
            assert group.stop() == 0
            assert "group test stopped, as asked" in follower.stdout.read()
        assert follower.returncode == 0


NUMBERED = f"""
    grace = "20s"
    [primary]
    command = ["{sys.executable}", "{FOLDER}/numbered.py"]
    log = {{ file = "out.log", format = "raw", max_size = "0" }}
    [sidecars.read]
    command = ["sh", "-c", "exec cat >> ${{dir}}/read"]
    stdin = {{ from = ["primary"], format = "raw" }}
    log = {{ to = "none" }}
"""


def test_not_a_line_is_lost(tmp_path: Path) -> None:
    script = (
        "import itertools, os, select\n"
        "for i in itertools.count():\n"
        "    os.write(1, b'%d' % i); os.write(1, b'\\n')\n"
        "    i % 50 or select.select([], [], [], 0.002)\n"
    )
    (tmp_path / "count.py").write_text(script)
    manifest = NUMBERED.replace(f"{FOLDER}/numbered.py", "${dir}/count.py")
    with up(tmp_path, manifest) as group:
        group.read_until("group test is ready")
        for _ in range(5):
            replaced(group)
        assert group.stop() == 0
    logged = (tmp_path / "xdg-state/pairvisor/test/logs/out.log").read_text().split("\n")
    assert logged[:-1] == [str(i) for i in range(len(logged) - 1)]
    assert (tmp_path / "read").read_text().split("\n")[:-1] == logged[:-1]


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    half = "printf half; until test -e ${dir}/go; do sleep 0.01; done; echo ' a line'"
    with up(tmp_path, f'[primary]\ncommand = ["sh", "-c", "{half}; exec sleep 1000"]') as group:
        group.read_until("group test is ready")
        replaced(group)
        (tmp_path / "go").touch()
        group.read_until(r"^primary +\| half a line$")
        assert ask(group, "/v1/logs")[1].count(b'"half a line"') == 1
        assert group.stop() == 0


def test_what_was_written_before_is_still_shown(tmp_path: Path) -> None:
    manifest = '[primary]\ncommand = ["sh", "-c", "echo one; echo two >&2; exec sleep 1000"]'
    with up(tmp_path, manifest) as group:
        group.read_all("one", "two")
        before = ask(group, "/v1/logs")[1]
        replaced(group)
        assert ask(group, "/v1/logs")[1] == before
        assert ask(group, "/v1/status")[1]["members"][0]["log_bytes"] == 8
        assert group.stop() == 0


@pytest.mark.parametrize("seed", range(6))
def test_no_exit_is_lost_while_it_is_replaced(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    manifest = f"""
    restart = {{ initial = "1ms", max = "1ms" }}
    {PLAIN.replace("sleep 1000", "sleep 1001")}
    [sidecars.side]
    command = "sleep 1000"
    """
    with up(tmp_path, manifest) as group:
        group.read_until("group test is ready")
        victim = group.main("side")
        ask(group, "/v1/reexec", {})
        time.sleep(chance.uniform(0, 0.3))
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: outcomes(group))
        eventually(lambda: len(events(group, "group-ready")) == 2)
        assert events(group, "member-exited")[0]["exit"]["signal"] == "SIGKILL"
        assert group.stop() == 0


def test_a_backoff_ends_when_it_would_have(tmp_path: Path) -> None:
    """The first restart is at once, the second one 1 s later."""
    script = "echo >> ${dir}/runs; test $(wc -l < ${dir}/runs) -gt 2 && exec sleep 1000; exit 1"
    manifest = f"""
    {PLAIN}
    [sidecars.looper]
    command = ["sh", "-c", "{script}"]
    on_failure = "restart"
    """
    with up(tmp_path, manifest) as group:
        group.read_until("looper restarts in [01]")
        replaced(group)
        eventually(lambda: group.processes("looper"))
        assert events(group, "member-backoff")[0]["delay"] == 0
        assert ask(group, "/v1/status")[1]["members"][0]["restarts"] == 2
        assert group.stop() == 0


def test_a_probe_that_is_due_later_is_not_made_sooner(tmp_path: Path) -> None:
    live = 'live = { exec = ["touch", "${dir}/looked"], delay = "1h" }'
    with up(tmp_path, f"{PLAIN}\n{live}") as group:
        group.read_until("group test is ready")
        replaced(group)
        replaced(group)
        assert not (tmp_path / "looked").exists()
        assert group.stop() == 0


def test_probes_go_on(tmp_path: Path) -> None:
    ready = 'ready = { exec = ["test", "-e", "${dir}/ok"], interval = "20ms", failures = 1 }'
    with up(tmp_path, f"{PLAIN}\n{ready}") as group:
        eventually(group.processes)
        replaced(group)
        (tmp_path / "ok").touch()
        group.read_until("group test is ready")
        replaced(group)
        (tmp_path / "ok").unlink()
        group.read_until("primary is not ready any more")
        assert group.stop() == 0


@pytest.mark.parametrize(
    ("ready", "says"),
    [
        ("notify = true", "systemd-notify --ready || exit 1"),
        ("log = '^up$'", "echo up"),
    ],
)
def test_what_a_member_says_later_is_heard(tmp_path: Path, ready: str, says: str) -> None:
    if "notify" in ready:
        says = f"{sys.executable} ${{dir}}/say.py"
        (tmp_path / "say.py").write_text(
            "import os, socket\n"
            "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
            "s.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])\n"
        )
    script = f"until test -e ${{dir}}/go; do sleep 0.01; done; {says}; exec sleep 1000"
    manifest = f'[primary]\ncommand = ["sh", "-c", "{script}"]\nready = {{ {ready} }}'
    with up(tmp_path, manifest) as group:
        eventually(lambda: group.processes("primary"))
        replaced(group)
        (tmp_path / "go").touch()
        group.read_until("group test is ready")
        replaced(group)
        assert group.stop() == 0


def test_a_hook_is_waited_for(tmp_path: Path) -> None:
    hook = 'hooks = { post_start = ["sh", "-c", "until test -e ${dir}/go; do sleep 0.01; done"] }'
    with up(tmp_path, f"{PLAIN}\n{hook}") as group:
        eventually(lambda: len(group.processes("primary")) > 1)
        ask(group, "/v1/reexec", {})
        assert ask(group, "/v1/reexec", {})[0] == 409
        (tmp_path / "go").touch()
        group.read_until("has taken over from")
        assert group.stop() == 0


def test_it_is_refused_while_a_client_runs_a_command(tmp_path: Path) -> None:
    with up(tmp_path, PLAIN) as group:
        group.read_until("group test is ready")
        command = [sys.executable, "-m", "pairvisor", "exec", "primary", "--", "sleep", "1000"]
        client = subprocess.Popen(command, cwd=tmp_path, env=group.env)
        try:
            eventually(lambda: len(group.processes("primary")) == 2)
            status, answer = ask(group, "/v1/reexec", {})
            assert status == 409
            assert "a command runs in primary (exec)" in answer["error"]
        finally:
            client.kill()
            client.wait()
        assert group.stop() == 0


def test_secrets_are_known_to_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary-one")
    manifest = f"""
    [secrets.db]
    file = "secret"
    {PLAIN}
    secrets = ["db"]
    """
    with up(tmp_path, manifest) as group:
        group.read_until("group test is ready")
        first = group.main("primary")
        replaced(group)
        assert ask(group, "/v1/reload", {})[1]["text"] == "nothing has changed"
        (tmp_path / "secret").write_text("canary-two")
        assert "primary restarts" in ask(group, "/v1/reload", {})[1]["text"]
        gone(first)
        eventually(lambda: group.processes("primary"))
        assert group.stop() == 0


def test_the_last_process_ends_with_the_group(tmp_path: Path) -> None:
    script = "setsid sh -c 'trap : TERM; exec sleep 1000' & exec sleep 1000"
    with up(tmp_path, f'[primary]\ncommand = ["sh", "-c", "{script}"]') as group:
        group.read_until("group test is ready")
        eventually(lambda: len(group.processes()) == 2)
        pids, run = group.processes(), group.run
        replaced(group)
        assert group.stop() == 0
        for pid in pids:
            gone(pid)
        assert not run.exists()


@pytest.mark.parametrize("whom", ["supervisor", "guard"])
def test_what_guards_it_does_so_still(tmp_path: Path, whom: str) -> None:
    with up(tmp_path, PLAIN) as group:
        group.read_until("group test is ready")
        replaced(group)
        eventually(group.processes)
        pids, run = group.processes(), group.run
        os.kill(getattr(group, whom), signal.SIGKILL)
        for pid in pids:
            gone(pid)
        eventually(lambda: not run.exists())


def test_a_signal_asks_for_it_too(tmp_path: Path, manager: Manager) -> None:
    told = {"WATCHDOG_USEC": "300000"}
    wrapper = ("env", f"NOTIFY_SOCKET={tmp_path / 'notify'}", *AS_SERVICE)
    with up(tmp_path, PLAIN, *wrapper, words=RUN, how=None, **told) as group:
        manager.hear("READY=1")
        group.signal(signal.SIGUSR2)
        manager.hear("RELOADING=1")
        assert f"MAINPID={group.popen.pid}" in manager.hear("READY=1")
        manager.hear("WATCHDOG=1")
        manager.hear("WATCHDOG=1")
        group.signal(signal.SIGUSR2)
        manager.hear("RELOADING=1")
        manager.hear("READY=1")
        assert group.stop() == 0
        assert len(re.findall("has taken over from", group.said)) == 2


def test_where_it_was_started_may_be_gone(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    enter = ("sh", "-c", 'cd gone; exec "$0" "$1" "$2" "$3" "$4" "../$5"')
    with up(tmp_path, PLAIN, *enter) as group:
        group.read_until("group test is ready")
        (tmp_path / "gone").rmdir()
        replaced(group)
        assert group.stop() == 0


def test_nothing_adds_up(tmp_path: Path) -> None:
    manifest = f"{PLAIN}\nready = {{ notify = true }}\nstart_timeout = '1h'"
    with up(tmp_path, manifest + '\n[sidecars.a]\ncommand = "cat"\nstdin = ["primary"]') as group:
        eventually(lambda: len(group.processes()) == 2)
        replaced(group)
        before = descriptors(group.supervisor)
        for _ in range(4):
            replaced(group)
        assert descriptors(group.supervisor) == before
        assert len(os.listdir(f"/proc/{group.supervisor}/task")) == 2
        assert group.stop() == 0


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_members_get_the_limit_that_was(tmp_path: Path) -> None:
    """The supervisor has raised its own, for so many members."""
    many = "".join(f'[sidecars.s{i}]\ncommand = "sleep 1000"\n' for i in range(20))
    limit = ("sh", "-c", 'ulimit -Sn 200; exec "$@"', "sh")
    with up(tmp_path, f"{PLAIN}\n{many}", *limit) as group:
        group.read_until("group test is ready")
        replaced(group)
        old = group.main("s3")
        os.kill(old, signal.SIGKILL)
        group.read_until("group test is ready")
        limits = Path(f"/proc/{group.main('s3')}/limits").read_text()
        assert re.search(r"Max open files +200 ", limits)
        assert group.stop() == 0


def test_its_command_says_what_came_of_it(tmp_path: Path) -> None:
    with up(tmp_path, PLAIN, how=None, **copy(tmp_path)) as group:
        group.read_until("group test is ready")
        ran = run_command(group)
        assert ran.returncode == 0
        assert re.match(
            r"pairvisor .* has taken over from .*: the members run on, after", ran.stdout
        )
        change(tmp_path, "runtime/handover.py", "VERSION = ", "VERSION = 9")
        ran = run_command(group)
        assert ran.returncode == 1
        assert "not re-executed, all runs on as it was" in ran.stderr
        assert group.stop() == 0


def run_command(group: Up) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pairvisor", "reexec"]
    folder, clean = group.manifest.parent, {**group.env, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, env=clean, capture_output=True, text=True, check=False, timeout=60
    )
