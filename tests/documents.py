"""Documents for tests, of a group that is ready and has nothing to it: a test says what has."""

from typing import Any

from msgspec.structs import replace

from pairvisor.record.model import Status

_STATUS = Status(
    group="shop",
    state="running",
    ready=True,
    restarts=0,
    containment="session",
    manifest="/srv/shop/pairvisor.toml",
    pid=7,
    started_at=None,
    ready_at=None,
    ended_at=None,
    exit_status=None,
    degraded=[],
    cause=None,
    members=[],
)


def status(**known: Any) -> Status:
    return replace(_STATUS, **known)
