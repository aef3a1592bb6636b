"""Paths in a manifest: relative ones stay below the folder that they are relative to."""

import os.path


def climbs(path: str) -> bool:
    """Whether a relative path leaves its folder."""
    return not path.startswith("/") and os.path.normpath(path).split("/")[0] == ".."


def below(folder: str, path: str) -> str:
    """The path, made absolute by the folder that it is relative to."""
    return os.path.normpath(os.path.join(folder, path))


def lies_in(folder: str, path: str) -> bool:
    """Whether an absolute path is that folder or below it, by its spelling."""
    path = os.path.normpath(path)
    return path == folder or path.startswith(f"{folder}/")
