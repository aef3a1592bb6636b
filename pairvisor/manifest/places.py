"""Where a group's folders are, from its name and the supervisor's environment alone."""

from collections.abc import Mapping

from pairvisor.manifest.group import Places

LONGEST_SOCKET = 107  # bytes: sun_path of unix(7) is 108 with its terminating NUL


def find_places(name: str, environ: Mapping[str, str], uid: int) -> Places:
    """The group's runtime folder.

    systemd's RUNTIME_DIRECTORY= is made for this one service and is taken as it is; the others
    are shared, so the group's name is put below them. A relative path counts as none, as the XDG
    Base Directory Specification has it.
    """
    given = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    if given.startswith("/"):
        return Places(run=given)
    folder = environ.get("XDG_RUNTIME_DIR", "")
    if folder.startswith("/"):
        return Places(run=f"{folder.rstrip('/')}/pairvisor/{name}")
    if uid == 0:
        return Places(run=f"/run/pairvisor/{name}")
    temporary = environ.get("TMPDIR") or "/tmp"  # noqa: S108 - the runtime checks the folder's owner
    return Places(run=f"{temporary.rstrip('/')}/pairvisor-{uid}/{name}")
