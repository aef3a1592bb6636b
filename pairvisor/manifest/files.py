"""Small files that are written before the start, for the programs that want one."""

from collections.abc import Iterable, Mapping

from pairvisor.manifest import model
from pairvisor.manifest.group import File, Member
from pairvisor.manifest.interpolate import Interpolator
from pairvisor.manifest.report import Report

LARGEST = 1 << 20  # bytes


def names(written: Iterable[str], folder: str) -> dict[str, str]:
    """What `${files.NAME}` stands for."""
    return {f"files.{name}": f"{folder}/{name}" for name in written}


def resolve_files(
    written: Mapping[str, model.File], folder: str, interpolator: Interpolator, report: Report
) -> tuple[File, ...]:
    """Those that go into `folder`."""
    return tuple(
        _file(name, table, folder, interpolator, report.at(name)) for name, table in written.items()
    )


def _file(
    name: str, table: model.File, folder: str, interpolator: Interpolator, report: Report
) -> File:
    if name in ("", ".", "..") or not name.isprintable() or "/" in name or "}" in name:
        report.error('a file\'s name, without a folder: [files."nginx.conf"]')
    text = interpolator.fill(table.text, report.at("text"))
    if len(text.encode(errors="surrogateescape")) > LARGEST:
        report.at("text").error(f"at most {LARGEST >> 10} KiB")
    return File(f"{folder}/{name}", text, table.mode)


def named_by(member: Member, files: tuple[File, ...]) -> tuple[File, ...]:
    """Those that some word of the member's has."""
    if not files:
        return ()
    words = [
        *member.command,
        *member.check,
        *member.env.values(),
        *(word for words in member.hooks.values() for word in words),
        *(word for probe in member.probes.values() for word in probe.target),
        *(file.text for file in member.files),
    ]
    return tuple(file for file in files if any(file.path in word for word in words))
