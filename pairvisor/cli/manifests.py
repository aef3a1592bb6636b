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
        group = load(_find() if file is None else file, os.environ, os.geteuid())
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
    try:
        here = folder = os.getcwd()
    except FileNotFoundError:
        fail(
            "this folder has been removed: go to another, or name a manifest with -f", BAD_MANIFEST
        )
    while not os.path.exists(os.path.join(folder, NAME)):
        if folder == "/":
            fail(f"no {NAME} in {here} or a folder above it: name one with -f FILE", BAD_MANIFEST)
        folder = os.path.dirname(folder)
    return os.path.relpath(os.path.join(folder, NAME))
