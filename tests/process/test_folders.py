"""The group's folders: one instance, and nothing that a member leaves in them does harm.

| fault | test |
| --- | --- |
| 20 starts of one group at once | test_of_many_starts_at_once_one_wins |
| a claim meets the release before it | test_a_claim_that_meets_a_release_gets_the_lock_or_a_word |
| stale sockets, a stranger's live one | test_only_sockets_on_which_nobody_listens_are_removed |
| symlinks in shared folders, swapped while working | test_links_*, test_a_folder_that_* |
| a deep tree, folders without permissions | test_a_deep_tree_* , test_folders_that_may_not_* |
| sockets folder removed by a member | test_a_member_that_removes_the_shared_folders |
| runtime folder of another user | test_a_runtime_folder_of_another_user_is_refused |
"""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pairvisor.manifest.group import Places
from pairvisor.runtime import kernel, removal
from pairvisor.runtime.folders import AlreadyRunningError, Folders
from tests.support import eventually, gone, up

SLEEPER = """
[primary]
command = "sleep inf"
"""
DEEP = (
    "import os\n"
    "for _ in range(2000): os.mkdir('d'); os.chdir('d')\n"
    "open('file', 'w').close()\n"
    "os.execlp('sh', 'sh', '-c', 'echo deep; exec sleep inf')\n"
)


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, removal.FOLDER)
    yield descriptor
    os.close(descriptor)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_the_folders_have_their_modes_and_are_gone_at_the_end(tmp_path: Path) -> None:
    with up(tmp_path, SLEEPER) as group:
        group.read_until("is ready")
        run = group.run
        modes = {name: mode(run / name) for name in ("", "sockets", "volume", "notify", "lock")}
        assert modes == {
            "": 0o750,
            "sockets": 0o2770,
            "volume": 0o2770,
            "notify": 0o700,
            "lock": 0o600,
        }
        assert group.stop() == 0
        assert not run.exists()


def test_of_many_starts_at_once_one_wins(tmp_path: Path) -> None:
    with up(tmp_path, SLEEPER) as first:
        first.read_until("is ready")
        assert first.stop() == 0
        words = [sys.executable, "-m", "pairvisor", "up", "-f", first.manifest.name]
        rivals = [
            subprocess.Popen(
                words, cwd=tmp_path, env=first.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            for _ in range(20)
        ]

        def over() -> list[int]:
            return [code for rival in rivals if (code := rival.poll()) is not None]

        eventually(lambda: len(over()) >= 19, within=60)
        assert over() == [75] * 19
        eventually(lambda: len(first.processes("primary")) == 1)
        winner = next(rival for rival in rivals if rival.poll() is None)
        winner.terminate()
        assert winner.wait(20) == 0
        said = [rival.communicate()[1] for rival in rivals]
        assert sum(b"group test is running already" in text for text in said) == 19


def test_a_claim_that_meets_a_release_gets_the_lock_or_a_word(tmp_path: Path) -> None:
    places = Places(run=str(tmp_path / "groups" / "one"), state=str(tmp_path / "state"))
    inside, wins = threading.Lock(), [0] * 4
    faults: list[BaseException] = []

    def live(number: int) -> None:
        try:
            while wins[number] < 40:
                folders = Folders(places)
                try:
                    folders.claim()
                except AlreadyRunningError:
                    continue
                if not inside.acquire(blocking=False):
                    faults.append(AssertionError("two have the lock"))
                else:
                    inside.release()
                wins[number] += 1
                folders.release()
        except BaseException as error:
            faults.append(error)
            raise

    threads = [threading.Thread(target=live, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert not Path(places.run).exists()


def test_the_first_groups_of_all_may_start_at_once(tmp_path: Path) -> None:
    """The folder of all groups is made by one of them, whichever is first."""
    parent, faults = tmp_path / "groups", list[OSError]()
    barrier = threading.Barrier(4)

    def live(number: int) -> None:
        folders = Folders(Places(run=str(parent / str(number)), state=str(tmp_path / "state")))
        for _ in range(50):
            barrier.wait()
            try:
                folders.claim()
                folders.release()
            except OSError as error:
                faults.append(error)
            if barrier.wait() == 0:
                parent.rmdir()

    threads = [threading.Thread(target=live, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults


def test_only_sockets_on_which_nobody_listens_are_removed(tmp_path: Path) -> None:
    """The primary of the second round finds what the first left, less what is dead."""
    program = (
        "import os, socket, sys\n"
        "sockets = os.environ['PAIRVISOR_SOCKETS']\n"
        "print('found', *sorted(os.listdir(sockets)), flush=True)\n"
        "for kind in ('STREAM', 'DGRAM', 'SEQPACKET'):\n"
        "    with socket.socket(socket.AF_UNIX, getattr(socket, 'SOCK_' + kind)) as one:\n"
        "        one.bind(f'{sockets}/dead-{kind}')\n"
        "with open(f'{sockets}/file', 'w'): pass\n"
        "print('made', flush=True)\n"
        "sys.stdin.read() if os.environ['PAIRVISOR_RESTARTS'] == '1' else None\n"
        "os.execlp('sleep', 'sleep', 'inf')\n"
    )
    path = tmp_path / "binds.py"
    path.write_text(program)
    manifest = f"""
    [primary]
    command = ["{sys.executable}", "{path}"]
    """
    with up(tmp_path, manifest) as group, socket.socket(socket.AF_UNIX) as stranger:
        group.read_until("found$")
        group.read_until("made$")
        os.chdir(group.run / "sockets")  # for a short name
        try:
            stranger.bind("alive")
        finally:
            os.chdir(Path(__file__).parent)
        stranger.listen()
        group.kill("primary")
        group.read_until("found alive file$")


def test_links_in_the_volume_lead_nowhere_on_removal(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("kept")
    manifest = f"""
    [primary]
    command = ["sh", "-c", '''
        cd $PAIRVISOR_VOLUME
        ln -s {precious} link; ln -s {precious}/file file; ln -s / root; mkdir -p a/b
        ln -s {precious} a/b/link; cd ..
        mv sockets sockets.old; ln -s {precious} sockets
        echo linked; exec sleep inf''']
    """
    with up(tmp_path, manifest) as group:
        group.read_until("linked$")
        run = group.run
        assert group.stop() == 0
        assert not run.exists()
    assert (precious / "file").read_text() == "kept"


def test_a_folder_that_is_swapped_for_a_link_meanwhile_leads_nowhere(tmp_path: Path) -> None:
    precious, top = tmp_path / "precious", tmp_path / "top"
    (precious / "in").mkdir(parents=True)
    (precious / "file").write_text("kept")
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            for path in (top / "x", top / "y/x"):
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.mkdir(exist_ok=True)
                    path.rename(f"{path}-")
                    path.symlink_to(precious)
                    path.unlink()
                except OSError:
                    pass

    top.mkdir()
    swapper = threading.Thread(target=swap)
    swapper.start()
    with opened(top) as folder:
        for _ in range(300):
            removal.clear(folder)
    over.set()
    swapper.join()
    assert (precious / "file").read_text() == "kept"
    assert (precious / "in").is_dir()


def test_a_deep_tree_breaks_neither_the_guards_end_nor_the_groups(tmp_path: Path) -> None:
    (tmp_path / "deep.py").write_text(DEEP)
    manifest = f"""
    [primary]
    command = ["{sys.executable}", "{tmp_path}/deep.py"]
    working_dir = "${{volume}}"
    """
    with up(tmp_path, manifest) as group:
        group.read_until("deep$")
        left = group.run
        os.kill(group.supervisor, signal.SIGKILL)
        gone(group.guard)
    assert not left.exists()
    with up(tmp_path, manifest) as group:
        group.read_until("deep$")
        assert group.stop() == 0
        assert not left.exists()


def test_a_folder_on_another_device_is_let_be_and_put_aside(tmp_path: Path) -> None:
    mount = shutil.which("mount")
    if os.geteuid() or mount is None:
        pytest.skip("needs root and mount")
    run = tmp_path / "groups" / "one"
    folders = Folders(Places(run=str(run), state=str(tmp_path / "state")))
    folders.claim()
    inner = run / "volume" / "inner"
    inner.mkdir()
    mounted = subprocess.run([mount, "-t", "tmpfs", "none", inner], check=False)
    if mounted.returncode:
        pytest.skip("needs the right to mount")
    try:
        (inner / "file").write_text("kept")
        folders.release()
        again = Folders(Places(run=str(run), state=str(tmp_path / "state")))
        again.claim()
        assert [p.read_text() for p in run.glob("left-*/inner/file")] == ["kept"]
        assert mode(run / "volume") == 0o2770
    finally:
        for place in run.glob("*/inner"):
            subprocess.run(["umount", place], check=True)
    again.release()
    assert not run.exists()


def test_folders_that_may_not_be_entered_are_removed_all_the_same(tmp_path: Path) -> None:
    top = tmp_path / "top"
    for name in ("shut", "open/shut"):
        (top / name / "in").mkdir(parents=True)
        (top / name / "in" / "file").touch()
        (top / name / "in").chmod(0o500)
        (top / name).chmod(0)
    remains: list[str] = []
    pid = os.fork() if os.geteuid() == 0 else 0
    if pid == 0 and os.geteuid() == 0:
        _clear_as_nobody(top)
    if pid:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    else:
        with opened(top) as folder:
            remains = removal.clear(folder)
    assert not remains


def _clear_as_nobody(top: Path) -> None:
    status = 1
    try:
        for path in (top, *top.rglob("*")):
            os.chown(path, 65534, 65534)
        folder = os.open(top, removal.FOLDER)
        os.setresuid(65534, 65534, 65534)
        kernel._prctl(4, 1)  # PR_SET_DUMPABLE: else /proc/self would still be root's
        status = len(removal.clear(folder))
    finally:
        os._exit(status)


def test_a_member_that_removes_the_shared_folders(tmp_path: Path) -> None:
    """It harms itself; the group is run on, and restarted, and ends well."""
    manifest = """
    [sidecars.side]
    command = "sleep inf"
    on_failure = "restart"
    [primary]
    command = ["sh", "-c", "rm -r $PAIRVISOR_SOCKETS $PAIRVISOR_VOLUME; echo removed; sleep inf"]
    """
    with up(tmp_path, manifest) as group:
        group.read_until("removed$")
        group.kill("side")
        group.read_until("side is ready")
        group.kill("primary")
        group.read_until("group test is ready")
        shutil.rmtree(group.run)
        assert group.stop() == 0


def test_a_runtime_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("needs root, to give a folder to another user")
    run = tmp_path / "xdg" / "pairvisor" / "test"
    run.mkdir(parents=True, mode=0o755)
    os.chown(run, 65534, 65534)
    with up(tmp_path, SLEEPER) as group:
        assert group.wait() == 73
        assert f"{run} is another user's" in group.said
        assert "remove it, unless a group runs there" in group.said
        assert not any(run.iterdir())
