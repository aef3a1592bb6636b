"""`load`: from a path to a `Group`, or to all that is wrong at once."""

import os
from collections.abc import Mapping

import msgspec

from pairvisor.manifest.compose import compose
from pairvisor.manifest.decode import decode
from pairvisor.manifest.errors import ManifestError
from pairvisor.manifest.group import Group
from pairvisor.manifest.model import Manifest
from pairvisor.manifest.report import Key, Place, Report
from pairvisor.manifest.resolve import Setting, resolve
from pairvisor.manifest.unsupported import refuse_unsupported


def load(
    path: str | os.PathLike[str], environ: Mapping[str, str], uid: int, text: str | None = None
) -> Group:
    """Read, check and resolve the manifest at `path`, for a supervisor of that environment.

    With `text`, as if the file had that. Raise ManifestError with all problems. What is odd but
    usable is in the group's `warnings`.
    """
    file = os.fspath(path)
    report = Report()
    composed = compose(file, environ, uid, report, text)
    refuse_unsupported(composed.data, report)
    manifest = decode(composed.data, Manifest, report)
    setting = Setting(file, environ, uid, composed.origins)
    group = resolve(manifest, setting, report) if manifest else None

    def find(key: Key) -> Place:
        from pairvisor.manifest.origins import Origins  # noqa: PLC0415 - only to say something

        return Origins(composed.parts, composed.texts).find(key)

    if group is None or report.failed:
        raise ManifestError(report.problems(find))
    warnings = tuple(report.warnings(find)) if report.warned else ()
    parts = tuple(msgspec.structs.replace(p, file=os.path.abspath(p.file)) for p in composed.parts)
    return msgspec.structs.replace(group, parts=parts, warnings=warnings)
