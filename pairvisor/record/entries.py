"""Events as the journal has them: journald's fields, of systemd.journal-fields(7) where it has one.

A MESSAGE_ID stands for a kind of event, so that `journalctl MESSAGE_ID=…` finds all of that kind.
"""

from collections.abc import Mapping
from functools import cache
from hashlib import sha1

from pairvisor.record.model import Event, Exit, Kind

NAMESPACE = bytes.fromhex("5d1c1f4ae7a04b7cb43a4e3d9b6f2e10")
ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6  # of syslog(3)
PRIORITIES = {
    Kind.FAULT: ERROR,
    Kind.MEMBER_UNKILLABLE: ERROR,
    Kind.RELOAD_FAILED: ERROR,
    Kind.REEXEC_FAILED: ERROR,
    Kind.MEMBER_FAILED: WARNING,
    Kind.MEMBER_KILLED: WARNING,
    Kind.LEFT_BEHIND: WARNING,
    Kind.REFUSED: WARNING,
    Kind.DEGRADED: WARNING,
    Kind.LINES_LOST: WARNING,
    Kind.GROUP_STARTED: NOTICE,
    Kind.GROUP_READY: NOTICE,
    Kind.GROUP_STOPPING: NOTICE,
    Kind.GROUP_OVERRULED: NOTICE,
    Kind.GROUP_BACKOFF: NOTICE,
    Kind.GROUP_ENDED: NOTICE,
    Kind.RELOADED: NOTICE,
    Kind.REEXECUTED: NOTICE,
    Kind.RECOVERED: NOTICE,
}


@cache
def message_id(kind: Kind) -> str:
    """A UUID of RFC 9562's version 5, as sd-id128(3) writes it."""
    digest = bytearray(sha1(NAMESPACE + kind.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    return digest.hex()


def priority(event: Event) -> int:
    """Of its kind; what is bad news in this case is a warning or an error."""
    if event.kind is Kind.GROUP_ENDED and event.goal == "failed":
        return ERROR
    if event.kind is Kind.GROUP_STOPPING and event.goal in ("restart", "fail"):
        return WARNING
    if event.kind is Kind.MEMBER_EXITED and event.exit and event.exit.error:
        return ERROR
    return PRIORITIES.get(event.kind, INFO)


def fields(event: Event) -> Mapping[str, object]:
    """All that the event says."""
    found = {
        "MESSAGE": event.text,
        "MESSAGE_ID": message_id(event.kind),
        "PRIORITY": priority(event),
        "EVENT": event.kind,
        "EVENT_ID": event.id,
        "EVENT_CAUSE": event.cause,
        "MEMBER": event.member,
        "RUN": event.run,
        "ROUND": event.round,
        "REASON": event.reason,
        "DETAIL": event.detail or None,
        "GOAL": event.goal or None,
        "DELAY": event.delay,
        **(_ended(event.exit) if event.exit else {}),
    }
    return {name: value for name, value in found.items() if value is not None}


def _ended(how: Exit) -> dict[str, object]:
    """As systemd says it of a service."""
    if how.signal is not None:
        return {"EXIT_CODE": "killed", "EXIT_STATUS": how.signal}
    return {"EXIT_CODE": "exited", "EXIT_STATUS": how.code} if how.code is not None else {}
