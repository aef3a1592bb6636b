"""Who is meant, and whether there are such members, before anything is asked about them."""

from collections.abc import Collection

from pairvisor.cli import exits
from pairvisor.cli.exits import fail
from pairvisor.cli.groups import suggestion
from pairvisor.manifest.group import Role
from pairvisor.record.model import Status


def meant(names: Collection[str], status: Status) -> tuple[str, ...]:
    """Each once; `primary` is the primary, whatever it is called. An unknown one is the end."""
    known = {member.name: member.name for member in status.members}
    there = ", ".join(known)
    known["primary"] = next((m.name for m in status.members if m.role is Role.PRIMARY), "primary")
    for name in names:
        if name not in known:
            hint = suggestion(name, list(known)) or f": it has {there}"
            fail(f'no member of {status.group} is called "{name}"{hint}', exits.USAGE)
    return tuple(dict.fromkeys(known[name] for name in names))
