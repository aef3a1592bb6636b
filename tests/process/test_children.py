"""Every child is started clean, seen to end, and told from strangers.

| fault | test |
| --- | --- |
| a member ends before it is registered | test_no_exit_is_lost |
| one reaper steals another's exit code | test_own_codes_beside_orphans |
| a probe's or hook's daemon | test_a_daemon_of_a_probe_is_killed_with_it |
| no descriptor left | test_without_descriptors_* |
| spawn fails: ENOENT … E2BIG, EAGAIN, ENOMEM | test_a_spawn_that_fails_* |
| the folder to work in has vanished | test_a_working_dir_that_vanished |
"""

import os
import re
import shutil
import signal
import stat
from functools import partial
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from pairvisor.core.events import Exit
from pairvisor.runtime import kernel
from pairvisor.runtime.children import TASK, Children, Command, SpawnError
from tests.process.leash import leash
from tests.support import eventually, up

ENV = {"PATH": os.environ["PATH"]}
OUTPUT = (2, 2)


def sh(script: str, **env: str) -> Command:
    return Command(("sh", "-c", script), {**ENV, **env})


@pytest.fixture(autouse=True)
def _subreaper() -> None:
    kernel.become_subreaper()


def test_no_exit_is_lost() -> None:
    children, ends = Children("run"), list[Exit]()
    for number in range(500):
        children.spawn(f"m{number}", Command(("true",), ENV), OUTPUT, ends.append)
        children.reap()

    def all_over() -> bool:
        children.reap()
        return len(ends) == 500

    eventually(all_over)
    assert set(ends) == {Exit(code=0)}


def test_own_codes_beside_orphans() -> None:
    """Each of 200 leaves an orphan that ends with another code at about the same time."""
    children, ends = Children("run"), dict[int, Exit]()
    for number in range(200):
        script = f"(exit {(number + 1) % 200} & ) ; exit {number}"
        children.spawn(f"m{number}", sh(script), OUTPUT, partial(ends.__setitem__, number))

    def all_over() -> bool:
        children.reap()
        return len(ends) == 200 and not kernel.children_of(os.getpid())

    eventually(all_over)
    assert ends == {number: Exit(code=number) for number in range(200)}


def test_orphans_leave_no_zombie(tmp_path: Path) -> None:
    manifest = """
    [primary]
    command = ["sh", "-c", '''
        i=0; while [ $i -lt 200 ]; do (setsid true &); i=$((i + 1)); done; echo up; sleep inf''']
    """
    with up(tmp_path, manifest) as group:
        group.read_all("up$", "group test is ready")
        eventually(lambda: kernel.children_of(group.supervisor) == [group.main("primary")])
        assert group.stop() == 0


def test_a_daemon_of_a_probe_is_killed_with_it(tmp_path: Path) -> None:
    """It has left the session and the parent; its environment still says whose it is."""
    run = str(tmp_path)
    with leash(tmp_path) as held:
        children, over = Children(run), list[int]()
        script = f"exec 9>{held.path}; (setsid sleep inf &)"
        marks = {"PAIRVISOR_RUN": run, "PAIRVISOR_MEMBER": "m", TASK: "m/ready/1"}
        children.spawn("m", Command(("sleep", "inf"), ENV), OUTPUT, lambda _: None)
        children.spawn(
            "m/ready/1",
            sh(script, **marks),
            OUTPUT,
            lambda _: children.kill("m/ready/1", over.append),
        )

        def reaped() -> bool:
            children.reap()
            return bool(over)

        eventually(reaped)
        assert over == [1]
        assert not held.is_held
        assert children.pid("m")
        over.clear()
        children.kill("m", over.append)
        eventually(reaped)


def test_without_descriptors_a_group_is_still_stopped(tmp_path: Path) -> None:
    """Members can't be started for want of them; what runs is held and killed."""
    members = "".join(
        f"""
    [sidecars.s{number}]
    command = ["sh", "-c", "trap '' TERM; (setsid sleep inf &); exec sleep inf"]
    on_failure = "restart"
    """
        for number in range(20)
    )
    manifest = f"""
    grace = "300ms"
    {members}
    [primary]
    command = "sleep inf"
    after = []
    """
    with up(tmp_path, manifest, "prlimit", "--nofile=32:32") as group:
        group.read_until(r"could not be started: .*EMFILE|Too many open files")
        assert group.stop() in (0, 137)
        assert not group.processes()
        assert "internal error" not in group.said


@pytest.mark.parametrize("limit", [8, 12, 14, 15, 16, 18, 20, 24])
def test_too_few_descriptors_to_live_on_end_it_with_a_word(tmp_path: Path, limit: int) -> None:
    manifest = """
    [primary]
    command = "false"
    on_failure = "teardown"
    """
    with up(tmp_path, manifest, "prlimit", f"--nofile={limit}:{limit}") as group:
        assert group.wait() in (1, 70, 71, 73, 126)
        assert "Too many open files" in group.said or "exited with 1" in group.said
        assert "Traceback" not in group.said.partition("Exception ignored")[0]  # asyncio's own
        assert not group.processes()


FAULTS = {
    "ENOENT": ("rm program", "no such file"),
    "EACCES": ("chmod 600 program", "it has no execute permission"),
    "ENOEXEC": ("echo nonsense >program", "ENOEXEC"),
    "ELOOP": ("rm program; ln -s program program", "Too many levels of symbolic links"),
    "interpreter": ("echo '#!/none/such' >program", "/none/such"),
    "EISDIR": ("rm program; mkdir program", "it is a folder"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_spawn_that_fails_is_a_failed_attempt_with_a_reason(tmp_path: Path, fault: str) -> None:
    """An init breaks the program; the sidecar that is tried again and again says why."""
    script, said = FAULTS[fault]
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexec sleep inf\n")
    program.chmod(0o755)
    manifest = f"""
    restart = {{ initial = "20ms" }}
    [init.break]
    command = ["sh", "-c", '''{script}''']
    [sidecars.side]
    command = "./program"
    on_failure = "restart"
    [primary]
    command = "sleep inf"
    after = []
    """
    with up(tmp_path, manifest) as group:
        for _ in range(3):
            line = group.read_until("side could not be started: .*")[0]
            assert said in line
            assert "pairvisor.toml:" in line
        mended = tmp_path / "mended"
        mended.write_text("#!/bin/sh\nexec sleep inf\n")
        mended.chmod(0o755)
        if program.is_dir():
            program.rmdir()
        mended.rename(program)
        group.read_until("side is ready")
        assert group.stop() == 0


def test_a_spawn_that_fails_for_good_ends_the_group(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    manifest = """
    restart = { limit = 1, initial = "10ms" }
    [init.break]
    command = "rm -f program"
    [primary]
    command = "./program"
    """
    with up(tmp_path, manifest) as group:
        assert group.wait() == 126
        assert "gave up after 1 restart " in group.said.splitlines()[-1]


def test_a_program_that_is_being_written_is_busy(tmp_path: Path) -> None:
    program = tmp_path / "program"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    children = Children("run")
    with program.open("r+b"), pytest.raises(SpawnError, match="ETXTBSY"):
        children.spawn("m", Command((str(program), "9"), ENV), OUTPUT, lambda _: None)
    assert kernel.children_of(os.getpid()) == []


def test_too_large_an_environment(tmp_path: Path) -> None:
    manifest = """
    restart = { initial = "20ms" }
    [primary]
    command = ["sh", "-c", "exit 0"]
    env = { HUGE = "%s" }
    on_failure = "teardown"
    """ % ("x" * 200_000)
    with up(tmp_path, manifest) as group:
        assert group.wait() == 126
        assert "E2BIG" in group.said


def test_a_working_dir_that_vanished(tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    manifest = """
    restart = { initial = "20ms" }
    [init.break]
    command = "rmdir place"
    [primary]
    command = "sleep inf"
    working_dir = "place"
    """
    with up(tmp_path, manifest) as group:
        line = group.read_until("primary could not be started: .*")[0]
        assert f'cannot enter the folder "{tmp_path}/place"' in line
        (tmp_path / "place").mkdir()
        group.read_until("init break|group test starts again")


@pytest.mark.parametrize("fault", ["EAGAIN", "ENOMEM"])
def test_a_kernel_without_room_for_a_process(tmp_path: Path, fault: str) -> None:
    strace = shutil.which("strace")
    if strace is None or os.geteuid():
        pytest.skip("needs root and strace: apt-get install strace")
    manifest = """
    restart = { initial = "20ms" }
    [sidecars.side]
    command = "sleep inf"
    on_failure = "restart"
    [primary]
    command = "sleep inf"
    """
    with up(tmp_path, manifest) as group:
        group.read_until("group test is ready")
        inject = f"inject=clone,clone3,fork,vfork:error={fault}:when=1..3"
        words = [strace, "-p", str(group.supervisor), "-o", "/dev/null", "-e", inject]
        with Popen(words, stderr=PIPE) as tracer:
            assert tracer.stderr is not None
            assert b"attached" in tracer.stderr.readline()
            group.kill("side")
            assert fault in group.read_until("side could not be started: .*")[0]
            group.read_until("side is ready")
            assert group.stop() == 0


def test_a_child_starts_with_a_clean_state(tmp_path: Path) -> None:
    """Whatever pairvisor was started with: members, hooks and probes get none of it."""
    show = tmp_path / "show.sh"
    show.write_text("exec >$1 2>&1; ls -l /proc/$$/fd; echo cwd $(pwd); env\n")
    given = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(given, True)

    def spoil() -> None:
        os.umask(0)
        for signum in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE):
            signal.signal(signum, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM})

    # A shell would put its own signals in order first: status is read by a program that doesn't.
    manifest = f"""
    [init.status]
    command = ["cp", "/proc/self/status", "{tmp_path}/main.status"]
    [sidecars.status-too]
    command = "sleep inf"
    hooks = {{ post_start = ["cp", "/proc/self/status", "{tmp_path}/hook.status"] }}
    ready = {{ exec = ["cp", "/proc/self/status", "{tmp_path}/probe.status"] }}
    [primary]
    command = ["sh", "-c", "sh {show} {tmp_path}/main; echo up; exec sleep inf"]
    hooks = {{ post_start = ["sh", "{show}", "{tmp_path}/hook"] }}
    ready = {{ exec = ["sh", "{show}", "{tmp_path}/probe"] }}
    """
    leaks = {
        "NOTIFY_SOCKET": "/none",
        "LISTEN_FDS": "1",
        "LISTEN_PID": "1",
        "WATCHDOG_USEC": "5",
        "CREDENTIALS_DIRECTORY": "/none",
        "JOURNAL_STREAM": "8:1",
        "INVOCATION_ID": "x",
    }
    how = {"pass_fds": (given,), "preexec_fn": spoil}
    with up(tmp_path, manifest, how=how, **leaks) as group:
        group.read_all("up$", "group test is ready")
        for name in ("main", "hook", "probe"):
            seen = (tmp_path / name).read_text()
            status = (tmp_path / f"{name}.status").read_text()
            assert "SigBlk:\t0000000000000000" in status, name
            # glibc's posix_spawn ignores its two own signals, 32 and 33; pthread_create undoes it.
            ignored = re.search(r"SigIgn:\s+(\w+)", status)
            assert ignored is not None
            assert int(ignored[1], 16) & ~(3 << 31) == 0, name
            assert "Umask:\t0022" in status, name
            fds = [line.split()[8] for line in seen.splitlines() if " -> " in line]
            assert set(fds) <= {"0", "1", "2", "10"}, (name, fds)  # 10 is dash's own script
            assert "0 -> /dev/null" in seen, name
            assert f"cwd {tmp_path}" in seen, name
            assert not [leak for leak in leaks if f"\n{leak}=" in seen], name
            assert "PAIRVISOR_MEMBER=primary" in seen, name
        assert group.stop() == 0
    os.close(given)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_descriptors_that_are_closed_at_start(tmp_path: Path, closed: str) -> None:
    manifest = f"""
    [primary]
    command = ["sh", "-c", "ls -l /proc/self/fd >{tmp_path}/seen; exec sleep inf"]
    """
    with up(tmp_path, manifest, "sh", "-c", f'exec "$@" {closed}', "sh") as group:
        eventually(lambda: (tmp_path / "seen").exists() and (tmp_path / "seen").read_text())
        seen = (tmp_path / "seen").read_text()
        assert "0 -> /dev/null" in seen
        assert "2 -> pipe:" in seen
        assert stat.S_ISDIR(group.run.stat().st_mode)
        group.signal(signal.SIGTERM)
        assert group.popen.wait(20) == 0
        assert not group.processes()
