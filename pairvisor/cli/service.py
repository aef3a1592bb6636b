"""A group as a service, from its name or manifest on. It is as light as can be until the guard is
forked."""

import os
from typing import NoReturn

from pairvisor.runtime import guard

FOLDER = "/etc/pairvisor"


def serve(manifest: str) -> NoReturn:
    """Run it. Below systemd this process is the supervisor: the unit's cgroup is the guard."""
    if guard.is_there():
        guard.do_without()
    else:
        guard.fork()
    from pairvisor.cli import foreground  # noqa: PLC0415 - after the guard

    path = path_of(manifest)
    foreground.serve(path, manifest if path != manifest else "")


def path_of(manifest: str) -> str:
    """The file that is meant. A file of that name in this folder has to be written as ./NAME."""
    from pairvisor.manifest.names import NAME  # noqa: PLC0415 - after the guard

    if not all(NAME.fullmatch(part) for part in manifest.split("@", 1)):
        return manifest
    path = f"{FOLDER}/{manifest}.toml"
    if not os.path.exists(path):
        from pairvisor.cli.exits import BAD_MANIFEST, fail  # noqa: PLC0415

        fail(f"{path}: no such file (a manifest elsewhere: ./{manifest})", BAD_MANIFEST)
    return path
