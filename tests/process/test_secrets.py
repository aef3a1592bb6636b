"""Secrets reach their readers, and nobody and nothing else.

| promise | test |
| --- | --- |
| a file of mode 0400, for its reader alone | test_each_source, test_only_* |
| no argv, environ, log, status, event, core or state file has it | test_a_canary_* |
| a reload rotates it: by the member's reload, or a restart | test_a_reload_* |
| gone with the group, also after kill -9 | test_they_are_gone_* |
| what can't be had refuses the start, and a reload | test_a_secret_that_*, test_a_reload_that_* |
"""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import Up, eventually, gone, let_others_through, up

CANARY = "canary-7f3a9c51e2"
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be other users")


def run(group: Up, *words: str) -> subprocess.CompletedProcess[str]:
    words = (sys.executable, "-m", "pairvisor", *words)
    return subprocess.run(
        words, cwd=group.manifest.parent, env=group.env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("source", "env"),
    [
        ('file = "secret"', {}),
        ('env = "CANARY"', {"CANARY": CANARY}),
        (f'command = ["echo", "{CANARY}"]', {}),
        ('credential = "secret"', {"CREDENTIALS_DIRECTORY": "."}),
    ],
    ids=["file", "env", "command", "credential"],  # pytest puts them into the environment
)
def test_each_source(
    tmp_path: Path, source: str, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "secret").write_text(CANARY)
    script = "cat $CREDENTIALS_DIRECTORY/db ${secrets.db}; stat -c ' mode %a' ${secrets.db}; env"
    manifest = f"""
    [secrets.db]
    {source}
    [primary]
    command = ["sh", "-c", "{script}; echo done; sleep inf"]
    secrets = ["db"]
    [sidecars.other]
    command = ["sh", "-c", "env; echo other; sleep inf"]
    """
    with up(tmp_path, manifest) as group:
        group.read_all(rf"{CANARY}{CANARY} mode 400$", r"done$", "other$")
        said = group.said.replace(f"{CANARY}{CANARY}", "")
        assert CANARY not in said
        others = [line for line in said.splitlines() if line.startswith("other")]
        assert not [line for line in others if "CREDENTIALS_DIRECTORY" in line]


@root
def test_only_the_reader_can_read_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(CANARY)
    let_others_through(tmp_path)
    manifest = """
    [secrets.db]
    file = "secret"
    [sidecars.reader]
    command = ["sh", "-c", "cat ${secrets.db}; echo; echo read; sleep inf"]
    user = "daemon"
    secrets = ["db"]
    ready = { log = "^read$" }
    [primary]
    command = ["sh", "-c", "cat ${run}/secrets/reader/db || echo refused; sleep inf"]
    user = "nobody"
    """
    with up(tmp_path, manifest) as group:
        group.read_all(f"{CANARY}$", "refused$")


def holding(needle: str, folders: list[Path]) -> list[str]:
    """The files below the folders that have it."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if needle.encode() in path.read_bytes()]


def test_a_canary_is_found_nowhere_else(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "secret").write_text(CANARY)
    leak = '["sh", "-c", "cat ${secrets.db}; exit 3"]'
    manifest = f"""
    [secrets.db]
    file = "source/secret"
    [sidecars.talks]
    command = ["sleep", "inf"]
    secrets = ["db"]
    ready = {{ exec = {leak}, timeout = "5s" }}
    hooks = {{ post_start = {leak.replace("exit 3", "exit 0")} }}
    live = {{ exec = {leak}, interval = "50ms", failures = 2, delay = "0s" }}
    on_failure = "restart"
    [primary]
    command = ["sh", "-c", "test -s ${{secrets.db}} && echo seen; sleep inf"]
    secrets = ["db"]
    hooks = {{ post_start = ["sh", "-c", "until [ -e go ]; do :; done; cat ${{secrets.db}}; no"] }}
    after = []
    on_failure = "teardown"
    """
    unlimited = ("prlimit", "--core=unlimited")
    with up(tmp_path, manifest, *unlimited) as group:
        group.read_until("seen$")
        documents = [run(group, *words).stdout for words in (["status", "--json"], ["events"])]
        for pid in group.processes():
            for file in ("cmdline", "environ"):
                assert CANARY.encode() not in Path(f"/proc/{pid}/{file}").read_bytes()
        assert CANARY.encode() not in Path(f"/proc/{group.supervisor}/environ").read_bytes()
        group.read_until(r"\[secret\]")
        (tmp_path / "go").touch()
        group.wait()
        assert CANARY not in group.said
    documents += [run(group, *words).stdout for words in (["why"], ["status", "--json"])]
    assert not any(CANARY in document for document in documents)
    assert holding(CANARY, [tmp_path / "xdg", tmp_path / "xdg-state"]) == []


@pytest.mark.skipif(
    Path("/proc/sys/kernel/core_pattern").read_text().startswith("|"),
    reason="cores go to a program here",
)
def test_no_core_of_the_supervisor(tmp_path: Path) -> None:
    """It ends by SIGSEGV without one, where its limit would allow it."""
    (tmp_path / "secret").write_text(CANARY)
    manifest = """
    [secrets.db]
    file = "secret"
    [primary]
    command = ["sleep", "inf"]
    secrets = ["db"]
    """
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    if hard == 0:
        pytest.skip("no cores here")
    with up(tmp_path, manifest, "prlimit", "--core=unlimited") as group:
        group.read_until("group test is ready")
        supervisor = group.supervisor
        os.kill(supervisor, signal.SIGSEGV)
        gone(supervisor)
        group.wait()
    cores = [p for p in (*tmp_path.rglob("core*"), *Path("/").glob("core*")) if p.is_file()]
    held = [core for core in cores if CANARY.encode() in core.read_bytes()]
    for core in cores:
        core.unlink()
    assert held == []


RELOADED = """
    [secrets.db]
    file = "secret"
    [sidecars.told]
    command = ["sh", "-c", "trap 'echo now $(cat $0)' HUP; while :; do sleep 1 & wait; done",
        "${secrets.db}"]
    secrets = ["db"]
    reload = { signal = "SIGHUP" }
    [sidecars.asked]
    command = ["sleep", "inf"]
    secrets = ["db"]
    reload = { command = ["sh", "-c", "cp ${secrets.db} ${volume}/asked"] }
    [sidecars.restarts]
    command = ["sh", "-c", "echo began with $(cat ${secrets.db}); sleep inf"]
    secrets = ["db"]
    [primary]
    command = ["sh", "-c", "echo primary up; sleep inf"]
"""


def test_a_reload_rotates_it(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("first-secret")
    with up(tmp_path, RELOADED) as group:
        group.read_all("began with first-secret$", "group test is ready")
        mains = {name: group.main(name) for name in ("told", "asked", "primary")}
        secret.write_text("second-secret")
        ran = run(group, "reload")
        assert "told runs on: secrets from now on" in ran.stdout
        assert "restarts restarts: secrets" in ran.stdout
        group.read_all("now second-secret$", "began with second-secret$")
        eventually((group.run / "volume/asked").exists)
        assert {name: group.main(name) for name in mains} == mains
        assert run(group, "reload").stdout == "nothing has changed\n"


def test_a_reload_that_has_no_secret_changes_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("first-secret")
    with up(tmp_path, RELOADED) as group:
        group.read_until("group test is ready")
        secret.unlink()
        ran = run(group, "reload")
        assert ran.returncode != 0
        assert f"secrets.db: cannot read {secret}: No such file or directory" in ran.stderr
        assert run(group, "exec", "told", "sh", "-c", "cat $CREDENTIALS_DIRECTORY/db").stdout == (
            "first-secret"
        )


def test_a_member_that_reads_none_any_more(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("first-secret")
    with up(tmp_path, RELOADED) as group:
        group.read_until("group test is ready")
        text = group.manifest.read_text()
        head, _, tail = text.partition("[sidecars.asked]")
        head = head.replace("${secrets.db}", "x").replace('secrets = ["db"]', "")
        group.manifest.write_text(f"{head}[sidecars.asked]{tail}")
        assert run(group, "reload").returncode == 0
        eventually(lambda: "told" not in os.listdir(group.run / "secrets"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('file = "nothing"', "No such file"),
        ('env = "NOTHING"', "the environment has no NOTHING"),
        ('command = ["sh", "-c", "exit 7"]', "its command ended with 7"),
        ('command = ["true"]', "it is empty"),
        ('command = ["head", "-c", "2000000", "/dev/zero"]', "secrets.db: "),
        ('credential = "x"', "no credentials here"),
    ],
)
def test_a_secret_that_can_not_be_had_refuses_the_start(
    tmp_path: Path, source: str, said: str
) -> None:
    manifest = f"""
    [secrets.db]
    {source}
    [primary]
    command = ["sleep", "inf"]
    secrets = ["db"]
    """
    with up(tmp_path, manifest) as group:
        assert group.wait() == 78
        assert said in group.said
        assert "Traceback" not in group.said
        assert not (tmp_path / "xdg/pairvisor/test").exists()


def test_a_command_that_hangs_is_not_waited_for_by_a_stop(tmp_path: Path) -> None:
    manifest = f"""
    [secrets.db]
    command = ["sh", "-c", "touch {tmp_path}/began; sleep 1000"]
    [primary]
    command = ["sleep", "inf"]
    secrets = ["db"]
    """
    with up(tmp_path, manifest) as group:
        eventually((tmp_path / "began").exists)
        began = time.monotonic()
        assert group.stop() == 78
        assert time.monotonic() - began < 8
        assert "secrets.db: stopped before its command had ended" in group.said


@pytest.mark.parametrize("how", ["stop", "kill -9"])
def test_they_are_gone_with_the_group(tmp_path: Path, how: str) -> None:
    (tmp_path / "secret").write_text(CANARY)
    with up(tmp_path, RELOADED) as group:
        group.read_until("group test is ready")
        secrets = group.run / "secrets"
        assert holding(CANARY, [secrets])
        if how == "stop":
            group.stop()
        else:
            os.kill(group.supervisor, signal.SIGKILL)
            group.wait()
        assert not secrets.exists()
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
