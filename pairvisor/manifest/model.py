"""The manifest as it is written: one type for each table, one field for each key.

msgspec decodes the TOML into these. What a key means is told in `reference`, which a test holds
against these types. `NOT_YET` names the keys that are part of the contract but that this version
can't honour: they are typed here and refused by `check`, never ignored.
"""

from typing import Any, Literal, TypeVar

from msgspec import Struct, field

from pairvisor.manifest.group import Access, Compression, Fate, Gate, LineFormat, Target
from pairvisor.manifest.units import Bound, Duration, Mode, SignalName, Size, Umask

Words = str | list[str]
_T = TypeVar("_T")


def _always(value: _T) -> _T:
    """A default that msgspec's JSON Schema leaves out, since it can't write these types."""
    return field(default_factory=lambda: value)


class Table(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What all tables have in common: a key that isn't known is an error."""


class Probe(Table, frozen=True):
    exec: Words | None = None
    http: str | None = None
    tcp: str | None = None
    unix: str | None = None
    file: str | None = None
    notify: bool | None = None
    log: str | None = None
    grpc: str | None = None
    interval: Duration = _always(Duration(1))
    timeout: Duration = _always(Duration(1))
    failures: int = 3
    successes: int = 1
    delay: Duration = _always(Duration(0))


class Hooks(Table, frozen=True):
    post_start: Words | None = None
    pre_stop: Words | None = None
    post_stop: Words | None = None


class Stop(Table, frozen=True):
    signal: SignalName = _always(SignalName(15))
    grace: Duration | None = None


class Reload(Table, frozen=True):
    signal: SignalName | None = None
    command: Words | None = None
    on_change: list[str] = []


class GroupLimits(Table, frozen=True):
    memory: Size | None = None
    cpu: float | None = None
    pids: int | None = None
    io: int | None = None
    required: bool = True


class Limits(GroupLimits, frozen=True):
    nofile: Bound | None = None
    nproc: Bound | None = None
    stack: Bound | None = None
    core: Bound | None = None
    memlock: Bound | None = None
    fsize: Bound | None = None
    nice: int | None = None
    oom_score_adj: int | None = None


class Log(Table, frozen=True):
    to: Target | None = None
    file: str | None = None
    format: LineFormat = LineFormat.TEXT
    max_size: Size = _always(Size(10 * 1024 * 1024))
    keep: int = 5
    compress: Compression = Compression.NONE
    buffer: Size = _always(Size(1024 * 1024))
    overflow: Literal["wait", "drop"] = "wait"


class Input(Table, frozen=True):
    from_: list[str] = field(name="from", default_factory=list)
    format: Literal["json", "raw"] = "json"


class File(Table, frozen=True):
    text: str
    mode: Mode = _always(Mode(0o640))


class Process(Table, frozen=True):
    """The keys that every member has."""

    command: Words | None = None
    working_dir: str | None = None
    env: dict[str, str] = {}
    env_file: str | list[str] = []
    clean_env: bool = False
    umask: Umask = _always(Umask(0o022))
    concern: str = ""
    after: list[str] | dict[str, Gate] | None = None
    files: dict[str, File] = {}
    check: Words | None = None
    install: str = ""
    success_codes: list[int] = field(default_factory=lambda: [0])
    on_exit: dict[str, Fate] = {}
    on_failure: Fate = Fate.RESTART_GROUP
    hooks: Hooks = _always(Hooks())
    stop: Stop = _always(Stop())

    user: str | int | None = None
    group: str | int | None = None
    supplementary_groups: list[str | int] = []
    no_new_privileges: bool = True
    capabilities: list[str] | None = None
    private_tmp: bool = False
    read_only: bool = False
    sockets: list[str] = []
    secrets: list[str] = []
    limits: Limits | None = None
    log: Log = _always(Log())


class Init(Process, frozen=True):
    timeout: Duration | None = None


class Serving(Process, frozen=True):
    """What a primary and a sidecar have and an init hasn't: it stays."""

    startup: Probe | None = None
    ready: Probe | None = None
    live: Probe | None = None
    start_timeout: Duration | None = None
    on_success: Fate = Fate.RESTART_GROUP
    watch: list[str] = []
    reload: Reload | None = None
    restart_mode: Literal["replace", "overlap"] = "replace"


class Sidecar(Serving, frozen=True):
    use: str | None = None
    with_: dict[str, Any] = field(name="with", default_factory=dict)
    stdin: list[str] | Input | None = None


class Primary(Serving, frozen=True):
    name: str | None = None
    on_success: Fate = Fate.TEARDOWN


class Restart(Table, frozen=True):
    initial: Duration = _always(Duration(1))
    max: Duration = _always(Duration(60))
    factor: float = 2.0
    jitter: float = 0.1
    reset_after: Duration = _always(Duration(600))
    limit: int = 0
    within: Duration = _always(Duration(600))


class Socket(Table, frozen=True):
    listen: str
    mode: str = "0660"
    backlog: int = 1024


class Volume(Table, frozen=True):
    size: Size | None = None
    medium: Literal["disk", "memory"] = "disk"
    keep: bool = False
    mode: Mode = _always(Mode(0o2770))
    mount: str | None = None


class Secret(Table, frozen=True):
    file: str | None = None
    env: str | None = None
    command: Words | None = None
    credential: str | None = None


class Network(Table, frozen=True):
    mode: Literal["host", "private"] = "host"
    outbound: Literal["none", "pasta", "slirp4netns", "veth"] = "none"


class ControlGroup(Table, frozen=True):
    name: str
    access: Access = Access.READ


class Manifest(Table, frozen=True):
    primary: Primary
    sidecars: dict[str, Sidecar] = {}
    init: dict[str, Init] = {}

    name: str | None = None
    labels: dict[str, str] = {}
    env: dict[str, str] = {}
    env_file: str | list[str] = []
    grace: Duration = _always(Duration(30))
    start_timeout: Duration = _always(Duration(300))
    max_runtime: Duration = _always(Duration(0))
    restart: Restart = _always(Restart())
    control_group: str | ControlGroup | None = None
    metrics: str | None = None

    sockets: dict[str, Socket] = {}
    volumes: dict[str, Volume] = {}
    secrets: dict[str, Secret] = {}
    network: Network | None = None
    limits: GroupLimits | None = None
    files: dict[str, File] = {}
    inject: bool = True


NOT_YET = {
    Manifest: frozenset("sockets network".split()),
    Process: frozenset("private_tmp read_only sockets".split()),
    Serving: frozenset(["restart_mode"]),
    Volume: frozenset(["mount"]),
}
