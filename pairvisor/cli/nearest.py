"""The manifest that is meant where none is named."""

import os

from pairvisor.cli.exits import BAD_MANIFEST, fail

NAME = "pairvisor.toml"


def nearest(otherwise: str = "name one with -f FILE") -> str:
    """The nearest manifest, from this folder up; as short a path as there is.

    Where there is none, that is the end, and what to do `otherwise` is said.
    """
    try:
        here = os.getcwd()
    except FileNotFoundError:
        fail(
            "this folder has been removed: go to another, or name a manifest with -f", BAD_MANIFEST
        )
    found = folder_above(here)
    if found is None:
        fail(f"no {NAME} in {here} or a folder above it: {otherwise}", BAD_MANIFEST)
    return os.path.relpath(os.path.join(found, NAME))


def folder_above(folder: str) -> str | None:
    """The nearest one with a manifest, from this folder up."""
    while not os.path.exists(os.path.join(folder, NAME)):
        if folder == "/":
            return None
        folder = os.path.dirname(folder)
    return folder
