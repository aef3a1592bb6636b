"""What the commands that read a manifest share: the search, and the complaint."""

import os
import sys
from typing import NoReturn

from pairvisor.manifest.errors import ManifestError
from pairvisor.manifest.group import Group
from pairvisor.manifest.load import load

NAME = "pairvisor.toml"
BAD_MANIFEST = 78  # sysexits.h: EX_CONFIG


def load_or_exit(file: str | None) -> Group:
    """The group that the manifest describes; otherwise all that is wrong, and exit code 78."""
    try:
        group = load(file or _find(), os.environ, os.geteuid())
    except ManifestError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        sys.exit(BAD_MANIFEST)
    for warning in group.warnings:
        sys.stderr.write(f"{warning} (warning)\n")
    return group


def fail(message: str, code: int) -> NoReturn:
    """One line on stderr, and the exit code."""
    sys.stderr.write(f"pairvisor: {message}\n")
    sys.exit(code)


def _find() -> str:
    """The nearest manifest, from this folder up; as short a path as there is."""
    here = folder = os.getcwd()
    while not os.path.exists(os.path.join(folder, NAME)):
        if folder == "/":
            fail(f"no {NAME} in {here} or a folder above it: name one with -f FILE", BAD_MANIFEST)
        folder = os.path.dirname(folder)
    return os.path.relpath(os.path.join(folder, NAME))
