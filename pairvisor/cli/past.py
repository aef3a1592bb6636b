"""What is known of a group that does not run, from its state folder."""

import os

from pairvisor.cli.groups import Target
from pairvisor.manifest.places import find_places
from pairvisor.record import ending
from pairvisor.record.model import Event, Status, Timeline, Why
from pairvisor.runtime import history


def result(target: Target) -> Status | None:
    """How it was when it ended."""
    return _result(target.name, target.state, target.manifest)


def results() -> list[Status]:
    """Of all groups of this user, as far as their state folders are where they usually are."""
    folder, name = os.path.split(find_places("a", os.environ, os.geteuid()).state)
    try:
        names = sorted(os.listdir(folder)) if name == "a" else []
    except OSError:
        return []
    found = (_result(name, f"{folder}/{name}", None) for name in names)
    return [status for status in found if status is not None]


def events(target: Target) -> list[Event]:
    """All that is still known to have happened to it."""
    known = history.read_events(target.state)[0]
    return ending.with_end(known, result(target))


def why(target: Target, member: str | None) -> Why | None:
    """The chain of causes of the last end."""
    from pairvisor.record.why import why as explain  # noqa: PLC0415 - for few

    known = events(target)
    return explain(target.name, known, member, runs=False) if known else None


def timeline(target: Target) -> Timeline | None:
    """Of the last start. Who waits for whom, the manifest tells, as it is now."""
    from pairvisor.cli.manifests import load_or_exit  # noqa: PLC0415 - for few
    from pairvisor.record.timeline import timeline as draw  # noqa: PLC0415 - for few

    known, last = events(target), result(target)
    manifest = target.manifest or (last.manifest if last else "")
    return draw(known, load_or_exit(manifest)) if known and manifest else None


def _result(name: str, folder: str, manifest: str | None) -> Status | None:
    """Where it can't be read, or a supervisor was killed before it had one, events tell."""
    path = os.path.abspath(manifest) if manifest else ""
    try:
        found = history.read_result(folder)
    except history.DamagedError as error:
        return ending.status_of(name, history.read_events(folder)[0], path, str(error))
    if found is None:
        return None
    return found.status or ending.status_of(name, history.read_events(folder)[0], path)
