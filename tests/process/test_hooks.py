"""Hooks: when they run, what their failure means, and that they cost no more than the one grace.

| fault | test |
| --- | --- |
| hook never ends | test_a_hook_that_never_ends_* |
| a hook that can't be started | test_a_hook_that_cannot_be_started |
| a hook's processes are gone | all: at the end nobody holds the leash |
"""

import signal
from pathlib import Path
from time import monotonic

import pytest

from tests.process.leash import leash
from tests.support import WITHIN, eventually, up


def note(record: Path, *words: str) -> str:
    lines = "; ".join(f"echo {word} >>{record}" for word in words)
    return f'["sh", "-c", "{lines}"]'


def test_hooks_run_around_their_member_in_order(tmp_path: Path) -> None:
    record = tmp_path / "record"
    manifest = f"""
    [sidecars.side]
    command = "sleep inf"
    hooks = {{ post_start = {note(record, "side-up")}, post_stop = {note(record, "side-over")} }}
    [primary]
    command = ["sh", "-c", "trap 'echo told >>{record}; exit 0' TERM; while :; do sleep 0.02; done"]
    hooks.post_start = {note(record, "started", "$PAIRVISOR_MEMBER")}
    hooks.pre_stop = {note(record, "stopping")}
    hooks.post_stop = {note(record, "stopped")}
    """
    with up(tmp_path, manifest) as group:
        group.read_until("group test is ready")
        assert group.stop() == 0
    assert record.read_text().split() == [
        *("side-up", "started", "primary", "stopping", "told", "stopped", "side-over")
    ]


def test_a_failing_post_start_is_a_failure(tmp_path: Path) -> None:
    manifest = """
    [primary]
    command = "sleep inf"
    hooks = { post_start = ["sh", "-c", "echo no route; exit 4"] }
    on_failure = "teardown"
    """
    with up(tmp_path, manifest) as group:
        assert group.wait() == 1
        assert "failed in a hook: post_start exited with 4: no route" in group.said


@pytest.mark.parametrize("hook", ["pre_stop", "post_stop"])
def test_a_failing_hook_of_a_stop_changes_nothing(tmp_path: Path, hook: str) -> None:
    manifest = f"""
    [primary]
    command = "sleep inf"
    hooks = {{ {hook} = "false" }}
    """
    with up(tmp_path, manifest) as group:
        group.read_until("group test is ready")
        assert group.stop() == 0


@pytest.mark.parametrize("hook", ["post_start", "pre_stop", "post_stop"])
def test_a_hook_that_never_ends_costs_the_one_grace(tmp_path: Path, hook: str) -> None:
    """Deaf, detached and at once: only the grace, and the two seconds after it."""
    with leash(tmp_path) as held:
        script = f"exec 9>{held.path}; trap '' TERM; setsid sleep 1000 & (sleep 1000 &) ; sleep inf"
        manifest = f"""
        grace = "1s"
        [sidecars.side]
        command = "sleep inf"
        hooks = {{ {hook} = ["sh", "-c", "{script}"] }}
        after = []
        [primary]
        command = "sleep inf"
        after = []
        """
        with up(tmp_path, manifest) as group:
            group.read_until("primary is ready")
            if hook == "post_start":
                eventually(lambda: held.is_held)
            began = monotonic()
            group.signal(signal.SIGTERM)
            if hook != "post_start":
                eventually(lambda: held.is_held)
            assert group.wait() == 0
            assert monotonic() - began < WITHIN
            assert not held.is_held
            assert not group.processes()


def test_a_hook_that_cannot_be_started(tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    manifest = """
    [init.break]
    command = "rm hook"
    [primary]
    command = "sleep inf"
    hooks = { post_start = "./hook" }
    on_failure = "teardown"
    """
    with up(tmp_path, manifest) as group:
        assert group.wait() == 1
        assert 'failed in a hook: post_start cannot run "./hook": no such file' in group.said


def test_a_stop_during_post_start_ends_the_hook_at_once(tmp_path: Path) -> None:
    with leash(tmp_path) as held:
        manifest = f"""
        grace = "60s"
        [primary]
        command = "sleep inf"
        hooks = {{ post_start = ["sh", "-c", "exec 9>{held.path}; sleep inf"] }}
        """
        with up(tmp_path, manifest) as group:
            eventually(lambda: held.is_held)
            assert group.stop() == 0
            assert not held.is_held
