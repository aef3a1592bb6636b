"""Who may control the group beside its owner, and where its metrics are served.

Metrics are served without a password and name all that runs, so only this machine gets them; an
agent on it, or a proxy with a password, hands them on.
"""

import os

from pairvisor.manifest import model
from pairvisor.manifest.addresses import is_loopback, packed, split_address
from pairvisor.manifest.group import Access, ControlGroup, Endpoint, Places
from pairvisor.manifest.interpolate import Interpolator
from pairvisor.manifest.paths import below, climbs
from pairvisor.manifest.probes import check_socket_length
from pairvisor.manifest.report import Report


def resolve_control_group(
    written: str | model.ControlGroup | None, uid: int, report: Report
) -> ControlGroup | None:
    """The Unix group, or None where there is none of that name, which is then reported."""
    if written is None:
        return None
    if isinstance(written, str):
        name, access = written, Access.READ
    else:
        name, access, report = written.name, written.access, report.at("name")
    gid = _find_gid(name)
    if gid is None:
        report.error(_why_no_group(name))
        return None
    if uid != 0 and gid not in (os.getegid(), *os.getgroups()):
        report.warn(
            f'only root and members of "{name}" can give it the control socket: add the user that '
            f"runs the group (usermod -aG {name} USER, then log in again)"
        )
    return ControlGroup(name, gid, access)


def _find_gid(name: str) -> int | None:
    import grp  # noqa: PLC0415 - it may ask a name server; seldom needed

    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):  # the latter for a NUL
        return None


def _why_no_group(name: str) -> str:
    import grp  # noqa: PLC0415

    from pairvisor.manifest.hints import did_you_mean  # noqa: PLC0415 - costs time, seldom needed
    from pairvisor.manifest.units import shown  # noqa: PLC0415

    if not name:
        return "the text is empty"
    near = did_you_mean(name, [each.gr_name for each in grp.getgrall()])
    said = f"this machine has no group {shown(name)}"
    return said + (near or f": make it (groupadd {name}), or name another")


def resolve_metrics(
    written: str | None, places: Places, interpolator: Interpolator, report: Report
) -> Endpoint | None:
    """Where the metrics are served, or None where that can't be, which is then reported."""
    if written is None:
        return None
    text = interpolator.fill(written, report)
    if "\0" in text:
        report.error("a text can't have a NUL character")
        return None
    if text.startswith(("unix:", "/")):
        return _socket(text.removeprefix("unix:"), places, report)
    return _loopback(text, report)


def _socket(text: str, places: Places, report: Report) -> Endpoint | None:
    if not text:
        report.error('the path is missing: write "unix:metrics.sock"')
        return None
    if climbs(text):
        report.error(f'"{text}" leaves ${{sockets}}, the folder it is relative to')
    path = below(places.sockets, text)
    check_socket_length(path, report)
    return Endpoint(path=path)


def _loopback(text: str, report: Report) -> Endpoint | None:
    try:
        written, port = split_address(text)
    except ValueError as error:
        report.error(str(error) if ":" in text else f'{error} (or "unix:metrics.sock")')
        return None
    host = "127.0.0.1" if written == "localhost" else written
    if not is_loopback(packed(host)):
        report.error(
            f'"{written}" is not an address of this machine\'s own: metrics have no password, so '
            f'write "127.0.0.1:{port}", and let an agent here, or a proxy with one, hand them on'
        )
        return None
    return Endpoint(host=host.strip("[]"), port=int(port))
