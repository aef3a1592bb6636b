"""One life of a group with a fault in it, what it has to be like, and the life after it.

Nothing of a group may live when its guard has ended. It either works, or it ends with something
else than 0 and says why, without a traceback; it never hangs. The next start of the same group
becomes ready, stops with 0, and leaves no folder, lock or socket.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic
from zlib import crc32

from msgspec import Struct

from tests.process.leash import Leash, leash
from tests.process.programs import FOLDER as PROGRAMS
from tests.support import Up, eventually, up
from tests.sweep.points import KILL, Point
from tests.sweep.tracing import Tracer, calls, traced

LAUNCHER = Path(__file__).with_name("launcher.py")
WATCHDOG = 20.0  # seconds that any step of a life may take
PATIENCE = 6.0  # seconds that a fault lasts which holds the group up
AFTER = 1.0  # seconds after the guard's end by which nothing may be left
KILLED = (137, -signal.SIGKILL)  # the supervisor, as its guard tells; the guard
READY = "group test is ready"

MANIFEST = """
    grace = "2s"
    restart = {{ initial = "50ms", limit = 3 }}

    [init.prepare]
    command = "true"

    [sidecars.family]
    command = ["sh", "-c", "{family}"]
    ready = {{ file = "${{volume}}/up", interval = "20ms" }}

    [sidecars.chatty]
    command = ["sh", "-c", "{chatty}"]
    log.file = "{folder}/chatty.log"
    log.max_size = "32KiB"
    log.keep = 3
    log.compress = "gzip"

    [sidecars.{third}]
    command = ["sh", "-c", "exec 9>{leash}; exec sleep 1000"]
    ready = {{ exec = "true", interval = "20ms" }}
    env.VALUE = "{value}"

    [primary]
    command = ["sh", "-c", "exec 9>{leash}; exec {programs}/notify.sh 0"]
    ready = {{ notify = true }}
"""


FAMILY = "exec 9>{}; (setsid sleep 1000 &); touch $PAIRVISOR_VOLUME/up; exec sleep 1000"
CHATTY = "exec 9>{0}/leash 8<>{0}/order; while read -r _ <&8; do seq 20000; touch {0}/done; done"


class Outcome(Struct):
    """`end` is in a word what became of the group; `wrong` what is not as it has to be."""

    point: Point
    end: str
    wrong: list[str]
    said: str = ""


class Life:
    """A group in a folder of its own; `said` is what it has said, `over` whether it has ended."""

    def __init__(self, folder: Path, held: Leash) -> None:
        self.folder = folder
        self.held = held
        self.output = folder / "output"
        self.group: Up
        self._asked = 0.0
        self.patience = WATCHDOG
        os.mkfifo(folder / "order")

    def manifest(self, *, changed: bool = False) -> str:
        return MANIFEST.format(
            folder=self.folder,
            leash=self.held.path,
            family=FAMILY.format(self.held.path),
            chatty=CHATTY.format(self.folder),
            programs=PROGRAMS,
            third="other" if changed else "probed",
            value="new" if changed else "old",
        )

    @contextmanager
    def started(self, *wrapper: str, changed: bool = False) -> Iterator[Up]:
        with open(self.output, "wb") as output:
            how = {"stdout": output, "stderr": output}
            with up(self.folder, self.manifest(changed=changed), *wrapper, how=how) as self.group:
                yield self.group

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    @property
    def is_over(self) -> bool:
        return self.group.popen.poll() is not None

    def until(self, check: Callable[[], object], what: str) -> None:
        """Raises HangError, unless the group is over before."""
        try:
            eventually(lambda: self.is_over or check(), self.patience)
        except AssertionError:
            raise HangError(what) from None

    def until_ready(self, said: str = READY) -> None:
        """A group that can't write to its terminal is asked, once in a while."""
        self._asked = 0.0
        self.until(lambda: said in self.said or self._answers_ready(), "it does not get ready")

    def _answers_ready(self) -> bool:
        self._asked = self._asked or monotonic()
        if monotonic() < self._asked + 3:
            return False
        self._asked = monotonic()
        asked = self.client("status", "--json")
        return asked.returncode == 0 and json.loads(asked.stdout)["ready"]

    def client(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pairvisor", *words]
        try:
            return subprocess.run(
                command,
                cwd=self.folder,
                env=self.group.env,
                capture_output=True,
                text=True,
                check=False,
                timeout=self.patience,
            )
        except subprocess.TimeoutExpired:
            raise HangError(f"`pairvisor {words[0]}` does not come back") from None

    def stop(self) -> None:
        if not self.is_over:
            self.group.signal(signal.SIGTERM)
        self.until(lambda: False, "it does not stop")


class HangError(Exception):
    """What was to come did not, within the watchdog's time."""


def _reload(life: Life) -> None:
    manifest = textwrap.dedent(life.manifest(changed=True))
    life.group.manifest.write_text(f'name = "test"\n{manifest}')
    ran = life.client("reload")
    if "Traceback" in ran.stderr:
        raise HangError(f"`pairvisor reload` said: {ran.stderr}")
    if ran.returncode == 0:
        life.until_ready("other is ready")


def _rotate(life: Life) -> None:
    def order() -> bool:
        with suppress(OSError):  # chatty has not opened it yet
            descriptor = os.open(life.folder / "order", os.O_WRONLY | os.O_NONBLOCK)
            os.write(descriptor, b"go\n")
            os.close(descriptor)
            return True
        return False

    life.until(order, "chatty does not read")
    life.until((life.folder / "done").exists, "chatty can't write")
    with suppress(AssertionError):  # which a fault may have kept from being
        eventually((life.folder / "chatty.log.3.gz").exists, within=0.3)


# What each scenario is about, to its end, or to the group's.
ACTS: dict[str, Callable[[Life], None]] = {
    "start": Life.until_ready,
    "stop": Life.stop,
    "reload": _reload,
    "rotate": _rotate,
}


def try_point(point: Point) -> Outcome:
    """A life with that fault in it, and the one after it."""
    with tempfile.TemporaryDirectory(prefix="sweep-") as folder, leash(Path(folder)) as held:
        life = Life(Path(folder), held)
        has_hit, wrong = first_life(
            life, point.scenario, point.who, *point.options, is_lasting=point.is_lasting
        )
        status, said = life.group.popen.returncode, life.said
        if point.fault == KILL and status in KILLED:  # a tracer that is detached may not tell
            has_hit = True
        if not wrong:
            wrong = what_is_wrong(point, status, said, has_hit=has_hit)
        wrong += next_life(life, changed=point.scenario == "reload")
        return Outcome(point, _end(status, said, has_hit=has_hit), wrong, said)


def calls_of(scenario: str, who: str) -> list[tuple[str, str]]:
    """What it calls in a life without a fault."""
    with tempfile.TemporaryDirectory(prefix="sweep-") as folder, leash(Path(folder)) as held:
        life = Life(Path(folder), held)
        _, wrong = first_life(life, scenario, who, "-y", "-e", "trace=all")
        wrong += left_behind(life)
        if wrong or life.group.popen.returncode:
            raise RuntimeError(f"{scenario} fails without a fault: {wrong}\n{life.said}")
        return calls(life.folder / "trace")


def first_life(
    life: Life, scenario: str, who: str, *options: str, is_lasting: bool = False
) -> tuple[bool, list[str]]:
    """The scenario under a tracer, then the end without: was the fault met, and what is wrong."""
    is_start = scenario == "start"
    wrapper = (sys.executable, str(LAUNCHER), who) if is_start else ()
    with ExitStack() as stack:
        stack.enter_context(life.started(*wrapper))
        wrong: list[str] = []
        tracer = None
        try:
            process = _stopped(life, who) if is_start else _ready(life, who)
            traced_one = thread(process, who)
            tracer = stack.enter_context(traced(traced_one, life.folder / "trace", *options))
            os.kill(process, signal.SIGCONT)
            _act(life, scenario, tracer, is_lasting=is_lasting)
            wrong += _ended_unasked(life, scenario)
            tracer.detach()
            life.stop()
            wrong += _left(life, AFTER if who != "guard" else WATCHDOG)
        except HangError as hang:
            wrong.append(f"hang: {hang}")
            _end_by_force(life)
        return tracer is not None and tracer.has_hit, wrong


def _act(life: Life, scenario: str, tracer: Tracer, *, is_lasting: bool) -> None:
    """What lasts may hold the group up; once it is over, all goes on."""
    life.patience = PATIENCE if is_lasting else WATCHDOG
    try:
        ACTS[scenario](life)
    except HangError:
        if not is_lasting:
            raise
        life.patience = WATCHDOG
        tracer.detach()
        if scenario == "start":
            life.until_ready()
    finally:
        life.patience = WATCHDOG


def _end_by_force(life: Life) -> None:
    """The guard does the rest."""
    with suppress(IndexError, OSError):
        os.kill(life.group.supervisor, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        life.group.popen.wait(timeout=WATCHDOG)


def _stopped(life: Life, who: str) -> int:
    """The process that has stopped at its beginning, to be traced."""
    found: list[int] = []

    def look() -> bool:
        with suppress(IndexError, OSError):  # it is not forked yet
            found[:] = [life.group.guard if who == "guard" else life.group.supervisor]
        return bool(found) and is_stopped(found[0])

    life.until(look, "it does not stop at its beginning")
    return found[0]


def _ready(life: Life, who: str) -> int:
    life.until_ready()
    return life.group.guard if who == "guard" else life.group.supervisor


def thread(process: int, who: str) -> int:
    """Whom to trace: a process's first thread, or its other one."""
    tasks = [int(task) for task in os.listdir(f"/proc/{process}/task")]
    return process if who != "pump" else next(task for task in tasks if task != process)


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "T"


def _ended_unasked(life: Life, scenario: str) -> list[str]:
    status = life.group.popen.poll()
    return ["it ended with 0, unasked"] if status == 0 and scenario != "stop" else []


def _left(life: Life, within: float) -> list[str]:
    """What lives although the guard has ended."""
    try:
        life.held.let_go(within)
    except AssertionError:
        return [f"alive after {within:g} s: {life.group.processes()}"]
    left = life.group.processes()
    return [f"alive: {left}"] if left else []


def what_is_wrong(point: Point, status: int, said: str, *, has_hit: bool) -> list[str]:
    wrong = []
    if "Traceback" in said:
        wrong.append("a traceback")
    is_killed = has_hit and point.fault == KILL
    if is_killed and status != (-9 if point.who == "guard" else 137):
        wrong.append(f"exit status {status} of one that was killed")
    if not has_hit and status:
        wrong.append(f"exit status {status} without a fault")
    if status and not is_killed and point.call != "write":
        wrong += _unexplained(said)
    return wrong


def _unexplained(said: str) -> list[str]:
    """A group that has not begun has one line to say; one that ran, at least one."""
    lines = said.splitlines()
    if not lines:
        return ["it failed without a word"]
    has_begun = any("group test starts" in line for line in lines)
    return ["it says more than one line"] if len(lines) > 1 and not has_begun else []


def _end(status: int, said: str, *, has_hit: bool) -> str:
    if not has_hit:
        return "not met"
    if "internal error" in said:
        return "internal"
    return {0: "worked", 137: "killed", -9: "killed", None: "hung"}.get(status, "gave up")


def next_life(life: Life, *, changed: bool) -> list[str]:
    """Start and stop it once more, without a fault."""
    try:
        with life.started(changed=changed) as group:
            life.until_ready()
            life.stop()
            status = group.popen.returncode
    except HangError as hang:
        return [f"next start: hang: {hang}"]
    wrong = [] if status == 0 else [f"next start: exit status {status}: {life.said}"]
    if "Traceback" in life.said:
        wrong.append("next start: a traceback")
    left = left_behind(life)
    return [*wrong, f"next start: left behind: {left}"] if left else wrong


def left_behind(life: Life) -> list[str]:
    """What a group that has stopped without a fault must not leave."""
    left = os.listdir(life.folder / "xdg" / "pairvisor")
    left += [path.name for path in (life.folder / "xdg-state").rglob("*.new")]
    left += [str(path) for path in cgroups(f"{life.folder}/xdg/pairvisor/test")]
    return left + mounts(str(life.folder))


def cgroups(run: str) -> list[Path]:
    """Those of the group with that runtime folder, in any hierarchy; others come and go."""
    name = f"-{crc32(os.fsencode(run)):08x}"
    return [Path(path) for path, _, _ in os.walk("/sys/fs/cgroup") if path.endswith(name)]


def mounts(folder: str) -> list[str]:
    """Those that name it."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if folder in line]
