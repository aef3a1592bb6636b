"""A group as the rest of pairvisor sees it: complete, checked, nothing left to look up.

`resolve` makes these from the written manifest (`model`). They are immutable; the core reads
the policy in them (order, fate, probes' thresholds, times), the runtime the rest. All times
are in seconds, `inf` where there is no limit.
"""

from enum import StrEnum
from math import inf

from msgspec import Struct

from pairvisor.manifest.errors import Problem


class Part(Struct, frozen=True):
    """A file's share in a manifest: its table at `inner` is the manifest's at `outer`.

    Of several that say something of one key the last one counts.
    """

    file: str
    outer: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()


class Role(StrEnum):
    INIT = "init"
    SIDECAR = "sidecar"
    PRIMARY = "primary"


class Gate(StrEnum):
    """What a member waits for in another one."""

    STARTED = "started"
    READY = "ready"
    SUCCEEDED = "succeeded"
    ENDED = "ended"


class Fate(StrEnum):
    """What a member's end does to its group."""

    RESTART_GROUP = "restart-group"
    RESTART = "restart"
    TEARDOWN = "teardown"
    IGNORE = "ignore"


class Purpose(StrEnum):
    """The three probes, as in Kubernetes."""

    STARTUP = "startup"
    READY = "ready"
    LIVE = "live"


class Hook(StrEnum):
    POST_START = "post_start"
    PRE_STOP = "pre_stop"
    POST_STOP = "post_stop"


class Method(StrEnum):
    """How a probe looks; what `Probe.target` holds is said beside each."""

    EXEC = "exec"  # the words of a command
    HTTP = "http"  # http://HOST:PORT/PATH, or unix:SOCKET:/PATH with an absolute SOCKET
    TCP = "tcp"  # HOST:PORT
    UNIX = "unix"  # an absolute path
    FILE = "file"  # an absolute path
    NOTIFY = "notify"  # nothing
    LOG = "log"  # a regular expression
    GRPC = "grpc"  # HOST:PORT


class Target(StrEnum):
    """Where a member's output goes, beside those that read it and `pairvisor logs`."""

    TERMINAL = "terminal"
    FILE = "file"
    JOURNAL = "journal"
    NONE = "none"


class LineFormat(StrEnum):
    """How a line is written where it goes."""

    TEXT = "text"  # time, member, stream, message
    JSON = "json"
    RAW = "raw"  # as it came


class Compression(StrEnum):
    """What a rotated file is compressed with."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


class SecretSource(StrEnum):
    """Where a secret's content is found."""

    FILE = "file"
    ENV = "env"
    COMMAND = "command"
    CREDENTIAL = "credential"  # of the supervisor's own, from systemd


class LogFile(Struct, frozen=True):
    """A file that grows to `max_size` bytes (0: without end); `keep` older ones stay beside it."""

    path: str  # absolute
    format: LineFormat = LineFormat.TEXT
    max_size: int = 10 << 20
    keep: int = 5
    compress: Compression = Compression.NONE


class Log(Struct, frozen=True):
    """What becomes of a member's output. `buffer` is in bytes, for each that does not take it."""

    to: Target = Target.TERMINAL
    file: LogFile | None = None
    buffer: int = 1 << 20
    drops: bool = False  # what is more than that, instead of letting the member wait


class Feed(Struct, frozen=True):
    """The members whose output one gets on its standard input."""

    sources: tuple[str, ...]
    format: LineFormat = LineFormat.JSON


class Probe(Struct, frozen=True):
    """One probe. `target` is one word for each method but exec and notify."""

    method: Method
    target: tuple[str, ...] = ()
    interval: float = 1.0
    timeout: float = 1.0
    failures: int = 3
    successes: int = 1
    delay: float = 0.0


class Restart(Struct, frozen=True):
    """The backoff's shape; `limit` restarts within `within` are allowed, 0 is no limit."""

    initial: float = 1.0
    max: float = 60.0
    factor: float = 2.0
    jitter: float = 0.1
    reset_after: float = 600.0
    limit: int = 0
    within: float = 600.0


class Limits(Struct, frozen=True):
    """What a member, or the whole group, may use at most: its cgroup's. None: no limit."""

    memory: int | None = None  # bytes
    cpu: float | None = None  # processors
    pids: int | None = None  # processes and threads
    io: int | None = None  # a weight, 1 to 10,000
    is_required: bool = True

    @property
    def written(self) -> list[str]:
        """Those that are set. Each is a controller's name, too."""
        return [name for name in ("memory", "cpu", "pids", "io") if getattr(self, name) is not None]


class ProcessLimits(Struct, frozen=True):
    """What each process of a member may use, as it is inherited from one to the next. `resources`
    are rlimits by setrlimit(2)'s names in lower case, -1 is unlimited; None: as we have it."""

    resources: dict[str, int] = {}
    nice: int | None = None
    oom_score_adj: int | None = None
    is_required: bool = True


class Identity(Struct, frozen=True):
    """Who a member is to the kernel. None: as the supervisor is."""

    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None  # supplementary ones; None where uid and gid are, too
    capabilities: tuple[str, ...] | None = None  # those that it keeps, in lower case, without cap_
    no_new_privileges: bool = True


class Secret(Struct, frozen=True):
    """Where a secret comes from; `value` is a path, a variable, a credential, or a command."""

    source: SecretSource
    value: tuple[str, ...]


class Volume(Struct, frozen=True):
    """A folder that the members share. `size` is in bytes, of one in memory; 0: no limit."""

    path: str
    is_memory: bool = False
    size: int = 0
    keep: bool = False
    mode: int = 0o2770


class File(Struct, frozen=True):
    """A small file that is written before the start; `path` is absolute."""

    path: str
    text: str
    mode: int = 0o640


class Reload(Struct, frozen=True):
    """How a member reads anew what it had read: by a signal or by a command."""

    signal: int | None = None
    command: tuple[str, ...] = ()


class Member(Struct, frozen=True, kw_only=True):
    """One process of a group, with all its descendants."""

    name: str
    role: Role
    command: tuple[str, ...] = ()
    working_dir: str = "/"
    env: dict[str, str] = {}
    umask: int = 0o022
    concern: str = ""
    origin: str = "manifest"
    watch: tuple[str, ...] = ()  # absolute globs
    log: Log = Log()
    stdin: Feed | None = None

    identity: Identity = Identity()
    limits: Limits = Limits()
    process_limits: ProcessLimits = ProcessLimits()
    secrets: tuple[str, ...] = ()
    secret_version: int = 0  # how often they have changed while the group ran
    files: tuple[File, ...] = ()  # its own, and those of the group's that it names
    reload: Reload | None = None  # None: by a restart
    reload_on: tuple[str, ...] = ()  # absolute globs of files whose change makes it do so
    check: tuple[str, ...] = ()  # must succeed before each start

    after: dict[str, Gate] = {}
    probes: dict[Purpose, Probe] = {}
    hooks: dict[Hook, tuple[str, ...]] = {}

    start_timeout: float = inf
    timeout: float = inf  # an init's, from its start to its end
    stop_signal: int = 15
    stop_grace: float = inf

    success_codes: frozenset[int] = frozenset({0})
    on_exit: dict[int, Fate] = {}  # by exit code; by signal as a negative number
    on_success: Fate = Fate.RESTART_GROUP
    on_failure: Fate = Fate.RESTART_GROUP

    @property
    def key(self) -> tuple[str, ...]:
        """The path of its table in the manifest, for messages and `Origins.find`."""
        if self.role is Role.PRIMARY:
            return ("primary",)
        return ("sidecars" if self.role is Role.SIDECAR else "init", self.name)


def control_in(run: str) -> str:
    """The control socket of the group whose runtime folder that is."""
    return f"{run}/control.sock"


OF_ALL = "_"  # beside the members' folders; no member has this name


class Places(Struct, frozen=True):
    """Where a group's folders are: absolute paths, which the runtime makes; `run` is removed."""

    run: str
    state: str  # what is known of the group when it has ended
    logs: str = ""  # the members' files, where some are asked for

    @property
    def control(self) -> str:
        """The socket that the group is controlled by."""
        return control_in(self.run)

    @property
    def sockets(self) -> str:
        return f"{self.run}/sockets"

    @property
    def volume(self) -> str:
        return f"{self.run}/volume"

    @property
    def volumes(self) -> str:
        """Further ones, a folder each."""
        return f"{self.run}/volumes"

    @property
    def secrets(self) -> str:
        """A folder for each member that has some."""
        return f"{self.run}/secrets"

    def secrets_of(self, member: str) -> str:
        return f"{self.secrets}/{member}"

    @property
    def files(self) -> str:
        """A folder for each member that has some, and one for the group's own."""
        return f"{self.run}/files"

    def files_of(self, member: str) -> str:
        return f"{self.files}/{member}"

    @property
    def shared_files(self) -> str:
        return f"{self.files}/{OF_ALL}"

    @property
    def kept(self) -> str:
        """Volumes that outlive the group."""
        return f"{self.state}/volumes"

    @property
    def notify(self) -> str:
        return f"{self.run}/notify"


class Access(StrEnum):
    """What a control group may do."""

    READ = "read"
    FULL = "full"


class ControlGroup(Struct, frozen=True):
    """The Unix group whose users may use the control socket, beside root and the owner."""

    name: str
    gid: int
    access: Access = Access.READ


class Endpoint(Struct, frozen=True):
    """Where something listens: a Unix socket's absolute path, or else a loopback address."""

    path: str = ""
    host: str = ""  # 127.0.0.1, or ::1 without brackets
    port: int = 0


class Group(Struct, frozen=True, kw_only=True):
    """What one manifest describes. `members` has the inits, the sidecars, then the
    primary, each kind in the manifest's order."""

    name: str
    manifest: str = "pairvisor.toml"  # the file's path, as the user gave it
    places: Places
    members: dict[str, Member]
    labels: dict[str, str] = {}
    grace: float = 30.0
    start_timeout: float = 300.0
    max_runtime: float = inf
    restart: Restart = Restart()
    control_group: ControlGroup | None = None
    metrics: Endpoint | None = None
    limits: Limits = Limits()
    secrets: dict[str, Secret] = {}
    volumes: dict[str, Volume] = {}
    files: tuple[File, ...] = ()  # of no member
    parts: tuple[Part, ...] = ()  # the files that the manifest is made of
    warnings: tuple[Problem, ...] = ()

    @property
    def is_unprivileged(self) -> bool:
        """Whether no member gets new privileges."""
        return all(m.identity.no_new_privileges for m in self.members.values())

    @property
    def reloads_files(self) -> bool:
        """Whether some member reloads when files change."""
        return any(member.reload_on for member in self.members.values())

    @property
    def primary(self) -> Member:
        return next(m for m in self.members.values() if m.role is Role.PRIMARY)
