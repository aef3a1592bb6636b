"""Where a group's folders are, from its name and the supervisor's user and environment alone."""

from collections.abc import Mapping

from pairvisor.manifest.group import Places

SYSTEM = "/etc/pairvisor"
ROOTS_SESSION = "/run/user/0"  # of pam_systemd(8)
LONGEST_SOCKET = 107  # bytes: sun_path of unix(7) is 108 with its terminating NUL


def find_places(name: str, environ: Mapping[str, str], uid: int) -> Places:
    """The group's folders.

    systemd's RUNTIME_DIRECTORY=, STATE_DIRECTORY= and LOGS_DIRECTORY= are made for this one service
    and are taken as they are; the others are shared, so the group's name is put below them. A
    relative path counts as none, as the XDG Base Directory Specification has it.
    """
    state = _own("STATE_DIRECTORY", environ) or f"{_all_states(environ, uid)}/{name}"
    return Places(
        run=_own("RUNTIME_DIRECTORY", environ) or f"{_all_run(environ, uid)}/{name}",
        state=state,
        logs=_own("LOGS_DIRECTORY", environ) or _logs(name, state, environ, uid),
    )


def system_configuration(environ: Mapping[str, str]) -> str:
    """The folder of what the system's administrators have written, as systemd.exec(5) tells it."""
    return _own("CONFIGURATION_DIRECTORY", environ) or SYSTEM


def user_configuration(environ: Mapping[str, str], uid: int) -> str:
    """The folder of what a user has written for all of his groups."""
    folder = environ.get("XDG_CONFIG_HOME", "")
    if not folder.startswith("/"):
        folder = f"{_home(environ, uid)}/.config"
    return f"{folder.rstrip('/')}/pairvisor"


def _logs(name: str, state: str, environ: Mapping[str, str], uid: int) -> str:
    is_the_systems = uid == 0 and not environ.get("XDG_STATE_HOME", "").startswith("/")
    return f"/var/log/pairvisor/{name}" if is_the_systems else f"{state}/logs"


def _own(variable: str, environ: Mapping[str, str]) -> str:
    given = environ.get(variable, "").split(":")[0]
    return given if given.startswith("/") else ""


def _all_run(environ: Mapping[str, str], uid: int) -> str:
    """The runtime folder of all groups of this user. Root's are the system's: what a login has made
    for root goes with it."""
    folder = environ.get("XDG_RUNTIME_DIR", "").rstrip("/")
    if folder.startswith("/") and folder != ROOTS_SESSION:
        return f"{folder}/pairvisor"
    if uid == 0:
        return "/run/pairvisor"
    temporary = environ.get("TMPDIR") or "/tmp"  # noqa: S108 - the runtime checks the folder's owner
    return f"{temporary.rstrip('/')}/pairvisor-{uid}"


def _all_states(environ: Mapping[str, str], uid: int) -> str:
    """The state folder of all groups of this user."""
    folder = environ.get("XDG_STATE_HOME", "")
    if folder.startswith("/"):
        return f"{folder.rstrip('/')}/pairvisor"
    if uid == 0:
        return "/var/lib/pairvisor"
    return f"{_home(environ, uid)}/.local/state/pairvisor"


def _home(environ: Mapping[str, str], uid: int) -> str:
    home = environ.get("HOME", "")
    return (home if home.startswith("/") else _home_of(uid)).rstrip("/")


def _home_of(uid: int) -> str:
    import pwd  # noqa: PLC0415 - it may ask a name server; seldom needed

    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return "/nonexistent"  # as Debian calls the home of those that have none
