"""`python -m tests.sweep.soak`: groups under all kinds of stress, and what of them grows.

    python -m tests.sweep.soak [--minutes N] [--groups N] [--seed S]

Each group has members that fork and leave, ignore what they are told, crash with any exit code,
are killed, and flood their logs, all with short backoffs. Clients ask and reload at random, and
every few seconds a supervisor is killed and started again: never that of the first group, whose
life is as long as the soak.

| what | flat means, from the end of the warm-up (a third of the time) to the end |
| --- | --- |
| resident memory of the first group's supervisor | at most 8 MiB more, or a tenth |
| descriptors of the same | at most 6 more: what clients and probes have open at a moment |
| threads of any supervisor | 2 |
| zombies below any | none that is there at two looks, one after the other |
| mounts that name a group's folder, of the first supervisor | no more at the end |
| cgroups that any of their processes was in | none is left after the end |
| processes that outlive a killed supervisor's guard by a second | none |
"""

import argparse
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from statistics import median
from time import monotonic

from msgspec import Struct

from pairvisor.api.client import Client, ControlError
from tests.process.leash import Leash
from tests.support import Up, eventually, gone, up
from tests.sweep.lives import mounts

MORE_MEMORY = 8 << 10  # KiB
MORE_DESCRIPTORS = 6
LIMITS = (("memory", MORE_MEMORY), ("descriptors", MORE_DESCRIPTORS), ("mounts", 0))
READY = 20.0  # seconds
BETWEEN = 4.0  # seconds from one supervisor's death to the next
LOOK = 1.0  # seconds from one look to the next

MANIFEST = """
    grace = "1s"
    restart = {{ initial = "20ms", max = "200ms" }}
    env.CHANGED = "{changed}"

    [sidecars.forking]
    command = ["sh", "-c", '''exec 9>{leash}
    while :; do (setsid sh -c "sleep 0.2 & exec sleep 0.3" &); sleep 0.2; done''']
    on_failure = "restart"

    [sidecars.stubborn]
    command = ["sh", "-c", '''exec 9>{leash}
    trap "" TERM INT HUP; while :; do sleep 0.1; done''']
    stop.grace = "100ms"
    on_failure = "restart"

    [sidecars.crashing]
    command = ["sh", "-c", '''exec 9>{leash}
    n=$(od -An -N1 -tu1 /dev/urandom); sleep 0.$((n % 9)); (sleep 0.4 &); exit $((n))''']
    on_failure = "restart"
    on_success = "restart"

    [sidecars.flooding]
    command = ["sh", "-c", '''exec 9>{leash}
    while :; do seq 2000; seq 200 >&2; sleep 0.1; done''']
    log.file = "{folder}/flood.log"
    log.max_size = "64KiB"
    log.keep = 2
    log.compress = "gzip"
    on_failure = "restart"

    [primary]
    command = ["sh", "-c", '''exec 9>{leash}
    n=$(od -An -N1 -tu1 /dev/urandom); sleep $((n % 7)).5; kill -KILL $$''']
    on_failure = "restart"
"""


class Look(Struct):
    """At one supervisor. Memory is in KiB, `zombies` are pids."""

    at: float
    memory: int
    descriptors: int
    threads: int
    zombies: set[int]
    mounts: int


class Soaked:
    """One group of the soak, through all of its supervisors."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.leash = Leash(folder / "leash")
        self.looks: list[Look] = []
        self.deaths = 0
        self.cgroups: set[Path] = set()
        self._stack = ExitStack()
        self.group = self._start()

    def manifest(self, changed: int) -> str:
        return MANIFEST.format(folder=self.folder, leash=self.leash.path, changed=changed)

    def _start(self) -> Up:
        self.looks = []
        with open(self.folder / "said", "w") as output:
            how = {"stdout": output, "stderr": output}
            group = self._stack.enter_context(up(self.folder, self.manifest(0), how=how))
        eventually(lambda: self._is_served(group), READY)
        return group

    def _is_served(self, group: Up) -> bool:
        assert group.popen.poll() is None, (self.folder / "said").read_text()
        with suppress(ControlError, OSError, StopIteration):
            Client(str(group.run / "control.sock")).status()
            return True
        return False

    def reload(self, chance: Random) -> None:
        text = self.group.manifest.read_text()
        now = f'env.CHANGED = "{chance.randrange(3)}"'
        lines = [now if line.startswith("env.CHANGED") else line for line in text.splitlines()]
        self.group.manifest.write_text("\n".join(lines) + "\n")
        Client(str(self.group.run / "control.sock")).reload()

    def die(self) -> None:
        """The supervisor is killed; once nothing is left, there is another one."""
        os.kill(self.group.supervisor, signal.SIGKILL)
        gone(self.group.guard)
        self.leash.let_go(within=1)
        self._stack.close()
        self.deaths += 1
        self.group = self._start()

    def end(self) -> int:
        """The exit status of a stop; nothing is left."""
        try:
            self.group.signal(signal.SIGTERM)
            status = self.group.popen.wait(timeout=30)
            self.leash.let_go(within=1)
            assert not os.listdir(self.folder / "xdg" / "pairvisor")
            return status
        finally:
            self.close()

    def close(self) -> None:
        self._stack.close()

    def look(self, at: float) -> None:
        pid = self.group.supervisor
        proc = Path(f"/proc/{pid}")
        about = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
        looked = Look(
            at,
            int(about["VmRSS"].split()[0]),
            len(os.listdir(proc / "fd")),
            int(about["Threads"]),
            set(zombies(self.group.guard)) | set(zombies(pid)),
            len(mounts(str(self.folder))),
        )
        self.looks.append(looked)
        self.cgroups |= set(cgroups_of([pid, *children(pid)]))


class Hammer(threading.Thread):
    """A client without manners: it asks all groups, in no order, until it is told to stop."""

    def __init__(self, groups: list[Soaked], seed: int) -> None:
        super().__init__(daemon=True)
        self._groups = groups
        self._chance = Random(seed)
        self.over = threading.Event()
        self.answers = self.refusals = 0

    def run(self) -> None:
        while not self.over.wait(self._chance.uniform(0, 0.05)):
            try:
                self._ask(self._chance.choice(self._groups))
                self.answers += 1
            except (ControlError, OSError, StopIteration):  # it is being killed, or started
                self.refusals += 1

    def _ask(self, one: Soaked) -> None:
        client = Client(str(one.group.run / "control.sock"), timeout=5)
        what = self._chance.random()
        if what < 0.1:
            one.reload(self._chance)
        elif what < 0.5:
            client.status()
        elif what < 0.8:
            client.logs(n=self._chance.randrange(1000))
        else:
            client.events(n=50)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.sweep.soak",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--groups", type=int, default=3)
    parser.add_argument("--seed", type=int, default=Random().randrange(2**32))
    arguments = parser.parse_args()
    wrong = soak(arguments.minutes * 60, arguments.groups, arguments.seed)
    say("nothing grew, nothing was left" if not wrong else "WRONG:\n" + "\n".join(wrong))
    return 1 if wrong else 0


def soak(seconds: float, number: int, seed: int) -> list[str]:
    """What was wrong, one sentence each."""
    say(f"{number} groups for {seconds:g} s, seed {seed}")
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        with groups_in(Path(folder), number) as groups:
            wrong = stress(groups, seconds, seed)
            statuses = [one.end() for one in groups]
            say(f"stopped with {statuses}")
        left = [str(path) for one in groups for path in one.cgroups if path.exists()]
        seen = {path for one in groups for path in one.cgroups}
        say(f"{len(mounts(folder))} mounts and {len(left)} of {len(seen)} cgroups are left")
    wrong += [f"a stop ended with {status}" for status in statuses if status]
    return wrong + [f"a cgroup is left: {path}" for path in left]


@contextmanager
def groups_in(folder: Path, number: int) -> Iterator[list[Soaked]]:
    groups: list[Soaked] = []
    try:
        for n in range(number):
            groups.append(Soaked(folder / str(n)))  # noqa: PERF401 - all that began must end
        yield groups
    finally:
        for one in groups:
            one.close()


def stress(groups: list[Soaked], seconds: float, seed: int) -> list[str]:
    hammers = [Hammer(groups, seed + n) for n in range(2)]
    for hammer in hammers:
        hammer.start()
    began = monotonic()
    try:
        live(groups, began, seconds, Random(seed))
    finally:
        for hammer in hammers:
            hammer.over.set()
            hammer.join()
    deaths = sum(one.deaths for one in groups)
    say(f"{sum(h.answers for h in hammers)} answers, {sum(h.refusals for h in hammers)} refusals")
    say(f"{deaths} supervisors killed")
    return judge(groups, began + seconds / 3)


def live(groups: list[Soaked], began: float, seconds: float, chance: Random) -> None:
    """Look each second; kill every few; a line for each tenth of the time."""
    kill_at, tell_at = began + BETWEEN, began
    say(f"{'s':>7} {'group':>5} {'KiB':>8} {'fds':>4} {'threads':>7} {'zombies':>7} {'deaths':>6}")
    while (now := monotonic()) < began + seconds:
        for one in groups:
            one.look(now)
        if now >= tell_at:
            tell_at += seconds / 10
            tell(groups, began)
        if now >= kill_at and len(groups) > 1:
            kill_at = now + BETWEEN
            chance.choice(groups[1:]).die()
        threading.Event().wait(LOOK)
    tell(groups, began)


def tell(groups: list[Soaked], began: float) -> None:
    for n, one in enumerate(groups):
        if one.looks:
            last = one.looks[-1]
            figures = f"{last.memory:>8} {last.descriptors:>4} {last.threads:>7}"
            say(f"{last.at - began:7.1f} {n:>5} {figures} {len(last.zombies):>7} {one.deaths:>6}")


def judge(groups: list[Soaked], warm_at: float) -> list[str]:
    wrong = []
    looks = groups[0].looks
    warm = [look for look in looks if look.at >= warm_at]
    third = max(len(warm) // 3, 1)
    for what, more in LIMITS:
        first = median(getattr(look, what) for look in warm[:third])
        last = median(getattr(look, what) for look in warm[-third:])
        say(f"{what} of the first supervisor: {first:g} when warm, {last:g} at the end")
        if last > first + max(more, first * 0.1 if what == "memory" else 0):
            wrong.append(f"{what} grew from {first:g} to {last:g}")
    for one in groups:
        wrong += [f"{look.threads} threads" for look in one.looks if look.threads != 2]
        pairs = zip(one.looks, one.looks[1:], strict=False)
        wrong += [
            f"zombies stay: {a.zombies & b.zombies}" for a, b in pairs if a.zombies & b.zombies
        ]
    return wrong


def children(pid: int) -> list[int]:
    return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def zombies(pid: int) -> Iterator[int]:
    """Of its children."""
    for child in children(pid):
        with suppress(OSError):
            if Path(f"/proc/{child}/stat").read_text().rpartition(") ")[2][0] == "Z":
                yield child


def cgroups_of(pids: list[int]) -> Iterator[Path]:
    """Those of pairvisor's making that the processes are in, in any hierarchy."""
    for pid in pids:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
                number, controllers, path = line.split(":", 2)
                name = controllers.removeprefix("name=") or ("unified" if number == "0" else "")
                if "pairvisor" in path:
                    yield from (Path(f"/sys/fs/cgroup{top}{path}") for top in ("", f"/{name}"))


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
