"""The documents: what the API serves, the event log keeps and `--json` prints.

Times are RFC 3339 in UTC with milliseconds (`2026-05-01T12:00:00.000Z`), durations are in seconds,
sizes in bytes. A field that may be null is unknown or does not apply then.
"""

from enum import StrEnum
from typing import Literal

from msgspec import Struct

from pairvisor.core.state import Reason
from pairvisor.manifest.group import Role

GroupState = Literal[
    "starting", "running", "stopping", "backoff", "succeeded", "failed", "stopped", "killed"
]
MemberState = Literal[
    "waiting", "starting", "running", "stopping", "backoff", "succeeded", "failed", "stopped"
]


class Document(Struct, frozen=True, kw_only=True):
    """What all of them have in common."""


class Exit(Document, frozen=True):
    """How a main process ended: by a code, by a signal, or it could not be started."""

    code: int | None = None
    signal: str | None = None  # its name: SIGKILL
    error: str | None = None
    out_of_memory: bool = False


class Cause(Document, frozen=True):
    """What a restart or an end followed from; `text` is the whole of it, as a clause."""

    reason: Reason
    text: str
    member: str | None = None  # null: the group itself
    exit: Exit | None = None
    detail: str = ""
    at: str = ""


class Kind(StrEnum):
    """What has happened, in the past tense."""

    SUPERVISOR_STARTED = "supervisor-started"
    GROUP_STARTED = "group-started"  # a round begins
    GROUP_READY = "group-ready"  # all that it counts on are
    GROUP_STOPPING = "group-stopping"  # `goal` says what it leads to
    GROUP_OVERRULED = "group-overruled"  # the stop does not lead to a restart any more
    GROUP_BACKOFF = "group-backoff"  # starts again after `delay`
    GROUP_ENDED = "group-ended"
    MEMBER_STARTED = "member-started"
    MEMBER_READY = "member-ready"
    MEMBER_UNREADY = "member-unready"
    MEMBER_FAILED = "member-failed"  # it runs, but was found failing: `reason`
    MEMBER_STOPPING = "member-stopping"  # was told to stop
    MEMBER_KILLED = "member-killed"  # did not end in time
    MEMBER_EXITED = "member-exited"  # its main process is over: `exit`
    MEMBER_BACKOFF = "member-backoff"  # starts again, alone, after `delay`
    MEMBER_UNKILLABLE = "member-unkillable"
    LEFT_BEHIND = "left-behind"  # processes had outlived a main process, and were killed
    REQUESTED = "requested"  # somebody asked for something: `detail`, `by`
    REFUSED = "refused"  # a client was: `by`
    REEXECUTED = "reexecuted"  # another version supervises: `detail` has both
    REEXEC_FAILED = "reexec-failed"
    RELOADED = "reloaded"
    RELOAD_FAILED = "reload-failed"
    FILE_CHANGED = "file-changed"  # one that is watched
    DEGRADED = "degraded"  # something of ours can't be done for now
    RECOVERED = "recovered"
    LINES_LOST = "lines-lost"  # of a member's output, on their way to `detail`
    FAULT = "fault"  # a mistake of pairvisor's own that cost one request


class Caller(Document, frozen=True):
    """Who asked, as the kernel knows it (SO_PEERCRED of unix(7))."""

    uid: int
    gid: int
    pid: int


class Event(Document, frozen=True, omit_defaults=True):
    """One line of the event log. `id` grows over all lives of the group; `cause` is another's."""

    id: int
    at: str
    kind: Kind
    text: str  # a sentence's worth, for people
    cause: int | None = None
    member: str | None = None
    run: int | None = None  # how often the member was spawned in this supervisor's life
    round: int | None = None  # how often the group was started in it
    exit: Exit | None = None
    reason: Reason | None = None
    detail: str = ""
    goal: str = ""
    delay: float | None = None
    status: int | None = None  # the exit status of a supervisor that ended
    by: Caller | None = None


class MemberStatus(Document, frozen=True):
    name: str
    role: Role
    concern: str
    origin: str
    state: MemberState
    ready: bool
    pid: int | None
    restarts: int
    waits_for: list[str]
    started_at: str | None
    ready_at: str | None
    cpu_seconds: float | None  # of all its processes that live, user and system
    memory: int | None  # resident, of all its processes
    processes: int | None
    log: str  # where its output goes: terminal, none, a file's path, or journal:IDENTIFIER
    log_bytes: int  # that it has written since the supervisor started
    lost_lines: int  # of them, that did not get where they belong
    exit: Exit | None  # of the run before this one, or of the last
    cause: Cause | None
    ended_at: str | None = None  # of that run


class Status(Document, frozen=True):
    group: str
    state: GroupState
    ready: bool
    restarts: int
    containment: str  # cgroup or session; empty: it has ended
    manifest: str  # an absolute path
    pid: int | None  # the supervisor's
    started_at: str | None
    ready_at: str | None
    ended_at: str | None
    exit_status: int | None  # once it has ended
    degraded: list[str]
    cause: Cause | None  # of the last restart, or of the end
    members: list[MemberStatus]
    last_lines: list[str] = []  # once it has failed: of the member that was the cause
    why_not_contained_better: str = ""  # why its members have no cgroups


class LogLine(Document, frozen=True):
    """One line of a member's output, as it came; bytes that are not UTF-8 are U+FFFD."""

    at: str
    member: str
    run: int
    stream: Literal["stdout", "stderr"]
    message: str


class Dropped(Document, frozen=True):
    """What a follower of the logs was too slow for."""

    member: str
    bytes: int


class Bar(Document, frozen=True):
    """One member in the last start: seconds since the group's start; null: not yet."""

    member: str
    waited_for: list[str]
    spawned: float | None
    ready: float | None
    ended: float | None
    is_critical: bool


class Timeline(Document, frozen=True):
    group: str
    round: int
    at: str
    took: float | None  # until the group was ready
    bars: list[Bar]


class Why(Document, frozen=True):
    """The chain of causes of the last restart or end, the latest first, and in sentences."""

    text: str
    events: list[Event]


class Change(Document, frozen=True):
    """What a reload does to one member, and for which keys."""

    member: str
    action: Literal["start", "stop", "restart", "adjust", "next-start"]
    keys: list[str]
    text: str


class Reload(Document, frozen=True):
    """What a reload did, or would do."""

    dry_run: bool
    changes: list[Change]
    warnings: list[str]
    text: str


class Answer(Document, frozen=True):
    """To a request that changes something: what comes of it, one line a member."""

    text: str
    event: int  # the id of the request in the events


class Executed(Document, frozen=True):
    """How a command ended that was run in a member."""

    status: int  # as a shell has it: 128 + signal; 126: it can't be run, 127: it is not there
    code: int | None = None
    signal: str | None = None  # its name
    error: str | None = None  # why it could not be started, or was killed
    output: str = ""  # the first 64 KiB, where no descriptors were sent


class Failure(Document, frozen=True):
    """Every error's body."""

    error: str
    problems: list[str] = []
