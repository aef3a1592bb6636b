"""Nothing of a group outlives it, whichever way it is contained.

| fault | test |
| --- | --- |
| supervisor SIGKILLed at a random moment, stubborn members | test_kill_9_* |
| guard and supervisor SIGKILLed at once | test_both_killed_* |
| both, and the next start is in another cgroup | test_what_was_left_* |
| a process that does not descend from us | test_a_stranger_* |
| a daemon without session, parent and environment, its member restarts | test_a_daemon_* |
| fork bomb during stop, under a pids limit: see tests/systemd; without | test_a_bomb_* |
| no cgroup, it vanishes, it can't be made | test_without_*, test_a_cgroup_that_* |
| stale cgroups, mounts | test_nothing_stale_* |

`python -m tests.process.test_containment RUNS SEED [CONTAINMENT]` kills as often as you like.
"""

import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pairvisor.runtime.cgroup import find_cgroup
from tests.process.contained import each_containment, needs_cgroup, wrapper
from tests.process.freezer import freezer, needs_freezer
from tests.process.leash import Leash, leash
from tests.process.programs import FOLDER, STUBBORN
from tests.support import Up, eventually, gone, up

LIFE = 0.4  # seconds in which a supervisor is killed, from its first words on
LATEST = 1.0  # seconds, from the kill to nothing left
KILLS = int(os.environ.get("PAIRVISOR_TEST_KILLS", "6"))


def five(held: Leash) -> str:
    """Members that are hard to get rid of."""
    command = f'command = ["{STUBBORN}", "{held.path}"]\n'
    sidecars = "".join(f"[sidecars.s{number}]\n{command}" for number in range(4))
    return f'grace = "1s"\n{sidecars}[primary]\n{command}'


def kill_once(folder: Path, held: Leash, containment: str, moment: float) -> float:
    """Kill -9 for the supervisor that many seconds into its life; how long the rest then lived."""
    with up(folder, five(held), *wrapper(containment)) as group:
        group.read_until("group test starts")
        supervisor = group.supervisor
        select.select([], [], [], moment)
        os.kill(supervisor, signal.SIGKILL)
        killed = time.monotonic()
        held.let_go()
        took = time.monotonic() - killed
        assert group.wait() == 137
        assert not (Path(group.env["XDG_RUNTIME_DIR"]) / "pairvisor/test").exists()
    return took


def top_of(group: Up) -> Path:
    """The group's cgroup."""
    return Path((group.run / "cgroup").read_text())


def members_of(group: Up, member: str) -> list[int]:
    return list(
        map(int, (top_of(group) / f"members/{member}/main/cgroup.procs").read_text().split())
    )


@each_containment()
def test_kill_9_of_the_supervisor_at_a_random_moment(tmp_path: Path, containment: str) -> None:
    moments = [random.uniform(0, LIFE) for _ in range(KILLS)]
    with leash(tmp_path) as held:
        for moment in moments:
            took = kill_once(tmp_path, held, containment, moment)
            assert took < 10 * LATEST, (containment, moments)
        check_start(tmp_path, held, containment)


def check_start(folder: Path, held: Leash, containment: str) -> None:
    """The next start is right by itself."""
    with up(folder, five(held), *wrapper(containment)) as group:
        group.read_until("group test is ready")
        assert group.stop() == 143 or "killed" in group.said
        assert not held.is_held


def kill_both(group: Up) -> None:
    """At once: neither can do anything about the other's end."""
    supervisor = group.supervisor
    os.kill(group.guard, signal.SIGSTOP)
    os.kill(supervisor, signal.SIGKILL)
    os.kill(group.guard, signal.SIGKILL)
    gone(supervisor)


@needs_cgroup
def test_both_killed_and_a_cgroup_finds_all_that_is_left(tmp_path: Path) -> None:
    with leash(tmp_path) as held, up(tmp_path, five(held)) as group:
        group.read_until("group test is ready")
        top = top_of(group)
        kill_both(group)
        assert held.is_held
        with up(tmp_path, '[primary]\ncommand = ["sleep", "inf"]\n') as following:
            following.read_until("group test starts")
            assert not held.is_held
            assert following.stop() == 0
    assert not top.exists()


def test_both_killed_and_no_cgroup_what_says_whose_it_is_is_found(tmp_path: Path) -> None:
    """What has cleared its environment is not: that is written down."""
    with leash(tmp_path) as held:
        manifest = f"""
        [primary]
        command = ["sh", "-c", "exec 9>{held.path}; setsid sleep 1000 & echo up; sleep 1000"]
        """
        with up(tmp_path, manifest, *wrapper("session")) as group:
            group.read_until("up$")
            kill_both(group)
            assert held.is_held
            calm = '[primary]\ncommand = ["sleep", "inf"]\n'
            with up(tmp_path, calm, *wrapper("session")) as following:
                following.read_until("group test starts")
                assert not held.is_held


def test_a_start_from_what_an_earlier_life_has_left_spares_itself(tmp_path: Path) -> None:
    """A shell in a member, that outlived both, starts the group anew."""
    with leash(tmp_path) as held:
        calm = '[primary]\ncommand = ["sleep", "inf"]\n'
        with up(tmp_path, calm, *wrapper("session")) as group:
            group.read_until("group test is ready")
            run = f"PAIRVISOR_RUN={group.run}"
            kill_both(group)
        words = (
            *wrapper("session"),
            "env",
            run,
            "sh",
            "-c",
            f'exec 9>{held.path}; "$@" & wait',
            "sh",
        )
        with up(tmp_path, calm, *words) as following:
            following.read_until("group test is ready")
            assert held.is_held


@needs_cgroup
def test_a_daemon_ends_with_its_own_member(tmp_path: Path) -> None:
    with leash(tmp_path) as held:
        manifest = f"""
        [sidecars.a]
        command = ["sh", "-c", "exec 9>{held.path}; env -i setsid sleep 999 & echo run; sleep inf"]
        on_failure = "restart"
        [primary]
        command = ["sleep", "inf"]
        """
        with up(tmp_path, manifest) as group:
            group.read_all("run$", "group test is ready")
            group.said = ""
            # Should what it left go on, it would hold the leash beside the next run's.
            daemon = [p for p in members_of(group, "a") if p != group.main("a")]
            group.kill("a")
            group.read_until("run$")
            for pid in daemon:
                gone(pid)


@needs_cgroup
def test_a_stranger_in_a_members_cgroup_ends_with_it(tmp_path: Path) -> None:
    """One that does not descend from us: only the kernel knows of it, and of its end."""
    with up(tmp_path, '[primary]\ncommand = ["sleep", "inf"]\n') as group:
        group.read_until("group test is ready")
        stranger = subprocess.Popen(["setsid", "sleep", "1000"])
        (top_of(group) / "members/primary/main/cgroup.procs").write_text(str(stranger.pid))
        assert group.stop() == 0
        assert stranger.wait(0) == -signal.SIGKILL


def is_told_to_die(pid: int) -> bool:
    """Whether SIGKILL waits for it (proc_pid_status(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    pending = [int(line.split()[1], 16) for line in lines if line[:6] in ("SigPnd", "ShdPnd")]
    return any(mask >> (signal.SIGKILL - 1) & 1 for mask in pending)


@needs_cgroup
@needs_freezer
def test_a_strangers_late_end_is_seen(tmp_path: Path) -> None:
    """No SIGCHLD tells of it."""
    with up(tmp_path, '[primary]\ncommand = ["sleep", "inf"]\n') as group, freezer("late") as cold:
        group.read_until("group test is ready")
        stranger = subprocess.Popen(["setsid", "sleep", "1000"])
        (top_of(group) / "members/primary/main/cgroup.procs").write_text(str(stranger.pid))
        cold.freeze(stranger.pid)
        group.signal(signal.SIGTERM)
        eventually(lambda: is_told_to_die(stranger.pid))
        cold.thaw()
        assert group.wait(within=5) == 0
        assert stranger.wait() == -signal.SIGKILL


@needs_cgroup
def test_what_was_left_in_another_cgroup_is_found(tmp_path: Path) -> None:
    """The supervisor was started in one, its successor is in another."""
    calm = '[primary]\ncommand = ["sleep", "inf"]\n'
    other = Path(find_cgroup().own) / f"other-{os.getpid()}"
    other.mkdir()
    enter = ("sh", "-c", f'echo 0 >{other}/cgroup.procs; exec "$@"', "sh")
    try:
        with leash(tmp_path) as held, up(tmp_path, five(held), *enter) as group:
            group.read_until("group test is ready")
            assert top_of(group).parent == other
            kill_both(group)
            with up(tmp_path, calm) as following:
                following.read_until("group test starts")
                assert not held.is_held
                assert following.stop() == 0
    finally:
        other.rmdir()


@each_containment()
def test_a_bomb_goes_with_the_stop(tmp_path: Path, containment: str) -> None:
    with leash(tmp_path) as held:
        manifest = f"""
        grace = "1s"
        [primary]
        command = ["sh", "-c", "exec 9>{held.path}; exec {sys.executable} {FOLDER}/bomb.py"]
        """
        with up(tmp_path, manifest, *wrapper(containment)) as group:
            group.read_until("group test is ready")
            eventually(lambda: held.is_held)
            group.stop()
            assert not held.is_held


def status_of(group: Up) -> str:
    words = [sys.executable, "-m", "pairvisor", "status", "-f", group.manifest.name]
    return subprocess.run(
        words, cwd=group.manifest.parent, env=group.env, capture_output=True, text=True, check=True
    ).stdout


def test_without_a_cgroup_it_is_said_why(tmp_path: Path) -> None:
    with up(tmp_path, '[primary]\ncommand = ["sleep", "inf"]\n', *wrapper("session")) as group:
        group.read_until("group test is ready")
        assert "containment: session (" in status_of(group)
        assert not (group.run / "cgroup").exists()


@needs_cgroup
def test_a_cgroup_that_can_not_be_made_degrades_and_is_said(tmp_path: Path) -> None:
    with up(tmp_path, '[primary]\ncommand = ["sleep", "inf"]\n') as group:
        group.read_until("group test is ready")
        top = top_of(group)
        (top / "cgroup.max.descendants").write_text("3")
        words = [sys.executable, "-m", "pairvisor", "exec", "primary", "echo", "here"]
        ran = subprocess.run(
            words, cwd=tmp_path, env=group.env, capture_output=True, text=True, check=True
        )
        assert ran.stdout == "here\n"
        assert "degraded: " in status_of(group)
        assert group.stop() == 0
    assert not top.exists()


@needs_cgroup
def test_a_cgroup_that_vanishes_is_made_anew(tmp_path: Path) -> None:
    manifest = """
    [sidecars.a]
    command = ["sh", "-c", "echo run; exec sleep inf"]
    on_failure = "restart"
    [primary]
    command = ["sleep", "inf"]
    """
    with up(tmp_path, f'restart = {{ initial = "1s" }}\n{manifest}') as group:
        group.read_until("group test is ready")
        top = top_of(group)
        group.kill("a")
        group.read_until("run$")  # the first restart is immediate
        group.kill("a")
        group.read_until("a restarts in")
        os.rmdir(top / "members/a/main")
        os.rmdir(top / "members/a")
        group.read_until("run$")
        eventually(lambda: members_of(group, "a"))
        assert group.stop() == 0
    assert not top.exists()


@each_containment()
def test_nothing_stale_is_left_by_kills_and_starts(tmp_path: Path, containment: str) -> None:
    def mounts() -> int:
        return len(Path("/proc/self/mountinfo").read_text().splitlines())

    before = mounts()
    tops = []
    with leash(tmp_path) as held:
        for _ in range(3):
            with up(tmp_path, five(held), *wrapper(containment)) as group:
                group.read_until("group test is ready")
                tops += [top_of(group)] if containment == "cgroup" else []
                kill_both(group)
    with up(tmp_path, '[primary]\ncommand = "true"\n', *wrapper(containment)) as group:
        assert group.wait() == 0
    assert mounts() == before
    assert not any(top.exists() for top in tops)


def main(runs: int, seed: int, containment: str, say: Callable[[str], object]) -> None:
    """Kill the supervisor that often, and say how long what it left lived."""
    random.seed(seed)
    took = []
    with tempfile.TemporaryDirectory() as folder, leash(Path(folder)) as held:
        for run in range(runs):
            took.append(kill_once(Path(folder), held, containment, random.uniform(0, LIFE)))
            if took[-1] > LATEST:
                say(f"run {run}: {took[-1]:.3f} s")
        check_start(Path(folder), held, containment)
    took.sort()
    late = sum(each > LATEST for each in took)
    median, worst = took[len(took) // 2], took[-1]
    say(f"{containment}: {runs} kills, seed {seed}: median {median * 1e3:.0f} ms, worst "
        f"{worst * 1e3:.0f} ms, {late} later than {LATEST:g} s")  # fmt: skip


if __name__ == "__main__":
    count, start, *which = sys.argv[1:]
    for each in which or ["cgroup", "session"]:
        main(int(count), int(start), each, lambda text: print(text, flush=True))  # noqa: T201
