"""Rotated files, and what others do to them meanwhile.

| fault | test |
| --- | --- |
| ENOSPC, EROFS | test_a_full_disk_*, test_a_disk_that_can_only_be_read |
| a file removed, moved, truncated, its folder gone | test_what_others_do_*, …cut_off_* |
| its path a folder, a link, a FIFO | test_what_others_put_in_its_place_is_said |
| a folder in which nothing can be renamed | test_one_that_can_not_be_rotated_* |
| a process that compresses is killed | test_a_compression_that_fails |
"""

import gzip
import os
import shutil
import stat
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairvisor.manifest.group import Compression, LogFile
from pairvisor.runtime.logs.file import LONGEST_LINE, File
from pairvisor.runtime.logs.outlet import Account, Compress, Lost, Trouble
from tests.process.pumping import Keeping
from tests.support import needs_mount, tmpfs

LIMIT = 1 << 20


class Log:
    """A file that lines are put into."""

    def __init__(self, folder: Path, **spec: Any) -> None:
        self.path = folder / "app.log"
        self.keeping = Keeping()
        self.file = File(LogFile(str(self.path), **spec), "app", str(folder), self.keeping)
        self.account = Account("app", LIMIT, drops=False)

    def put(self, data: bytes) -> None:
        self.file.put(self.account, data)

    def older(self) -> list[str]:
        return sorted(p.name.removeprefix("app.log") for p in self.path.parent.glob("app.log.*"))

    def all(self) -> bytes:
        """What is in all the files, the oldest first."""
        numbers = sorted((int(suffix[1:]) for suffix in self.older()), reverse=True)
        files = [Path(f"{self.path}.{number}") for number in numbers]
        return b"".join(p.read_bytes() for p in (*files, self.path) if p.exists())

    @property
    def troubles(self) -> list[str]:
        return [fact.why for fact in self.keeping.facts if isinstance(fact, Trouble)]

    def try_again(self) -> None:
        assert self.file.retry_at < float("inf")
        self.file.flush()


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path, max_size=100, keep=3)


def test_it_ends_with_a_line_and_is_no_longer_than_it_may_be(log: Log) -> None:
    for number in range(30):
        log.put(b"%03d" % number + b"x" * 26 + b"\n")
    assert log.older() == [".1", ".2", ".3"]
    for file in log.path.parent.iterdir():
        assert file.stat().st_size == 90
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert log.path.read_bytes().splitlines()[-1].startswith(b"029")


def test_many_lines_at_once_are_parted_between_lines(log: Log) -> None:
    log.put(b"x" * 29 + b"\n")
    log.put(b"".join(b"%02d\n" % number for number in range(90)))
    sizes = [p.stat().st_size for p in sorted(log.path.parent.iterdir())]
    assert max(sizes) <= 100
    assert log.all().endswith(b"88\n89\n")
    assert all(p.read_bytes().endswith(b"\n") for p in log.path.parent.iterdir())


def test_a_line_that_is_longer_than_a_file_is_kept_whole(log: Log) -> None:
    log.put(b"short\n")
    log.put(b"l" * 500)
    log.put(b"ong\n")
    log.put(b"next\n")
    assert Path(f"{log.path}.1").read_bytes() == b"l" * 500 + b"ong\n"
    assert log.path.read_bytes() == b"next\n"


def test_one_without_any_end_is_not(log: Log) -> None:
    for _ in range(40):
        log.put(b"x" * 5000)
    assert len(log.older()) >= 2
    assert max(p.stat().st_size for p in log.path.parent.iterdir()) <= LONGEST_LINE + 5000 + 100


def test_without_a_limit_it_grows(tmp_path: Path) -> None:
    log = Log(tmp_path, max_size=0)
    log.put(b"line\n" * 1000)
    log.put(b"line\n" * 1000)
    assert log.path.stat().st_size == 10_000
    assert log.older() == []


def test_none_is_kept(tmp_path: Path) -> None:
    log = Log(tmp_path, max_size=10, keep=0)
    for number in range(20):
        log.put(b"%08d\n" % number)
    assert (log.older(), log.path.read_bytes()) == ([], b"00000019\n")


def test_it_goes_on_where_another_supervisor_ended(log: Log) -> None:
    log.put(b"x" * 60 + b"\n")
    again = Log(log.path.parent, max_size=100, keep=3)
    again.put(b"y" * 60 + b"\n")
    assert again.older() == [".1"]


def test_older_ones_that_nobody_keeps_any_more_go(log: Log) -> None:
    for number in (1, 2, 3, 4, 9):
        Path(f"{log.path}.{number}").write_text(str(number))
    Path(f"{log.path}.old").touch()
    log.put(b"x" * 60 + b"\n")
    log.put(b"y" * 60 + b"\n")
    assert log.older() == [".1", ".2", ".3", ".old"]
    assert Path(f"{log.path}.3").read_text() == "2"


LINES = st.lists(
    st.lists(st.integers(0, 150), min_size=1, max_size=5).map(
        lambda lengths: b"".join(b"%d" % (n % 10) * n + b"\n" for n in lengths)
    ),
    max_size=30,
)


@given(LINES, st.integers(0, 200))
@settings(deadline=None, max_examples=50)
def test_all_files_together_are_what_was_put(pieces: list[bytes], size: int) -> None:
    with TemporaryDirectory() as folder:
        log = Log(Path(folder), max_size=size, keep=10_000)
        for piece in pieces:
            log.put(piece)
        assert log.all() == b"".join(pieces)
        assert log.account.pending == 0
        log.file.close()


def remove(log: Log) -> None:
    log.path.unlink()


def move(log: Log) -> None:
    log.path.rename(f"{log.path}.moved")


def replace(log: Log) -> None:
    move(log)
    log.path.touch()


def remove_its_folder(log: Log) -> None:
    shutil.rmtree(log.path.parent)


@pytest.mark.parametrize("do", [remove, move, replace, remove_its_folder])
def test_what_others_do_to_it_is_noticed_at_the_next_line(log: Log, do: Any) -> None:
    log.put(b"one\n")
    do(log)
    log.put(b"two\n")
    assert log.path.read_bytes() == b"two\n"
    assert log.troubles == []


def test_what_others_cut_off_counts_no_more(log: Log) -> None:
    """As logrotate's copytruncate does."""
    log.put(b"x" * 89 + b"\n")
    os.truncate(log.path, 0)
    log.put(b"y" * 49 + b"\n")
    assert log.older() == []
    assert log.path.read_bytes() == b"y" * 49 + b"\n"


def a_folder(path: Path) -> None:
    path.mkdir()


def a_fifo(path: Path) -> None:
    os.mkfifo(path)


def a_link(path: Path) -> None:
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("make", "why"),
    [(a_folder, "Is a directory"), (a_fifo, "No such device or address"), (a_link, "it is a link")],
)
def test_what_others_put_in_its_place_is_said(log: Log, make: Any, why: str) -> None:
    log.put(b"one\n")
    log.path.unlink()
    make(log.path)
    log.put(b"two\n")
    log.put(b"three\n")
    assert log.troubles == [why]
    assert not (log.path.parent / "elsewhere").exists()
    log.path.rmdir() if log.path.is_dir() else log.path.unlink()
    log.try_again()
    assert log.troubles == [why, ""]
    assert log.path.read_bytes() == b"two\nthree\n"


def test_one_that_can_not_be_rotated_goes_on(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    log.put(b"x" * 89 + b"\n")
    monkeypatch.setattr(os, "rename", refuse)
    for _ in range(5):
        log.put(b"y" * 19 + b"\n")
    assert log.path.stat().st_size == 190
    assert log.troubles == ["cannot be rotated: Permission denied"]
    monkeypatch.undo()
    log.file._rotate_after = 0.5
    log.put(b"z\n")
    assert log.troubles[1:] == [""]
    assert log.path.read_bytes() == b"z\n"


@needs_mount
def test_a_full_disk_keeps_lines_until_there_is_room(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "64k") as disk:
        filler = disk / "filler"
        filler.write_bytes(b"x" * 40_000)
        log = Log(disk, max_size=0)
        wanted = [b"%05d" % number + b"x" * 94 + b"\n" for number in range(500)]
        for line in wanted:
            log.put(line)
        assert log.troubles == ["No space left on device"]
        assert log.account.pending > 0
        log.try_again()
        assert log.troubles == ["No space left on device"]
        filler.unlink()
        log.try_again()
        assert log.troubles == ["No space left on device", ""]
        assert log.path.read_bytes() == b"".join(wanted)
        log.file.close()


@needs_mount
def test_a_full_disk_holds_up_nobody_where_that_is_set(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "64k") as disk:
        log = Log(disk, max_size=0)
        log.account.drops, log.account.limit = True, 10_000
        put = 0
        while not log.file.refuses(log.account):
            log.put(b"%05d" % put + b"x" * 94 + b"\n")
            put += 1
        assert not log.file.is_full(log.account)
        log.file.abandon()
        (lost,) = [fact for fact in log.keeping.facts if isinstance(fact, Lost)]
        assert lost.lines + log.path.read_bytes().count(b"\n") == put
        log.file.close()


@needs_mount
def test_a_disk_that_can_only_be_read(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "1m") as disk:
        log = Log(disk, max_size=0)
        log.put(b"one\n")
        log.file.close()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        log.put(b"two\n")
        assert log.troubles == ["Read-only file system"]
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        log.try_again()
        assert log.path.read_bytes() == b"one\ntwo\n"
        log.file.close()


class Compressing(Log):
    """What it wants compressed waits in `wanted`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, max_size=100, keep=3, compress=Compression.GZIP)

    @property
    def wanted(self) -> list[Compress]:
        return [fact for fact in self.keeping.facts if isinstance(fact, Compress)]

    def rotate(self, letter: str) -> None:
        self.put(letter.encode() * 98 + b"\n")

    def compress(self, index: int, *, fails: bool = False) -> None:
        one = self.wanted[index]
        subprocess.run([one.program, "-c"], stdin=one.source, stdout=one.target, check=True)
        os.close(one.source)
        os.close(one.target)
        one.done(not fails)


def test_older_files_are_compressed_one_by_one(tmp_path: Path) -> None:
    log = Compressing(tmp_path)
    log.rotate("a")
    log.rotate("b")
    assert len(log.wanted) == 1
    log.compress(0)
    assert log.older() == [".1.gz"]
    assert gzip.decompress(Path(f"{log.path}.1.gz").read_bytes()) == b"a" * 98 + b"\n"
    log.rotate("c")
    assert log.older() == [".1", ".2.gz"]


def test_one_that_has_moved_on_meanwhile_is_found(tmp_path: Path) -> None:
    log = Compressing(tmp_path)
    for letter in "abc":
        log.rotate(letter)
    log.compress(0)
    assert log.older() == [".1", ".2.gz"]
    assert len(log.wanted) == 2
    log.compress(1)
    assert log.older() == [".1.gz", ".2.gz"]


def test_one_that_is_too_old_by_then_is_gone(tmp_path: Path) -> None:
    log = Compressing(tmp_path)
    for letter in "abcdefg":
        log.rotate(letter)
    log.compress(0)
    assert log.older() == [".1", ".2", ".3"]
    log.compress(1)
    assert log.older() == [".1", ".2", ".3.gz"]


def test_a_compression_that_fails(tmp_path: Path) -> None:
    log = Compressing(tmp_path)
    log.rotate("a")
    log.rotate("b")
    log.compress(0, fails=True)
    assert log.older() == [".1"]
    assert not list(tmp_path.glob(".*"))
    log.rotate("c")
    log.compress(1)
    assert gzip.decompress(Path(f"{log.path}.2.gz").read_bytes())[:1] == b"a"
