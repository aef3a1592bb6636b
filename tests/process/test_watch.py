"""Changed files as people and editors change them, and what is no change."""

import asyncio
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from pairvisor.runtime.interest import Concern
from pairvisor.runtime.watch import Bursts, Seen
from tests.process.watching import Watching, watching
from tests.support import eventually

Way = Callable[[Path], object]


def vim(file: Path) -> None:
    """Vim, 'backupcopy' being "auto": a new file, where the folder allows it."""
    swap = file.with_name(f".{file.name}.swp")
    swap.write_text("swap")
    for name in (".main.py.swx", "4913"):
        file.with_name(name).touch()
        file.with_name(name).unlink()
    backup = file.with_name(f"{file.name}~")
    file.rename(backup)
    file.write_text("new")
    backup.unlink()
    swap.unlink()


def vim_in_place(file: Path) -> None:
    """Vim, 'backupcopy' being "yes"."""
    backup = file.with_name(f"{file.name}~")
    shutil.copy2(file, backup)
    file.write_text("new")
    backup.unlink()


def emacs(file: Path) -> None:
    lock, auto = file.with_name(f".#{file.name}"), file.with_name(f"#{file.name}#")
    lock.symlink_to("user@host.4711:1")
    auto.write_text("new")
    file.rename(file.with_name(f"{file.name}~"))
    file.write_text("new")
    auto.unlink()
    lock.unlink()


def by_rename(temporary: str) -> Way:
    """An atomic save: another file takes the place of this one."""

    def save(file: Path) -> None:
        new = file.with_name(temporary)
        new.write_text("new")
        new.rename(file)

    return save


def jetbrains(file: Path) -> None:
    new, old = (file.with_name(f"{file.name}___jb_{which}___") for which in ("tmp", "old"))
    new.write_text("new")
    file.rename(old)
    new.rename(file)
    old.unlink()


def nano(file: Path) -> None:
    lock = file.with_name(f".{file.name}.swp")
    lock.write_bytes(b"b0nano")
    file.write_text("new")
    lock.unlink()


def append(file: Path) -> None:
    with file.open("a") as log:
        log.write("new")


def program(*words: str) -> Way:
    """The real one, if it is there."""

    def save(file: Path) -> None:
        path = shutil.which(words[0])
        if path is None:
            pytest.skip(f"no {words[0]}")
        usual = {**os.environ, "HOME": str(file.parent.parent), "TERM": "dumb"}
        subprocess.run(
            [path, *words[1:], file.name],
            cwd=file.parent,
            env=usual,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    return save


WAYS = {
    "vim": vim,
    "vim in place": vim_in_place,
    "emacs": emacs,
    "gedit": by_rename(".goutputstream-X1Y2Z3"),
    "sublime": by_rename(".sublX1Y2.tmp"),
    "kate": by_rename("main.py.X1Y2Z3"),
    "vs code": by_rename("main.py.vsctmp"),
    "jetbrains": jetbrains,
    "nano": nano,
    "in place": lambda file: file.write_text("new"),
    "appended to": append,
    "sed -i": program("sed", "-i", "s/old/new/"),
    "the real vim": program(
        "vim", "-u", "NONE", "-i", "NONE", "-N", "-es", "-c", "set swapfile backup", "-c",
        "normal Anew", "-c", "w", "-c", "q",
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("glob", ["src/**/*.py", "src", "src/main.py", "**"])
def test_each_way_of_saving_is_a_change_of_that_file(tmp_path: Path, way: Way, glob: str) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.py").write_text("old")
    with watching(tmp_path, f'"{glob}"') as watched:
        way(tmp_path / "src/main.py")
        watched.until_told("primary", "src/main.py")


@pytest.mark.parametrize("way", [vim, emacs, jetbrains, nano, by_rename(".goutputstream-X1Y2Z3")])
def test_what_editors_leave_beside_a_file_is_nobodys(tmp_path: Path, way: Way) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.py").write_text("old")
    with watching(tmp_path, '"src/**"') as watched:
        way(tmp_path / "src/main.py")
        assert watched.heard() <= {"src/main.py"}


def read(file: Path) -> None:
    file.read_text()
    os.listdir(file.parent)


def close_unwritten(file: Path) -> None:
    os.close(os.open(file, os.O_RDWR | os.O_CREAT))


def cache(file: Path) -> None:
    for folder in ("__pycache__", ".git/objects"):
        (file.parent / folder).mkdir(parents=True)
        (file.parent / folder / "a.py").write_text("x")


def make_and_remove_a_folder(file: Path) -> None:
    (file.parent / "temporary").mkdir()
    (file.parent / "temporary").rmdir()


@pytest.mark.parametrize(
    "way",
    [read, close_unwritten, Path.touch, lambda file: file.chmod(0o755), cache,
     make_and_remove_a_folder],
)  # fmt: skip
def test_no_change(tmp_path: Path, way: Way) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.py").write_text("old")
    with watching(tmp_path) as watched:
        way(tmp_path / "src/main.py")
        assert watched.heard() == set()


def test_folders_that_are_found_twice(tmp_path: Path) -> None:
    """By watchdog: in its walk through one above, and in an event. It warns of that."""
    with watching(tmp_path) as watched:
        for number in range(300):
            (tmp_path / f"src/{number}/deep").mkdir(parents=True)
        assert watched.heard() == set()


def test_files_come_move_and_go(tmp_path: Path) -> None:
    with watching(tmp_path, '"src/**/*.py", "one.toml"') as watched:
        one, two = tmp_path / "src/one.py", tmp_path / "src/deep/er/two.py"
        two.parent.mkdir(parents=True)
        one.touch()
        assert watched.heard() == {"src/one.py"}
        one.rename(two)
        watched.until_told("primary", "src/deep/er/two.py")
        two.with_name("two.txt").touch()
        watched.heard()
        two.rename(tmp_path / "out.py")
        watched.until_told("primary", "src/deep/er/two.py")
        watched.heard()
        (tmp_path / "out.py").rename(one)
        one.unlink()
        assert watched.heard() == {"src/one.py"}
        (tmp_path / "one.toml").touch()
        watched.until_told("primary", "one.toml")


def test_each_hears_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    text = """
        [primary]
        command = "true"
        watch = ["src/*.py", "src/both"]
        [sidecars.a]
        command = "true"
        watch = ["src/*.js", "src/both"]
        """
    watched = Watching(tmp_path, text)
    try:
        watched.until(lambda: watched.looks)
        for name in ("x.py", "x.js", "both", "sub.txt"):
            (tmp_path / "src" / name).write_text("x")
        (tmp_path / "src/sentinel").touch()
        watched.until_told("s", "src/sentinel")
        told = {member for member, _ in watched.changes}
        assert told == {"primary", "a", "s"}
        assert set(watched.changes) <= {
            (member, f"src/{name}")
            for member, name in [("primary", "x.py"), ("primary", "both"), ("a", "x.js"),
                                 ("a", "both"), ("s", "sentinel")]
        }  # fmt: skip
    finally:
        watched.end()


def test_a_folder_that_comes_later(tmp_path: Path) -> None:
    with watching(tmp_path, '"lib/python/**/*.py"') as watched:
        watched.until(lambda: watched.troubles)
        assert watched.troubles[0] == f"nothing to watch at {tmp_path}/lib/python yet"
        new = tmp_path / "lib/python/a/b.py"
        new.parent.mkdir(parents=True)
        new.write_text("x")
        watched.until_told("primary", "lib/python/a/b.py")
        watched.until(lambda: not any("lib" in trouble for trouble in watched.troubles))
        watched.changes.clear()
        new.write_text("y")
        watched.until_told("primary", "lib/python/a/b.py")


def test_a_folder_that_is_replaced(tmp_path: Path) -> None:
    """As `git switch` does it, or a build that puts its result in place at the end."""
    with watching(tmp_path, '"app/**/*.py"') as watched:
        for number in range(3):
            new = tmp_path / f"app{number}"
            (new / "sub").mkdir(parents=True)
            (new / f"{number}.py").touch()
            if (tmp_path / "app").exists():
                (tmp_path / "app").rename(tmp_path / f"old{number}")
            new.rename(tmp_path / "app")
            watched.until_told("primary", f"app/{number}.py")
            (tmp_path / "app/sub/x.py").write_text("x")
            watched.until_told("primary", "app/sub/x.py")
            watched.changes.clear()
        shutil.rmtree(tmp_path / "app")
        watched.until(lambda: watched.troubles and watched.changes)
        (tmp_path / "app").mkdir()
        (tmp_path / "app/y.py").touch()
        watched.until_told("primary", "app/y.py")


def test_a_link_to_a_folder(tmp_path: Path) -> None:
    """It is watched by the link's name, and when it leads elsewhere."""
    for release in "12":
        (tmp_path / release).mkdir()
        (tmp_path / release / "a.py").touch()
    (tmp_path / "current").symlink_to("1")
    with watching(tmp_path, '"current/*.py"') as watched:
        (tmp_path / "1/a.py").write_text("x")
        watched.until_told("primary", "current/a.py")
        watched.changes.clear()
        (tmp_path / "new").symlink_to("2")
        (tmp_path / "new").rename(tmp_path / "current")
        watched.until_told("primary", "current/a.py")
        watched.changes.clear()
        (tmp_path / "2/a.py").write_text("x")
        watched.until_told("primary", "current/a.py")


@pytest.mark.parametrize("way", [vim, vim_in_place, emacs, jetbrains])
def test_the_manifest(tmp_path: Path, way: Way) -> None:
    """Its change is no member's, even where a glob matches it: a reload restarts whom it must."""
    with watching(tmp_path, '"**"') as watched:
        way(tmp_path / "pairvisor.toml")
        watched.until(lambda: watched.reloads)
        assert watched.heard(".") == set()


def test_the_file_behind_a_manifest_that_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/shop.toml").touch()
    (tmp_path / "pairvisor.toml").symlink_to("conf/shop.toml")
    with watching(tmp_path) as watched:
        by_rename("x")(tmp_path / "conf/shop.toml")
        watched.until(lambda: watched.reloads)


def test_other_globs_after_a_reload(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new/x").touch()
    with watching(tmp_path) as watched:
        looks = watched.looks
        watched.watch.update(watched.group('[primary]\ncommand = "true"\nwatch = ["new/*"]\n'))
        watched.until(lambda: watched.looks > looks)
        (tmp_path / "src/a.py").touch()
        assert watched.heard() == set()
        (tmp_path / "new/x").write_text("x")
        watched.until_told("primary", "new/x")


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare (util-linux)")
def test_too_many_folders_are_said(tmp_path: Path) -> None:
    """In a user namespace with a limit of its own: the rest is watched all the same."""
    for number in range(10):
        (tmp_path / f"src/{number}").mkdir(parents=True)
    code = f"""
    from pathlib import Path
    from tests.process.watching import watching
    with watching(Path({str(tmp_path)!r})) as watched:
        watched.until(lambda: watched.troubles)
        print(watched.troubles[0])
        Path({str(tmp_path)!r}, "pairvisor.toml").touch()
        Path({str(tmp_path)!r}, "src/a.py").touch()
        watched.until_told("primary", "src/a.py")
        print("seen")
    """
    limited = 'echo 6 >/proc/sys/user/max_inotify_watches && exec "$@" || exit 99'
    ran = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", limited, "sh", sys.executable, "-c",
         textwrap.dedent(code)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if ran.returncode in (1, 99, 126) and "Traceback" not in ran.stderr:
        pytest.skip(f"no user namespace with limits of its own: {ran.stderr}")
    assert ran.stdout == (
        "cannot watch all folders: inotify watch limit reached (raise the limit: "
        "sysctl fs.inotify.max_user_watches=1048576)\nseen\n"
    ), ran.stderr


def test_a_folder_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read all")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/closed").mkdir(mode=0)
    with watching(tmp_path, '"src/closed/*"') as watched:
        watched.until(lambda: watched.troubles)
        assert watched.troubles[0] == f"cannot watch {tmp_path}/src/closed: Permission denied"


def test_nothing_is_left_and_nothing_said_after_the_end(tmp_path: Path) -> None:
    def mine() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

    before = mine()
    with watching(tmp_path) as watched:
        (tmp_path / "src/a.py").touch()
        assert mine()[1] > before[1]
        inherited = [fd for fd in map(int, os.listdir("/proc/self/fd")) if is_inherited(fd)]
        assert all(fd <= 2 for fd in inherited)
    eventually(lambda: mine() == before)  # a thread that is joined may still be on its way out
    assert watched.changes == []


def is_inherited(descriptor: int) -> bool:
    try:
        return os.get_inheritable(descriptor)
    except OSError:  # the listing's own
        return False


class Timers:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Timers.Timer]] = []

    class Timer(asyncio.TimerHandle):
        def __init__(self, callback: Callable[[], None]) -> None:
            self.callback = callback
            self.is_cancelled = False

        def cancel(self) -> None:
            self.is_cancelled = True

    def call_later(self, delay: float, callback: Callable[[], None]) -> "Timers.Timer":
        self.timers.append((self.now + delay, Timers.Timer(callback)))
        return self.timers[-1][1]

    def pass_to(self, now: float) -> None:
        self.now = now
        due = [timer for at, timer in self.timers if at <= now]
        self.timers = [each for each in self.timers if each[0] > now]
        for timer in due:
            if not timer.is_cancelled:
                timer.callback()


def test_a_burst_is_one_change() -> None:
    clock, told = Timers(), list[tuple[Concern, Seen]]()
    a, b = Concern("a"), Concern("b")
    bursts = Bursts(clock.call_later, lambda *what: told.append(what), 0.2)
    for tenth in range(10):
        clock.pass_to(tenth / 10)
        bursts.note(a, Seen(f"file {tenth}", tenth))
    bursts.note(b, Seen("other", 1))
    clock.pass_to(1.0)
    assert told == []
    clock.pass_to(1.1)
    assert told == [(a, ("file 9", 9)), (b, ("other", 1))]
    bursts.note(a, Seen("again", 2))
    clock.pass_to(2.0)
    assert told[2:] == [(a, ("again", 2))]
    bursts.note(a, Seen("too late", 3))
    bursts.forget()
    clock.pass_to(3.0)
    assert told[3:] == []


def test_watchdog_is_imported_only_to_watch() -> None:
    code = "import pairvisor.cli.foreground, pairvisor.runtime.tasks, sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "watchdog" not in ran.stdout.split()
