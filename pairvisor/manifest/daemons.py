"""Programs that put themselves into the background, and how each is kept from it.

A supervisor must see its member end. From a program that forks and leaves it sees a success at
once, and a daemon stays behind.
"""

from collections.abc import Callable
from os.path import basename

_STAYS_ONLY_WITH: dict[str, tuple[Callable[[str], bool], str]] = {
    "nginx": (lambda words: "daemon off" in words, '-g "daemon off;"'),
    "syslog-ng": (lambda words: " -F" in words or " --foreground" in words, "-F"),
    "rsyslogd": (lambda words: " -n" in words, "-n"),
    "lsyncd": (lambda words: " -nodaemon" in words, "-nodaemon"),
}
_LEAVES_WITH: dict[str, tuple[tuple[str, ...], str]] = {
    "redis-server": (("--daemonize yes",), "--daemonize no"),
    "haproxy": (("-D",), "-W or -Ws instead of -D"),
    "caddy": (("start",), "run instead of start"),
    "gunicorn": (("--daemon", "-D"), "no --daemon"),
    "uwsgi": (("--daemonize", "-d"), "no --daemonize"),
    "apachectl": (("start",), "-D FOREGROUND instead of start"),
}


def how_to_stay(words: tuple[str, ...]) -> str:
    """Advice for a command that would go into the background; an empty text for others."""
    if not words:
        return ""
    program = basename(words[0])
    line = "".join(f" {word}" for word in words[1:])
    if program in _STAYS_ONLY_WITH:
        stays, with_what = _STAYS_ONLY_WITH[program]
        return "" if stays(line) else _advice(program, with_what)
    if program in _LEAVES_WITH:
        leaving, instead = _LEAVES_WITH[program]
        leaves = any(f" {option} " in f"{line} " for option in leaving)
        return _advice(program, instead) if leaves else ""
    return ""


def _advice(program: str, with_what: str) -> str:
    return f"{program} goes into the background, where it can't be watched; run it with {with_what}"
