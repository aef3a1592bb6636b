"""What is known of a group that does not run, from its state folder."""

from pairvisor.cli.groups import Target
from pairvisor.record.model import Event, Status, Why


def result(target: Target) -> Status | None:
    """How it was when it ended."""
    return None


def events(target: Target) -> list[Event]:
    """All that is still known to have happened to it."""
    return []


def why(target: Target, member: str | None) -> Why | None:
    """The chain of causes of the last end."""
    return None
