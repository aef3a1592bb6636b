"""A group as documents, for the pages and for the tests of what is drawn of one."""

from pairvisor.core.state import Reason
from pairvisor.manifest.group import Role
from pairvisor.record.model import Bar, Cause, Exit, MemberStatus, Timeline
from tests.documents import status

NOW = 1_777_636_800.0  # 2026-05-01T12:00:00Z
KILLED = Exit(signal="SIGKILL", out_of_memory=True)
CAUSE = Cause(
    reason=Reason.SIGNAL,
    text="tls was killed by SIGKILL (out of memory)",
    member="tls",
    exit=KILLED,
    at="2026-05-01T11:56:58.000Z",
)
INIT = MemberStatus(
    name="migrate",
    role=Role.INIT,
    concern="",
    origin="manifest",
    state="succeeded",
    ready=False,
    pid=None,
    restarts=1,
    waits_for=[],
    started_at="2026-05-01T11:57:00.000Z",
    ready_at=None,
    cpu_seconds=None,
    memory=None,
    processes=None,
    log="terminal",
    log_bytes=120,
    lost_lines=0,
    exit=Exit(code=0),
    ended_at="2026-05-01T11:57:00.600Z",
    cause=None,
)
TLS = MemberStatus(
    name="tls",
    role=Role.SIDECAR,
    concern="TLS termination",
    origin="manifest",
    state="running",
    ready=True,
    pid=21044,
    restarts=1,
    waits_for=[],
    started_at="2026-05-01T11:56:59.500Z",
    ready_at="2026-05-01T11:57:00.000Z",
    cpu_seconds=1.24,
    memory=12 << 20,
    processes=2,
    log="terminal",
    log_bytes=4096,
    lost_lines=0,
    exit=KILLED,
    ended_at="2026-05-01T11:56:58.000Z",
    cause=CAUSE,
)
WEB = MemberStatus(
    name="web",
    role=Role.PRIMARY,
    concern="the shop itself",
    origin="manifest",
    state="running",
    ready=True,
    pid=21046,
    restarts=1,
    waits_for=[],
    started_at="2026-05-01T11:57:00.000Z",
    ready_at="2026-05-01T11:57:01.200Z",
    cpu_seconds=48.3,
    memory=310 << 20,
    processes=5,
    log="terminal",
    log_bytes=1 << 20,
    lost_lines=0,
    exit=Exit(signal="SIGTERM"),
    ended_at="2026-05-01T11:56:58.400Z",
    cause=None,
)
STATUS = status(
    restarts=1,
    pid=21040,
    started_at="2026-05-01T09:55:00.000Z",
    ready_at="2026-05-01T11:57:01.200Z",
    cause=CAUSE,
    members=[INIT, TLS, WEB],
)
TIMELINE = Timeline(
    group="shop",
    round=2,
    at="2026-05-01T11:56:59.000Z",
    took=2.2,
    bars=[
        Bar(
            member="migrate",
            waited_for=[],
            spawned=0.0,
            ready=None,
            ended=0.6,
            is_critical=True,
        ),
        Bar(
            member="tls",
            waited_for=["migrate"],
            spawned=0.6,
            ready=1.0,
            ended=None,
            is_critical=False,
        ),
        Bar(
            member="web",
            waited_for=["migrate"],
            spawned=0.6,
            ready=2.2,
            ended=None,
            is_critical=True,
        ),
    ],
)
