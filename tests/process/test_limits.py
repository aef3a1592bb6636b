"""What each process may use, and what can't be held here. What a cgroup's controllers hold needs a
machine that has them: see tests/systemd.

| promise | test |
| --- | --- |
| each process has its limits, from its first instruction on | test_a_process_* |
| one that can't be held refuses the start, or is said | test_a_limit_that_*, test_what_need_* |
| a sidecar is not killed before the primary for want of memory | test_oom_scores |
"""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from pairvisor.runtime.cgroup import find_cgroup
from tests.process.contained import wrapper
from tests.support import Up, up

HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
SLEEP = '[primary]\ncommand = ["sleep", "inf"]\n'
LIMITS = ("Max open files", "Max core file size", "Max stack size", "Max file size")


def limits_of(pid: int) -> dict[str, list[str]]:
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return {line[:26].strip(): line[26:].split()[:2] for line in lines}


def test_a_process_has_its_limits(tmp_path: Path) -> None:
    manifest = """
    [primary]
    command = ["sh", "-c", "nice; echo done; sleep inf"]
    limits = { nofile = 77, core = 0, stack = "1MiB", fsize = "unlimited", nice = 7 }
    """
    with up(tmp_path, manifest) as group:
        group.read_all(r"\| 7$", "done$")
        held = limits_of(group.main("primary"))
        supervisors = limits_of(group.supervisor)
    assert [held[name][0] for name in LIMITS] == ["77", "0", str(1 << 20), "unlimited"]
    assert held["Max open files"][1] == "77"
    assert supervisors["Max open files"][1] == str(HARD)


def test_probes_hooks_and_commands_have_them_too(tmp_path: Path) -> None:
    manifest = f"""
    [primary]
    command = ["sleep", "inf"]
    limits = {{ nofile = 77 }}
    ready = {{ exec = ["sh", "-c", "ulimit -n >{tmp_path}/probe"] }}
    hooks = {{ post_start = ["sh", "-c", "ulimit -n >{tmp_path}/hook"] }}
    """
    with up(tmp_path, manifest) as group:
        group.read_until("group test is ready")
        assert run(group, "exec", "primary", "sh", "-c", "ulimit -n").stdout == "77\n"
    assert [(tmp_path / name).read_text() for name in ("probe", "hook")] == ["77\n"] * 2


def run(group: Up, *words: str) -> subprocess.CompletedProcess[str]:
    words = (sys.executable, "-m", "pairvisor", *words)
    return subprocess.run(
        words, cwd=group.manifest.parent, env=group.env, capture_output=True, text=True, check=True
    )


def adjustment(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def test_oom_scores(tmp_path: Path) -> None:
    manifest = """
    [sidecars.a]
    command = ["sleep", "inf"]
    [sidecars.b]
    command = ["sleep", "inf"]
    limits = { oom_score_adj = 400 }
    [primary]
    command = ["sleep", "inf"]
    limits = { oom_score_adj = 500 }
    """
    ours = adjustment(os.getpid())
    with up(tmp_path, manifest) as group:
        group.read_until("group test is ready")
        scores = [adjustment(group.main(name)) for name in ("a", "b", "primary")]
        assert adjustment(group.supervisor) <= ours
    assert scores == [ours, 400, 500]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (
            f"nofile = {HARD + 1}",
            "primary.limits.nofile can't be held here: the hard limit here is",
        ),
        ("nice = -20", "primary.limits.nice can't be held here: "),
        ("oom_score_adj = -1000", "primary.limits.oom_score_adj can't be held here: "),
    ],
)
def test_a_limit_that_can_not_be_held_refuses_the_start(
    tmp_path: Path, limits: str, said: str
) -> None:
    drop = ("setpriv", "--bounding-set=-sys_resource,-sys_nice", "--inh-caps=-all")
    words = drop if os.geteuid() == 0 else ()
    with up(tmp_path, f"{SLEEP}limits = {{ {limits} }}\n", *words) as group:
        assert group.wait() == 78
        assert f"pairvisor.toml:4: {said}" in group.said
        assert "(limits.required = false: start all the same)" in group.said
        assert not (tmp_path / "xdg/pairvisor/test").exists()


def test_what_need_not_be_held_is_said_in_status(tmp_path: Path) -> None:
    manifest = f"{SLEEP}limits = {{ memory = '1GiB', required = false }}\n"
    with up(tmp_path, manifest, *wrapper("session")) as group:
        group.read_until("group test is ready")
        shown = run(group, "status").stdout
        assert "degraded: primary.limits.memory can't be held here: " in shown
        assert group.stop() == 0


def test_without_a_controller_a_limit_refuses_the_start(tmp_path: Path) -> None:
    own = find_cgroup()
    if not own.why_not and "memory" in own.controllers:
        pytest.skip("this machine has the controller: see tests/systemd")
    with up(tmp_path, "limits = { memory = '1GiB' }\n" + SLEEP) as group:
        assert group.wait() == 78
        assert "pairvisor.toml:2: limits.memory can't be held here: " in group.said


def test_a_reload_that_can_not_be_held_changes_nothing(tmp_path: Path) -> None:
    own = find_cgroup()
    if not own.why_not and "memory" in own.controllers:
        pytest.skip("this machine has the controller: see tests/systemd")
    with up(tmp_path, SLEEP) as group:
        group.read_until("group test is ready")
        text = group.manifest.read_text()
        group.manifest.write_text(text + 'limits = { memory = "1GiB" }\nstop = { grace = "1s" }\n')
        with pytest.raises(subprocess.CalledProcessError) as caught:
            run(group, "reload")
        assert "limits.memory can't be held here" in caught.value.stderr
        group.manifest.write_text(text)
        assert run(group, "reload").stdout == "nothing has changed\n"
