"""Who a member is to the kernel: its user, its groups, the capabilities that it keeps.

Users and groups are named, or numbered from 0 to 4294967294: 4294967295 is -1, which setresuid(2)
takes for "as it is". Nothing is left to guess: what can't be found is an error.
"""

import os
from collections.abc import Iterable

from msgspec import Struct

from pairvisor.manifest import model
from pairvisor.manifest.capabilities import CAPABILITIES
from pairvisor.manifest.group import Identity
from pairvisor.manifest.report import Report
from pairvisor.manifest.units import shown

MOST = 2**32 - 2


class User(Struct, frozen=True):
    """One of passwd(5), or a number that has none: then it has no name either."""

    uid: int
    gid: int | None = None
    name: str = ""
    home: str = "/"
    shell: str = "/bin/sh"

    @property
    def variables(self) -> dict[str, str]:
        """What a login would tell it of itself."""
        named = {"USER": self.name, "LOGNAME": self.name} if self.name else {}
        return {"HOME": self.home, "SHELL": self.shell, **named}


def find_user(written: str | int | None, report: Report) -> User | None:
    """The user, or None where there is none, which is then reported."""
    if written is None:
        return None
    import pwd  # noqa: PLC0415 - it may ask a name server; seldom needed

    number = _number(written, report)
    try:
        entry = pwd.getpwnam(str(written)) if number is None else pwd.getpwuid(number)
    except (KeyError, ValueError):  # the latter for a NUL
        if number is None:
            report.error(_why_none("user", written, [each.pw_name for each in pwd.getpwall()]))
            return None
        return User(number)
    return User(entry.pw_uid, entry.pw_gid, entry.pw_name, entry.pw_dir, entry.pw_shell)


def _find_group(written: str | int, report: Report) -> int | None:
    import grp  # noqa: PLC0415 - it may ask a name server; seldom needed

    number = _number(written, report)
    if number is not None:
        return number
    try:
        return grp.getgrnam(str(written)).gr_gid
    except (KeyError, ValueError):
        report.error(_why_none("group", written, [each.gr_name for each in grp.getgrall()]))
        return None


def _number(written: str | int, report: Report) -> int | None:
    """What is written as one; None: it is a name."""
    if isinstance(written, str) and not (written.isascii() and written.isdecimal()):
        return None
    number = int(written) if len(str(written)) <= len(str(MOST)) else MOST + 1
    if not 0 <= number <= MOST:
        report.error(f"a number from 0 to {MOST}, not {shown(written)}")
    return number


def _why_none(what: str, written: object, names: Iterable[str]) -> str:
    from pairvisor.manifest.hints import did_you_mean  # noqa: PLC0415 - costs time, seldom needed

    if not written:
        return "the text is empty"
    near = did_you_mean(str(written), list(names))
    advice = near or f": make it ({what}add {written}), or name another"
    return f"this machine has no {what} {shown(written)}{advice}"


def resolve_identity(table: model.Process, user: User | None, uid: int, report: Report) -> Identity:
    """`uid` is the supervisor's, `user` the one that the member is to be."""
    _check_rights(table, user, uid, report)
    group = None if table.group is None else _find_group(table.group, report.at("group"))
    gid = user.gid if group is None and user is not None else group
    if user is not None and gid is None:
        report.at("user").error(f"no user has the number {user.uid}: write its group, too")
    is_other = user is not None or group is not None or bool(table.supplementary_groups)
    return Identity(
        uid=user.uid if user else None,
        gid=gid,
        groups=_groups(table, user, gid, report) if is_other else None,
        capabilities=_capabilities(table.capabilities, report.at("capabilities")),
        no_new_privileges=table.no_new_privileges,
    )


def _check_rights(table: model.Process, user: User | None, uid: int, report: Report) -> None:
    if uid == 0:
        return
    if user is not None and user.uid != uid:
        report.at("user").error(
            f"only root can start a member as another user: run the group as root, or as "
            f'"{user.name or user.uid}" and leave this out'
        )
    for key in ("group", "supplementary_groups"):
        if getattr(table, key) not in (None, []):
            report.at(key).error("only root can give a member other groups than its own")
    if table.capabilities:
        report.at("capabilities").error("only root can give a member capabilities")


def _groups(
    table: model.Process, user: User | None, gid: int | None, report: Report
) -> tuple[int, ...]:
    """The user's own, as a login would give it, and those that are named; without the main one."""
    found = set(os.getgrouplist(user.name, gid or 0)) if user and user.name else set[int]()
    for index, written in enumerate(table.supplementary_groups):
        group = _find_group(written, report.at("supplementary_groups", index))
        found |= set() if group is None else {group}
    return tuple(sorted(found - {gid}))


def _capabilities(written: list[str] | None, report: Report) -> tuple[str, ...] | None:
    if written is None:
        return None
    names = [name.lower().removeprefix("cap_") for name in written]
    for index, name in enumerate(names):
        if name not in CAPABILITIES:
            report.at(index).error(_why_no_capability(name, written[index]))
    return tuple(sorted(set(names)))


def _why_no_capability(name: str, written: str) -> str:
    from pairvisor.manifest.hints import did_you_mean  # noqa: PLC0415 - costs time, seldom needed

    near = did_you_mean(name.upper(), [f"CAP_{each.upper()}" for each in CAPABILITIES])
    return f"no capability is called {shown(written)}{near or ' (see capabilities(7))'}"
