"""Every process that the supervisor starts, adopts, signals and reaps: one spawner, one reaper.

Each child is started in a session of its own with a clean signal state, and signalled through its
pidfd. The supervisor is a subreaper, so a descendant whose parent dies becomes its child; whose
it is, is told by its cgroup, where there is one (`containment`), or else by its session, or by the
PAIRVISOR_MEMBER in its environment. So the tree of a member is what is in its cgroup, what descends
from its main process, and from the orphans that are its own.

All pids in here are of children that were not reaped yet, or are checked by their start time.
"""

import errno
import os
import resource
import select
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from pairvisor.core.events import Exit
from pairvisor.manifest.group import Identity, Member, ProcessLimits
from pairvisor.manifest.programs import ProgramError, find_program, locate
from pairvisor.runtime import bounds, kernel, stages, trees, trial
from pairvisor.runtime.containment import Containment, Sessions

DESCRIPTORS = 8  # as many as a member needs of ours at most: pidfd, pipes, socket, a probe's
ALL_SIGNALS = signal.valid_signals()
TASK = "PAIRVISOR_TASK"  # tells a hook's or a probe's processes from the member's own
OURS = 16  # descriptors that no child's pipe may take: the loop, a signal, a client need some
MOST_CLIENTS = 128
LEAST_CLIENTS = 4
LOOKS = 10  # at the environment of an orphan in the middle of an exec …
LOOK = 0.001  # … seconds apart
REPORTED = 4096  # bytes of what a stage says
SHELL = "/bin/sh"
UNCHECKED = 78  # sysexits.h: EX_CONFIG
RESERVE = 4  # descriptors, for what must not fail when there are no others left


class SpawnError(Exception):
    """Why a process could not be started, as a sentence: `cannot run "x": reason`."""


class Command(Struct, frozen=True):
    """What to run and how; `env` is complete, paths are absolute or found in `working_dir`."""

    words: tuple[str, ...]
    env: Mapping[str, str]
    working_dir: str = "/"
    umask: int = 0o022
    identity: Identity = Identity()
    limits: ProcessLimits = ProcessLimits()
    check: tuple[str, ...] = ()  # runs before it, in the same process's place


def as_member(member: Member, words: tuple[str, ...]) -> Command:
    """The command in the member's environment, folder and umask, with its rights and limits."""
    return Command(
        words,
        member.env,
        member.working_dir,
        member.umask,
        member.identity,
        member.process_limits,
    )


class Input(Struct, frozen=True):
    """What a child reads from."""

    descriptor: int
    is_terminal: bool = False  # then it becomes the child's controlling one


class Given(NamedTuple):
    """A child's descriptors, in our numbers; -1: none."""

    stdout: int
    stderr: int
    stdin: int = -1
    report: int = -1  # of its stages


class Child(Struct):
    """A process of ours from its start until it is reaped."""

    owner: str
    pid: int
    pidfd: int
    on_exit: Callable[[Exit], None]
    report: int = -1  # of its stages, until they are over: a pipe to read


class Process(Struct, frozen=True):
    """A member's main process; `report` is that of its stages."""

    member: str
    run: int
    pid: int
    report: int


class Offspring(Struct, frozen=True):
    """What `Children` hand over."""

    processes: list[Process]
    sessions: dict[int, str]
    adopted: dict[int, str]
    nofile: tuple[int, int] | None
    is_unprivileged: bool
    oom_score: int | None


class Children:
    """All of them. An owner is a member's name, or MEMBER/WORD for a probe or a hook of it.

    `run` is the group's runtime folder, which every member has as PAIRVISOR_RUN.
    `is_unprivileged`: none gets new privileges, as we can't (see `stages`). `oom_score`: the
    oom_score_adj that they begin with, where we have another.
    """

    _nofile: tuple[int, int] | None = None  # what children get, where ours had to be raised
    _low: tuple[int, ...] = ()  # then: descriptors that are below the children's limit
    _highest = sys.maxsize  # a descriptor that may still be for a child; what is above is ours

    def __init__(
        self,
        run: str,
        containment: Containment | None = None,
        *,
        is_unprivileged: bool = False,
        oom_score: int | None = None,
    ) -> None:
        self._run = run
        self._containment = containment or Sessions()
        self._is_unprivileged = is_unprivileged
        self._oom_score = oom_score
        self._by_pid: dict[int, Child] = {}
        self._by_owner: dict[str, Child] = {}
        self._sessions: dict[int, str] = {}  # whose; kept until the owner's tree is empty
        self._adopted: dict[int, str] = {}
        self._blank: set[int] = set()  # orphans that had no environment after some looks
        self._emptying: dict[str, tuple[Callable[[int], None], set[int]]] = {}
        self._reserve: list[int] = []
        self.clients = LEAST_CLIENTS  # that may be connected at a time
        self._fill_reserve()

    def hand_over(self, runs: Mapping[str, int]) -> Offspring:
        """What another one needs to go on with the members, which have these runs. What runs beside
        them is to be over by then."""
        return Offspring(
            processes=[
                Process(child.owner, runs[child.owner], child.pid, child.report)
                for child in self._by_pid.values()
                if child.owner in runs
            ],
            sessions=dict(self._sessions),
            adopted=dict(self._adopted),
            nofile=self._nofile,
            is_unprivileged=self._is_unprivileged,
            oom_score=self._oom_score,
        )

    def take_over(
        self, handed: Offspring, on_exit: Callable[[str, int], Callable[[Exit], None]]
    ) -> None:
        """They are children of this process, and nobody has reaped them: their pids are theirs."""
        self._sessions, self._adopted = handed.sessions, handed.adopted
        self._is_unprivileged, self._oom_score = handed.is_unprivileged, handed.oom_score
        if handed.nofile:
            self._keep_low(handed.nofile)
        for process in handed.processes:
            child = Child(
                process.member,
                process.pid,
                self._pidfd(process.pid),
                on_exit(process.member, process.run),
                process.report,
            )
            self._by_pid[child.pid] = self._by_owner[child.owner] = child

    @property
    def tasks(self) -> list[str]:
        """The owners of what runs beside the members, or is being killed."""
        return [owner for owner in (*self._by_owner, *self._emptying) if "/" in owner]

    def make_room(self, members: int) -> None:
        """See to it that the supervisor may open enough descriptors for so many members.

        Clients have to do with what is left then, and with a few in any case.
        """
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        needed = 64 + DESCRIPTORS * members
        if soft < needed + MOST_CLIENTS:
            if not self._nofile:
                self._keep_low((soft, hard))
            soft = min(needed + MOST_CLIENTS, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self._highest = soft - OURS
        self.clients = min(max(soft - needed, LEAST_CLIENTS), MOST_CLIENTS)

    def _keep_low(self, nofile: tuple[int, int]) -> None:
        self._nofile = nofile
        self._low = tuple(os.dup(self._reserve[0]) for _ in Given._fields)

    def spawn(
        self,
        owner: str,
        command: Command,
        output: tuple[int, int],
        on_exit: Callable[[Exit], None],
        stdin: Input | None = None,
    ) -> Child:
        """Start a process with these descriptors as its stdout and stderr.

        Without `stdin` it has nothing to read. Raises SpawnError. `on_exit` is called by `reap`.
        """
        given = Given(*output, stdin.descriptor if stdin else -1)
        try:
            pid, report = self._start(
                owner, command, given, stdin is not None and stdin.is_terminal
            )
        except ProgramError as error:
            raise SpawnError(str(error)) from None
        except OSError as error:
            raise SpawnError(_why_not(command, error)) from error
        try:
            pidfd = self._pidfd(pid)
        except OSError as error:
            if report >= 0:
                os.close(report)
            os.kill(pid, signal.SIGKILL)  # noqa: TID251 - ours, and not reaped before we say so
            raise SpawnError(_why_not(command, error)) from error
        child = Child(owner, pid, pidfd, on_exit, report)
        self._by_pid[pid] = self._by_owner[owner] = child
        self._sessions[pid] = owner
        return child

    def _start(
        self, owner: str, command: Command, given: Given, is_terminal: bool
    ) -> tuple[int, int]:
        """The pid, and the descriptor of what its stages report: -1 where it needs none."""
        before = stages.before(
            command.env,
            self._containment.place(owner),
            command.identity,
            command.limits,
            is_unprivileged=self._is_unprivileged,
        )
        if not before.words and not command.check:
            return self._spawn(command, given, is_terminal), -1
        _check(command)
        checked = _behind_check(command)
        if not before.words:
            return self._spawn(checked, given, is_terminal), -1
        staged = replace(checked, words=(*before.words, *checked.words), env=before.env)
        report, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return self._spawn(staged, given._replace(report=write), is_terminal), report
        except BaseException:
            os.close(report)
            raise
        finally:
            os.close(write)

    def _spawn(self, command: Command, given: Given, is_terminal: bool) -> int:
        if max(given) > self._highest:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        with (
            _as_the_command_wants(command, self._nofile),
            self._unprotected(),
            self._below(given) as low,
        ):
            return _spawn(command, low, is_terminal)

    @contextmanager
    def _unprotected(self) -> Iterator[None]:
        """As likely to be chosen when memory runs out as we were."""
        if self._oom_score is None:
            yield
            return
        bounds.set_oom_score(self._oom_score)
        try:
            yield
        finally:
            bounds.set_oom_score(bounds.PROTECTED)

    @contextmanager
    def _below(self, given: Given) -> Iterator[Given]:
        """The same ones, below the limit: posix_spawn(3) takes no number that is above it."""
        if not self._nofile:
            yield given
            return
        moved = [(ours, low) for ours, low in zip(given, self._low, strict=True) if ours >= 0]
        for descriptor, low in moved:
            os.dup2(descriptor, low, inheritable=False)
        lows = dict(moved)
        try:
            yield Given(*(lows.get(descriptor, -1) for descriptor in given))
        finally:
            for low in lows.values():
                os.dup2(self._reserve[0], low, inheritable=False)

    def _pidfd(self, pid: int) -> int:
        try:
            return os.pidfd_open(pid)
        except OSError:
            # The child runs already: we must be able to hold it.
            with self._last_descriptors():
                return os.pidfd_open(pid)

    def signal(self, owner: str, *signums: int) -> None:
        """Signal the owner's main process, if it is there."""
        child = self._by_owner.get(owner)
        if child is not None:
            for signum in signums:
                kernel.send(child.pidfd, signum)

    def pid(self, owner: str) -> int:
        """Its main process's pid; 0 if it has none."""
        child = self._by_owner.get(owner)
        return child.pid if child else 0

    def pidfd(self, owner: str) -> int:
        """Of its main process, which is there."""
        return self._by_owner[owner].pidfd

    def running(self) -> dict[str, trees.Tree]:
        """What runs, by whose it is: members with a main process, their probes and hooks apart."""
        roots = {owner: [child.pid] for owner, child in self._by_owner.items()}
        for orphan in kernel.children_of(os.getpid()):
            if orphan not in self._by_pid and (owner := self._owner_of(orphan)) in roots:
                roots[owner].append(orphan)
        return {owner: trees.descending_from(pids) for owner, pids in roots.items()}

    def tree(self, owner: str) -> trees.Tree:
        """All that is there of the owner's."""
        main = self._by_owner.get(owner)
        return trees.descending_from(([main.pid] if main else []) + self._orphans(owner))

    def reap(self) -> None:
        """Collect all that have ended, children of ours and orphans; tell who is over."""
        ended: list[tuple[Child, Exit]] = []
        with suppress(ChildProcessError):
            while info := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG):
                if child := self._forget(info.si_pid):
                    ended.append((child, _refused(child) or _how(info)))
        # Only now: what ended together with a member has not been left behind by it.
        for child, how in ended:
            child.on_exit(how)
        for owner in list(self._emptying):
            if owner in self._emptying:
                self._check_empty(owner)

    def _forget(self, pid: int) -> Child | None:
        """It is reaped: its pid says nothing any more."""
        self._adopted.pop(pid, None)
        self._blank.discard(pid)
        child = self._by_pid.pop(pid, None)
        if child is not None:
            os.close(child.pidfd)
            del self._by_owner[child.owner]
        return child

    def kill(self, owner: str, on_empty: Callable[[int], None]) -> None:
        """SIGKILL the owner's whole tree; once nothing of it is left, say how many there were.

        `on_empty` is called from here if nothing is there, else from `reap`; it counts what
        had outlived the main process.
        """
        self._emptying[owner] = (on_empty, set())
        self._check_empty(owner)

    def _check_empty(self, owner: str) -> None:
        on_empty, seen = self._emptying[owner]
        try:
            alive = self._kill_all(owner)
        except OSError:
            with self._last_descriptors():
                alive = self._kill_all(owner)
        main = self._by_owner.get(owner)
        seen |= alive - {main.pid if main else 0}
        if not alive:
            del self._emptying[owner]
            self._containment.forget(owner)
            for session in [s for s, o in self._sessions.items() if o == owner]:
                del self._sessions[session]
            on_empty(len(seen))

    def _kill_all(self, owner: str) -> set[int]:
        """The pids of what is there still."""
        contained = self._containment.kill(owner)
        main = self._by_owner.get(owner)
        mains = [main.pid] if main else []
        tree = trees.kill(lambda: trees.descending_from(mains + self._orphans(owner)))
        return contained | tree.keys()

    @contextmanager
    def _last_descriptors(self) -> Iterator[None]:
        while self._reserve:
            os.close(self._reserve.pop())
        try:
            yield
        finally:
            self._fill_reserve()

    def _fill_reserve(self) -> None:
        with suppress(OSError):
            while len(self._reserve) < RESERVE:
                self._reserve.append(os.open("/", os.O_PATH | os.O_CLOEXEC))

    def _orphans(self, owner: str) -> list[int]:
        """The adopted ones that are the owner's, or anybody's if it is the last to end."""
        adopted = [p for p in kernel.children_of(os.getpid()) if p not in self._by_pid]
        if not adopted:
            return []
        mine = {owner, ""} if self._is_last_member(owner) else {owner}
        return [p for p in adopted if self._owner_of(p) in mine]

    def _is_last_member(self, owner: str) -> bool:
        others = self._by_owner.keys() | self._emptying.keys()
        return all("/" in other or other == owner for other in others)

    def _owner_of(self, orphan: int) -> str:
        """Whose it is; empty where neither cgroup, session nor environment tells."""
        if orphan not in self._adopted:
            owner = self._containment.owner_of(orphan)
            owner = owner or self._sessions.get(kernel.session(orphan)) or self._in_environ(orphan)
            if not owner:  # it may be in the middle of an exec: look again
                return ""
            self._adopted[orphan] = owner
        return self._adopted[orphan]

    def _in_environ(self, pid: int) -> str:
        environ = _environ(pid, 1 if pid in self._blank else LOOKS)
        if not environ:
            self._blank.add(pid)
        variables = dict(v.partition(b"=")[::2] for v in environ.split(b"\0"))
        # A group inside a group has members of its own, of other names or the same.
        if variables.get(b"PAIRVISOR_RUN") != os.fsencode(self._run):
            return ""
        task = os.fsdecode(variables.get(TASK.encode(), b""))
        is_there = task in self._by_owner or task in self._emptying
        return task if is_there else os.fsdecode(variables.get(b"PAIRVISOR_MEMBER", b""))


def _environ(orphan: int, looks: int) -> bytes:
    """Empty for a moment in the middle of an exec, whose end nothing tells: hence some looks."""
    environ = b""
    with suppress(FileNotFoundError, ProcessLookupError, PermissionError, ChildProcessError):
        for _ in range(looks):
            with open(f"/proc/{orphan}/environ", "rb") as file:
                environ = file.read(1 << 20)
            if environ or os.waitid(os.P_PID, orphan, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                break
            select.select([], [], [], LOOK)
    return environ


def _refused(child: Child) -> Exit | None:
    """What one of its stages had to say, where it did not come to its program."""
    if child.report < 0:
        return None
    said = b""
    with suppress(BlockingIOError):
        said = os.read(child.report, REPORTED)
    os.close(child.report)
    if not said or said.endswith(stages.REACHED):
        return None
    text = " ".join(said.decode(errors="replace").split())
    return Exit(error=f"cannot be started as it should: {text}")


def _how(info: os.waitid_result) -> Exit:
    is_code = info.si_code == os.CLD_EXITED
    return Exit(code=info.si_status) if is_code else Exit(signal=info.si_status)


def _check(command: Command) -> None:
    """What would be refused behind its stages is refused before them. Raises OSError."""
    who = trial.subject(command.identity)
    word = command.words[0]
    try:
        trial.check_folder(command.working_dir, who)
    except OSError as error:
        raise _cannot_enter(command.working_dir, error) from error
    program = trial.find(word, command.working_dir, command.env.get("PATH"), who)
    try:
        trial.check_program(program, command.working_dir, who)
    except PermissionError as error:
        if who.uid == os.geteuid():
            raise
        shut = f"user {who.uid} has no way through or no right to execute {error.filename}"
        raise ProgramError(f'cannot run "{word}": {shut} (EACCES)') from None


def _behind_check(command: Command) -> Command:
    """By a shell, which becomes the program: the pid is one and the same from the start."""
    if not command.check:
        return command
    check = shlex.join(command.check)
    said = shlex.quote(f"pairvisor: the check before the start failed: {check}")
    script = (
        f"said=$({check} 2>&1 </dev/null) || "
        f"{{ printf '%s\\n' ${{said:+\"$said\"}} {said} >&2; exit {UNCHECKED}; }}; "
        f'unset said; exec "$@"'
    )
    return replace(command, words=(SHELL, "-c", script, "sh", *command.words))


def _why_not(command: Command, error: OSError) -> str:
    """What is wrong with the program; if that can't be seen, the kernel's word."""
    name = errno.errorcode.get(error.errno or 0, "?")
    try:
        find_program(command.words[0], command.working_dir, command.env.get("PATH"))
    except ProgramError as reason:
        return f"{reason} ({name})"
    return f'cannot run "{command.words[0]}": {error.strerror} ({name})'


def _spawn(command: Command, given: Given, is_terminal: bool) -> int:
    program = locate(command.words[0], command.working_dir, command.env.get("PATH"))
    return os.posix_spawn(
        program,
        command.words,
        command.env,
        file_actions=[
            _open_stdin(given.stdin, is_terminal),
            (os.POSIX_SPAWN_DUP2, given.stdout, 1),
            *_give_stderr(given),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=ALL_SIGNALS,
    )


def _give_stderr(given: Given) -> list[tuple[int, int, int]]:
    if given.report < 0:
        return [(os.POSIX_SPAWN_DUP2, given.stderr, 2)]
    # In this order: the report may be our descriptor 3. What is dup'ed to itself stays open.
    return [
        (os.POSIX_SPAWN_DUP2, given.report, stages.REPORT),
        (os.POSIX_SPAWN_DUP2, given.stderr, stages.STDERR),
    ]


def _open_stdin(
    stdin: int, is_terminal: bool
) -> tuple[int, int, str, int, int] | tuple[int, int, int]:
    if stdin < 0:
        return os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0
    if not is_terminal:
        return os.POSIX_SPAWN_DUP2, stdin, 0
    # The first terminal that a session's leader opens becomes its controlling one (tty_ioctl(4)).
    return os.POSIX_SPAWN_OPEN, 0, f"/proc/self/fd/{stdin}", os.O_RDWR, 0


def _cannot_enter(folder: str, error: OSError) -> SpawnError:
    return SpawnError(f'cannot enter the folder "{folder}": {error.strerror}')


@contextmanager
def _as_the_command_wants(command: Command, nofile: tuple[int, int] | None) -> Iterator[None]:
    """What posix_spawn can't set, a child inherits: we are in its folder, with its umask.

    Nothing else of this process looks at these meanwhile: the loop is here.
    """
    try:
        os.chdir(command.working_dir)
    except OSError as error:
        raise _cannot_enter(command.working_dir, error) from error
    own = os.umask(command.umask)
    ours = resource.getrlimit(resource.RLIMIT_NOFILE)
    if nofile:
        resource.setrlimit(resource.RLIMIT_NOFILE, nofile)
    try:
        yield
    finally:
        if nofile:
            resource.setrlimit(resource.RLIMIT_NOFILE, ours)
        os.umask(own)
        os.chdir("/")
