"""Further shared folders beside the one that always exists."""

from collections.abc import Mapping

from pairvisor.manifest import model
from pairvisor.manifest.group import Places, Volume
from pairvisor.manifest.names import check_name
from pairvisor.manifest.report import Report

LEAST = 1 << 12  # bytes: a page


def resolve_volumes(
    written: Mapping[str, model.Volume], places: Places, uid: int, report: Report
) -> dict[str, Volume]:
    """By name."""
    return {name: _volume(name, v, places, uid, report.at(name)) for name, v in written.items()}


def _volume(name: str, written: model.Volume, places: Places, uid: int, report: Report) -> Volume:
    check_name(name, report)
    if written.mount is not None:
        report.at("mount").error("not supported yet")
    is_memory = written.medium == "memory"
    if written.size is not None and not is_memory:
        report.at("size").error('only a volume with medium = "memory" has a size of its own')
    elif written.size is not None and written.size < LEAST:
        report.at("size").error(f"at least {LEAST >> 10}KiB")
    if is_memory and written.keep:
        report.at("keep").error("memory does not outlive the group: leave one of them out")
    if is_memory and uid != 0:
        report.at("medium").error(
            "only root can make a volume in memory: leave it out (as another user, the group's "
            "runtime folder is in memory as a rule)"
        )
    folder = places.kept if written.keep else places.volumes
    return Volume(f"{folder}/{name}", is_memory, written.size or 0, written.keep, written.mode)
