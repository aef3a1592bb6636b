"""Where a member's output goes (`log`), and whose output a sidecar reads (`stdin`)."""

import os.path
from collections.abc import Mapping

from pairvisor.manifest import model
from pairvisor.manifest.entries import Entry, unknown_member
from pairvisor.manifest.group import (
    Compression,
    Feed,
    LineFormat,
    Log,
    LogFile,
    Member,
    Places,
    Role,
    Target,
)
from pairvisor.manifest.interpolate import Interpolator
from pairvisor.manifest.paths import below, climbs, lies_in
from pairvisor.manifest.programs import Programs
from pairvisor.manifest.report import Report
from pairvisor.manifest.units import shown

LEAST_BUFFER = 64 << 10  # bytes: one piece of what is read at a time
LEAST_SIZE = 1 << 10  # bytes
MOST_KEPT = 1000
OF_A_FILE = ("format", "max_size", "keep", "compress")


def resolve_log(
    written: model.Log, places: Places, interpolator: Interpolator, report: Report
) -> Log:
    target = written.to or (Target.FILE if written.file is not None else Target.TERMINAL)
    file = None
    if target is Target.FILE:
        file = _file(written, places, interpolator, report)
    else:
        _report_unused(written, target, report)
    if written.buffer < LEAST_BUFFER:
        report.at("buffer").error(f"at least {LEAST_BUFFER >> 10}KiB")
    return Log(target, file, written.buffer, written.overflow == "drop")


def _report_unused(written: model.Log, target: Target, report: Report) -> None:
    if written.file is not None:
        report.at("file").error(
            f'to = "{target}" says that there is no file: leave one of them out'
        )
        return
    default = model.Log()
    for key in OF_A_FILE:
        if getattr(written, key) != getattr(default, key):
            report.at(key).error('it is for a file only: name one, as in file = "shop.log"')


def _file(
    written: model.Log, places: Places, interpolator: Interpolator, report: Report
) -> LogFile | None:
    if written.file is None:
        report.at("to").error('missing beside it: file = "NAME.log"')
        return None
    if written.max_size and written.max_size < LEAST_SIZE:
        report.at("max_size").error(f"at least {LEAST_SIZE >> 10}KiB, or 0 for no limit")
    if not 0 <= written.keep <= MOST_KEPT:
        report.at("keep").error(f"between 0 and {MOST_KEPT}, not {shown(written.keep)}")
    _check_compression(written.compress, report.at("compress"))
    return LogFile(
        path=_path(written.file, places, interpolator, report.at("file")),
        format=written.format,
        max_size=written.max_size,
        keep=written.keep,
        compress=written.compress,
    )


def _check_compression(compression: Compression, report: Report) -> None:
    if compression is Compression.NONE:
        return
    if Programs().why_not(compression, "/", os.defpath):
        report.error(f"{compression} is not installed: apt-get install {compression}")


def _path(written: str, places: Places, interpolator: Interpolator, report: Report) -> str:
    filled = interpolator.fill(written, report)
    path = below(places.logs, filled)
    if "\0" in filled:
        report.error("a path can't have a NUL character")
    elif not filled or filled.endswith("/"):
        report.error("name a file")
    elif climbs(filled):
        report.error(
            f'"{filled}" leaves the folder of the logs, {places.logs} (an absolute path may)'
        )
    elif os.path.isdir(path):
        report.error(f"a folder: {path}")
    elif not _may_be_made(path, places):
        report.error(f"no such folder: {os.path.dirname(path)}")
    return path


def _may_be_made(path: str, places: Places) -> bool:
    folder = os.path.dirname(path)
    return any(lies_in(f, path) for f in (places.logs, places.run)) or os.path.isdir(folder)


def check_files(members: Mapping[str, Member], entries: list[Entry]) -> None:
    """Members may share a file, where they say the same of it."""
    first: dict[str, str] = {}
    for entry in entries:
        file = members[entry.name].log.file
        if file is None:
            continue
        other = first.setdefault(file.path, entry.name)
        if members[other].log.file != file:
            entry.report.at("log", "file").error(
                f'"{other}" writes to the same file, but says otherwise how: make them alike'
            )


def resolve_feeds(entries: list[Entry]) -> dict[str, Feed]:
    """The feed of each member that has one. What is wrong is reported."""
    names = {entry.name for entry in entries}
    primary = next((entry.name for entry in entries if entry.role is Role.PRIMARY), "")
    found = {}
    for entry in entries:
        table = entry.table
        if isinstance(table, model.Sidecar) and table.stdin is not None:
            found[entry.name] = _feed(table.stdin, entry, names, primary)
    return found


def _feed(written: list[str] | model.Input, entry: Entry, names: set[str], primary: str) -> Feed:
    report = entry.report.at("stdin")
    listed = isinstance(written, list)
    from_ = written if isinstance(written, list) else written.from_
    line_format = LineFormat.JSON if isinstance(written, list) else LineFormat(written.format)
    if not from_:
        report.error('name at least one member, as in stdin = ["primary"]')
    sources: dict[str, None] = {}
    for index, name in enumerate(from_):
        at = report.at(index) if listed else report.at("from", index)
        source = primary if name == "primary" else name
        if source not in names:
            at.error(unknown_member(name, entry, names))
        elif source == entry.name:
            at.error("a member can't read its own output")
        else:
            sources[source] = None
    return Feed(tuple(sources), line_format)
