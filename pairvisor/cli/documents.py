"""The documents as JSON: for programs, so nothing about them depends on where they go."""

import sys
from collections.abc import Iterable

import msgspec


def show(document: object) -> None:
    """One that is whole, indented."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")


def show_lines(documents: Iterable[object]) -> None:
    """Each on a line of its own, as soon as it is there."""
    for document in documents:
        sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
        sys.stdout.flush()
