"""The first module of pairvisor.pyz: unpacks the others, once for each version of the file, into
a folder that is this user's alone, and runs pairvisor from there.

The folder is named by what is in it, and gets its name when it is complete. It is trusted where
nobody else could have put something there: it and all above it are this user's or root's, and
writable by nobody else, or by the rules of /tmp.
"""

from __future__ import annotations  # this has to say to older Pythons that they are too old

import os
import stat
import sys

DIGEST = "@DIGEST@"
PYTHONS = "@PYTHONS@"
MACHINE = "@MACHINE@"
USAGE = 64  # sysexits.h: EX_USAGE
NOWHERE = 73  # EX_CANTCREAT


def main() -> None:
    """Run pairvisor, and exit."""
    python, machine = "{}.{}".format(*sys.version_info), os.uname().machine
    if python not in PYTHONS.split() or machine != MACHINE:
        fail(
            f"this file is for Python {PYTHONS} on {MACHINE}; this is {python} on {machine}", USAGE
        )
    archive = sys.path[0]
    sys.path[0] = _unpacked(archive)
    from pairvisor.__main__ import main as run  # noqa: PLC0415 - it is there from now on

    run()


def fail(message: str, code: int) -> None:
    sys.stderr.write(f"pairvisor: {message}\n")
    sys.exit(code)


def _unpacked(archive: str) -> str:
    """The folder with the modules."""
    reasons = []
    for place in _places():
        try:
            os.makedirs(place, 0o700, exist_ok=True)
            _check(place)
            folder = os.path.join(place, DIGEST)
            if not os.path.isdir(folder):
                _unpack(archive, place, folder)
        except OSError as error:
            reasons.append(f"{place}: {error.strerror}")
        else:
            return folder
    fail(f"nowhere to unpack to (set XDG_CACHE_HOME): {'; '.join(reasons)}", NOWHERE)
    raise AssertionError


def _places() -> list[str]:
    """Where it could be, the best first: what systemd sets for a unit's CacheDirectory=."""
    environ = os.environ
    found = environ.get("CACHE_DIRECTORY", "").split(":")[:1]
    found.append(os.path.join(environ.get("XDG_CACHE_HOME", ""), "pairvisor"))
    found.append(os.path.join(os.path.expanduser("~"), ".cache", "pairvisor"))
    found.append(f"/tmp/pairvisor-{os.geteuid()}-modules")  # noqa: S108 - it is checked
    return [os.path.realpath(place) for place in found if os.path.isabs(place)]


def _check(place: str) -> None:
    """Raise PermissionError where others could change what is in it."""
    above = place
    while above != "/":
        about = os.lstat(above)
        others = about.st_mode & 0o022 and not (above != place and about.st_mode & stat.S_ISVTX)
        if about.st_uid not in (0, os.geteuid()) or others or not stat.S_ISDIR(about.st_mode):
            raise PermissionError(1, f"{above} is another user's, or others may write to it")
        above = os.path.dirname(above)


def _unpack(archive: str, place: str, folder: str) -> None:
    import io  # noqa: PLC0415 - once only
    import shutil  # noqa: PLC0415
    import tempfile  # noqa: PLC0415
    import zipfile  # noqa: PLC0415

    made = tempfile.mkdtemp(dir=place)
    try:
        with zipfile.ZipFile(archive) as outer:
            modules = outer.read("modules.zip")
        with zipfile.ZipFile(io.BytesIO(modules)) as inner:
            inner.extractall(made)
        os.rename(made, folder)
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
        if not os.path.isdir(folder):  # by another one, at the same time
            raise


if __name__ == "__main__":
    main()
