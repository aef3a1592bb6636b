"""`pairvisor exec` in a group that runs, on pipes and on a terminal.

| fault | test |
| --- | --- |
| the client is killed | test_a_client_that_is_killed_leaves_nothing |
| its terminal is closed | test_a_terminal_that_is_closed_leaves_nothing |
| the client ends by a signal, or its connection breaks | test_the_terminal_is_restored_* |
| the terminal takes nothing | test_a_terminal_that_takes_nothing_* |
| the member ends meanwhile | test_a_command_ends_with_its_member |
| the member does not run | test_a_member_that_does_not_run_* |
| no such program, member, group | test_exit_codes |
| 100 MB in, 100 MB out | test_100_mb_* |
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pairvisor.api.client import Client
from pairvisor.runtime import kernel
from tests.cli.terminal import CTRL_C, Terminal
from tests.process.leash import leash
from tests.support import WITHIN, Up, can_be_nobody, eventually, gone, up

MANIFEST = """
    [init.prepare]
    command = "true"
    env = { COLOUR = "red" }
    [primary]
    command = "sleep inf"
    env = { COLOUR = "blue" }
    working_dir = "/"
"""
EXEC = [sys.executable, "-m", "pairvisor", "exec"]
CTRL_Z = b"\x1a"
# A shell's own loop may be stopped between vfork and exec: then it can't be seen to be stopped.
JOB = """
import signal
signal.signal(signal.SIGCONT, lambda *_: print("again", flush=True))
print("up", flush=True)
while True:
    signal.pause()
"""
MEGABYTES = 100 << 20


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Up]:
    with up(tmp_path, MANIFEST) as running:
        running.read_until("group test is ready")
        yield running


def client(group: Up, *words: str, **how: Any) -> subprocess.Popen[bytes]:
    usual = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    where: dict[str, Any] = {"cwd": group.manifest.parent, "env": group.env}
    return subprocess.Popen([*EXEC, *words], **(where | usual | how))


def execute(group: Up, *words: str, given: bytes = b"") -> tuple[int, str, str]:
    """The exit code, what came by stdout, and by stderr."""
    popen = client(group, *words, stdin=subprocess.PIPE)
    out, err = popen.communicate(given, WITHIN)
    return popen.returncode, out.decode(), err.decode()


def test_it_reads_and_writes_what_the_client_was_given(group: Up) -> None:
    script = "echo $COLOUR; pwd; cat; echo oops >&2; exit 7"
    assert execute(group, "primary", "--", "sh", "-c", script, given=b"hello\n") == (
        7,
        "blue\n/\nhello\n",
        "oops\n",
    )


def test_a_member_that_does_not_run_has_its_environment(group: Up) -> None:
    assert execute(group, "prepare", "sh", "-c", "echo $COLOUR") == (0, "red\n", "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("primary", "true"), 0, ""),
        (("primary", "--", "sh", "-c", "exit 3"), 3, ""),
        (("primary", "--", "sh", "-c", "kill -TERM $$"), 143, ""),
        (("primary", "no-such-program"), 127, 'cannot run "no-such-program": not found in PATH'),
        (("primary", "/etc/passwd"), 126, 'cannot run "/etc/passwd": it has no execute permis'),
        (("nobody", "true"), 2, "nobody"),
        (("primary", "--"), 2, "which command?"),
        (("-g", "other", "primary", "true"), 69, 'no group "other" is running'),
    ],
)
def test_exit_codes(group: Up, words: tuple[str, ...], code: int, said: str) -> None:
    assert execute(group, *words)[0] == code
    assert said in execute(group, *words)[2]


def test_100_mb_through_a_pipe(group: Up) -> None:
    with client(group, "primary", "head", "-c", str(MEGABYTES), "/dev/zero") as popen:
        assert popen.stdout is not None
        count = 0
        while piece := popen.stdout.read(1 << 20):
            count += len(piece)
    assert (popen.returncode, count) == (0, MEGABYTES)


def test_100_mb_from_a_file(group: Up, tmp_path: Path) -> None:
    with (tmp_path / "large").open("w+b") as large:
        large.truncate(MEGABYTES)
        with client(group, "primary", "wc", "-c", stdin=large) as popen:
            assert popen.communicate(timeout=WITHIN)[0] == b"%d\n" % MEGABYTES


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_client_that_is_killed_leaves_nothing(group: Up, tmp_path: Path, signum: int) -> None:
    with leash(tmp_path) as held:
        script = f"exec 9>{held.path}; (setsid sleep inf &); echo up; exec sleep inf"
        with client(group, "primary", "--", "sh", "-c", script) as popen:
            assert popen.stdout is not None
            assert popen.stdout.readline() == b"up\n"
            popen.send_signal(signum)
            assert popen.wait(WITHIN)
            held.let_go()
    assert group.main("primary")


def test_a_client_that_goes_at_once_leaves_nothing_open(group: Up) -> None:
    def opened() -> int:
        return len(os.listdir(f"/proc/{group.supervisor}/fd"))

    control = Client(f"{group.run}/control.sock")
    assert control.status().ready
    before = opened()
    for _ in range(50):
        control.exec("primary", ["sleep", "inf"], descriptors=[0, 1, 2]).close()
    eventually(lambda: opened() <= before)
    eventually(lambda: len(group.processes()) == 1)


def test_what_a_command_leaves_behind_is_killed(group: Up, tmp_path: Path) -> None:
    with leash(tmp_path) as held:
        script = f"exec 9>{held.path}; (setsid sleep inf >/dev/null 2>&1 &)"
        assert execute(group, "primary", "--", "sh", "-c", script)[0] == 0
        held.let_go()


def test_a_command_ends_with_its_member(group: Up) -> None:
    with client(group, "primary", "--", "sh", "-c", "echo up; exec sleep inf") as popen:
        assert popen.stdout is not None
        assert popen.stdout.readline() == b"up\n"
        group.kill("primary")
        assert popen.wait(WITHIN) == 137
        assert popen.stderr is not None
        assert b"primary has ended, and the command with it" in popen.stderr.read()


def test_a_command_ends_with_the_group(group: Up) -> None:
    with client(group, "prepare", "--", "sh", "-c", "echo up; exec sleep inf") as popen:
        assert popen.stdout is not None
        assert popen.stdout.readline() == b"up\n"
        assert group.stop() == 0
        assert popen.wait(WITHIN) == 137


Open = Callable[..., Terminal]


@pytest.fixture
def terminal(group: Up) -> Iterator[Open]:
    """Runs a shell's script on a terminal, in which `exec` is what it should be."""
    opened: list[Terminal] = []

    def run(script: str, columns: int = 100) -> Terminal:
        words = ["sh", "-c", f'pv() {{ {" ".join(EXEC)} primary -- "$@"; }}; {script}']
        environ = group.env | {"TERM": "vt220"}
        opened.append(Terminal(words, group.manifest.parent, environ, columns))
        return opened[-1]

    yield run
    for each in opened:
        each.close()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root, setpriv")
def test_roots_terminal_in_another_users_group() -> None:
    if not can_be_nobody():
        pytest.skip("another user can't run this Python")
    with tempfile.TemporaryDirectory(prefix="pv") as folder:
        # As systemd makes it: the folder of all groups is root's, this one's its user's.
        place = Path(folder, "xdg", "pairvisor", "test")
        place.mkdir(parents=True)
        os.chown(place, 65534, 65534)
        os.chmod(folder, 0o755)
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        home = str(place)
        with up(Path(folder), MANIFEST, *user, HOME=home, RUNTIME_DIRECTORY=home) as group:
            group.read_until("group test is ready")
            words = [*EXEC, "-g", "test", "primary", "sh", "-c", "id -u; tty <&2; exec 3</dev/tty"]
            on = Terminal(words, Path(folder), group.env, 80)
            assert on.wait() == 0
            assert on.screen.startswith("65534\n/dev/pts/")
            on.close()
            assert group.stop() == 0


def client_of(terminal: Terminal) -> int:
    """The shell's one child."""
    path = Path(f"/proc/{terminal.popen.pid}/task/{terminal.popen.pid}/children")
    return int(path.read_text().split()[0])


def test_a_command_has_a_terminal_of_its_own_like_ours(terminal: Open) -> None:
    on = terminal('tty; pv sh -c "tty; stty size; echo \\$TERM \\$COLOUR; exit 5"; echo rc=$?', 77)
    assert on.wait() == 0
    ours, its, size, *rest = on.screen.split()
    assert ours.startswith("/dev/pts/")
    assert its.startswith("/dev/pts/")
    assert ours != its
    assert [size, *rest] == ["50", "77", "vt220", "blue", "rc=5"]


def test_a_new_size_is_passed_on(terminal: Open) -> None:
    on = terminal(
        """pv sh -c 'trap "stty size; exit" WINCH; echo up; while :; do sleep 0.01; done'"""
    )
    on.read_until("up")
    on.resize(33, 44)
    on.read_until("33 44")
    assert on.wait() == 0


def test_ctrl_c_is_the_commands(terminal: Open) -> None:
    script = """trap "echo got it; exit 9" INT; echo up; sleep inf & wait"""
    on = terminal(f"pv sh -c '{script}'; echo rc=$?")
    on.read_until("up")
    on.press(CTRL_C)
    on.read_until("got it")
    on.read_until("rc=9")


def test_an_interactive_shell_has_its_jobs(terminal: Open, tmp_path: Path) -> None:
    job = tmp_path / "job.py"
    job.write_text(JOB)
    if not shutil.which("bash"):
        pytest.skip("needs bash")
    on = terminal("pv bash --norc --noprofile -i; echo rc=$?")
    on.read_until(r"\$ |# ")
    on.press(f"{sys.executable} {job}\r".encode())
    on.read_until("up\r\n")
    on.press(CTRL_Z)
    on.read_until("Stopped")
    on.press(b"fg\r")
    on.read_until("again\r\n")
    on.press(CTRL_C)
    on.press(b"exit 6\r")
    on.read_until("rc=6")
    assert "job control" not in on.screen


def test_a_command_has_the_keys_that_we_have(terminal: Open) -> None:
    on = terminal("stty erase !; pv stty -a")
    on.read_until("erase = !;")


def test_what_is_read_late_is_all_there(terminal: Open, tmp_path: Path) -> None:
    """The command has ended, and the client has what our terminal does not take yet."""
    with leash(tmp_path) as held:
        on = terminal(f"pv sh -c 'exec 9>{held.path}; echo up; exec seq 10000'; echo rc=$?")
        on.read_until("up")
        held.let_go()
    assert on.wait() == 0
    assert on.written.split() == ["up", *map(str, range(1, 10_001)), "rc=0"]


def test_the_last_words_come_before_the_end(terminal: Open, tmp_path: Path) -> None:
    """They and the answer are there at once: the client was stopped meanwhile."""
    with leash(tmp_path) as held:
        wait = f"exec 9>{held.path}; echo up; until test -e {tmp_path}/go; do sleep 0.01; done"
        on = terminal(f"pv sh -c '{wait}; seq 2000; exit 4'; echo rc=$?")
        on.read_until("up")
        pid = client_of(on)
        os.kill(pid, signal.SIGSTOP)
        (tmp_path / "go").touch()
        held.let_go()
        os.kill(pid, signal.SIGCONT)
    assert on.wait() == 0
    assert on.written.split() == ["up", *map(str, range(1, 2001)), "rc=4"]


def test_much_that_is_typed_arrives(terminal: Open) -> None:
    on = terminal("pv sh -c 'stty raw -echo; echo up; head -c 300000 | cksum'")
    on.read_until("up")
    for _ in range(300):
        on.press(b"0123456789" * 100)
    expected = subprocess.run(
        ["cksum"], input=b"0123456789" * 30000, capture_output=True, check=True
    )
    on.read_until(expected.stdout.decode().strip())


def is_raw(modes: list[object]) -> bool:
    flags = modes[3]
    assert isinstance(flags, int)
    return not flags & (termios.ICANON | termios.ECHO | termios.ISIG)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_the_terminal_is_restored_after_a_signal(terminal: Open, signum: int) -> None:
    on = terminal("pv sh -c 'echo up; exec sleep inf'; echo rc=$?; read line")
    before = on.modes
    on.read_until("up")
    assert is_raw(on.modes)
    os.kill(client_of(on), signum)
    on.read_until(f"rc={128 + signum}")
    assert on.modes == before


def test_the_terminal_is_restored_when_the_supervisor_is_killed(group: Up, terminal: Open) -> None:
    on = terminal("pv sh -c 'echo up; exec sleep inf'; echo rc=$?; read line")
    before = on.modes
    on.read_until("up")
    os.kill(group.supervisor, signal.SIGKILL)
    on.read_until("rc=70")
    assert on.modes == before


def test_a_terminal_that_is_closed_leaves_nothing(terminal: Open, tmp_path: Path) -> None:
    with leash(tmp_path) as held:
        on = terminal(
            f"pv sh -c 'exec 9>{held.path}; (setsid sleep inf &); echo up; exec sleep inf'"
        )
        on.read_until("up")
        pid = client_of(on)
        on.hang_up()
        gone(pid)
        held.let_go()


def test_a_terminal_that_takes_nothing_keeps_nobody_from_ending_it(terminal: Open) -> None:
    on = terminal("pv yes")
    on.read_until("y")
    pid = client_of(on)

    ticks: list[int] = []

    def is_full() -> bool:
        """The client has done nothing for 40 looks: it waits."""
        ticks.append(kernel.usage(pid)[0])
        return ticks[-1:] * 40 == ticks[-40:]

    eventually(is_full)
    os.kill(pid, signal.SIGTERM)
    gone(pid)
