"""The journal: a real journald, by itself in a mount namespace with a /run of its own."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process.test_control import ask
from tests.support import Up, eventually, up

PROGRAMS = Path(__file__).parent / "programs"
JOURNALD = "/lib/systemd/systemd-journald"
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can have a journal of its own"),
    pytest.mark.skipif(not os.path.exists(JOURNALD), reason="systemd-journald is missing"),
    pytest.mark.skipif(not shutil.which("unshare"), reason="unshare is missing"),
]
SHOP = """
    [primary]
    name = "web"
    command = ["sh", "-c", "%s"]
    log = { to = "journal" }
    %s
"""


class Journal:
    """`inside` is a command's beginning that lets it see this journal."""

    def __init__(self, folder: Path) -> None:
        hold = "mount --make-rprivate / && mount -t tmpfs none /run && echo && exec sleep 1000"
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", hold], stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        self._holder.stdout.readline()
        self._holder.stdout.close()
        self.inside = ("nsenter", f"--target={self._holder.pid}", "--mount", f"--wd={folder}")
        self._daemon: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Only now there is one."""
        made = [*self.inside, "mkdir", "-p", "/run/systemd/journal", "/run/log/journal"]
        subprocess.run(made, check=True)
        self._daemon = subprocess.Popen([*self.inside, JOURNALD], stderr=subprocess.DEVNULL)
        there = [*self.inside, "test", "-S", "/run/systemd/journal/stdout"]
        eventually(lambda: subprocess.run(there, check=False).returncode == 0)

    def lines(self, identifier: str) -> list[dict[str, Any]]:
        """What it has by now, the oldest first."""
        subprocess.run([*self.inside, "journalctl", "--sync"], check=False, capture_output=True)
        found = subprocess.run(
            [*self.inside, "journalctl", "-t", identifier, "-o", "json", "--all"],
            check=True,
            capture_output=True,
            text=True,
        )
        return [json.loads(line) for line in found.stdout.splitlines()]

    def messages(self, identifier: str) -> list[str]:
        return [line["MESSAGE"] for line in self.lines(identifier)]

    def end(self) -> None:
        for process in filter(None, (self._daemon, self._holder)):
            process.send_signal(signal.SIGKILL)
            process.wait()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path)
    try:
        yield made
    finally:
        made.end()


def logs(group: Up) -> bytes:
    return bytes(ask(group, "/v1/logs")[1])


def test_a_members_lines_are_entries_of_their_own(tmp_path: Path, journal: Journal) -> None:
    journal.begin()
    script = r"echo one; echo '<3>bad' >&2; printf 'a\\0b\\n'; echo; printf last; sleep 1000"
    with up(tmp_path, SHOP % (script, ""), *journal.inside) as group:
        eventually(lambda: len(journal.lines("test/web")) == 4)
        lines = journal.lines("test/web")
        one, bad = lines[0], next(line for line in lines if line["MESSAGE"] == "bad")
        assert (one["MESSAGE"], one["PRIORITY"], one["STREAM"]) == ("one", "6", "stdout")
        assert (one["GROUP"], one["MEMBER"], one["RUN"]) == ("test", "web", "1")
        assert (bad["PRIORITY"], bad["STREAM"]) == ("3", "stderr")
        assert [97, 0, 98] in [line["MESSAGE"] for line in lines]
        assert b"one" in logs(group)
        assert group.stop() == 0
        assert journal.messages("test/web")[-1] == "last"


def test_a_long_line_is_several_entries(tmp_path: Path, journal: Journal) -> None:
    journal.begin()
    script = "head -c 200000 /dev/zero | tr '\\\\0' x; echo; exec sleep 1000"
    with up(tmp_path, SHOP % (script, ""), *journal.inside) as group:
        eventually(lambda: sum(map(len, journal.messages("test/web"))) == 200_000)
        assert group.stop() == 0


def test_lines_wait_for_a_journal_that_is_late(tmp_path: Path, journal: Journal) -> None:
    script = "for i in 1 2 3; do echo $i; done; exec sleep 1000"
    with up(tmp_path, SHOP % (script, ""), *journal.inside) as group:
        group.read_until(r"the journal: No such file or directory")
        assert ask(group, "/v1/status")[1]["degraded"]
        journal.begin()
        group.read_until(r"the journal takes what is written again")
        eventually(lambda: journal.messages("test/web") == ["1", "2", "3"])
        assert not ask(group, "/v1/status")[1]["degraded"]
        assert group.stop() == 0


KILLED = """
    [restart]
    initial = "1ms"
    max = "1ms"
    [primary]
    command = ["{python}", "{programs}/paced.py", "accounts"]
    on_failure = "restart"
    log = {{ to = "journal" }}
"""


@pytest.mark.parametrize("seed", range(3))
def test_the_journal_has_each_line_once_whoever_is_killed(
    tmp_path: Path, journal: Journal, seed: int
) -> None:
    """journald itself drops what is more than 10,000 lines in 30 s."""
    journal.begin()
    chance = random.Random(seed)
    accounts = tmp_path / "accounts"
    accounts.mkdir()
    manifest = KILLED.format(python=sys.executable, programs=PROGRAMS)
    with up(tmp_path, manifest, *journal.inside) as group:
        for run in range(3):
            least = chance.randint(1, 500)
            account = accounts / str(run)
            eventually(lambda a=account, n=least: taken(a) >= n)  # type: ignore[misc]
            group.kill("primary")
        eventually(lambda: taken(accounts / "3") > 0)
        assert group.stop() in (0, 143)
    messages = journal.messages("test/primary")
    for run in range(4):
        known = taken(accounts / str(run))
        numbers = [int(m.split(".")[1]) for m in messages if m.startswith(f"{run}.")]
        assert numbers == list(range(len(numbers)))
        assert known <= len(numbers) <= known + 1
    assert len(messages) == sum(1 for m in messages if m[0] in "0123")


def taken(account: Path) -> int:
    return int(account.read_bytes() or b"0") if account.exists() else 0
