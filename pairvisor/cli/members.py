"""Whether there are such members, before anything is asked about them."""

from collections.abc import Collection

from pairvisor.cli import exits
from pairvisor.cli.exits import fail
from pairvisor.cli.groups import suggestion
from pairvisor.record.model import Status


def check(names: Collection[str], status: Status) -> None:
    """Otherwise that is the end."""
    there = [member.name for member in status.members]
    for name in names:
        if name not in there:
            hint = suggestion(name, there) or f": it has {', '.join(there)}"
            fail(f'no member of {status.group} is called "{name}"{hint}', exits.USAGE)
