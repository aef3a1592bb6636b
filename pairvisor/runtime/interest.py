"""Whom a change of a file concerns: members, by their globs, or the group, by its manifest.

Editors don't just write: they lock, swap, back up and rename. What they leave beside a file, by
their habits' names, concerns nobody; a file that is put in another's place by rename does.
"""

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from pairvisor.manifest.compose import drop_ins_of
from pairvisor.manifest.globs import as_glob, compiled, fixed_part
from pairvisor.manifest.group import Group
from pairvisor.manifest.paths import lies_in


class Concern(NamedTuple):
    """Who is concerned by a change: a member, which restarts, or reloads what it has read; or the
    group, whose name here is none."""

    member: str
    reloads: bool = False


MANIFEST = Concern("")

_OTHERS = frozenset((".git", ".hg", ".svn", "__pycache__"))  # folders that programs keep there
_TEMPORARY = re.compile(
    r"""
      \..*\.s[u-w][a-z]      # Vim: swap files; nano: locks
    | 4913 | 5036 | 5159     # Vim: may it make files here? (buf_write_do_backup in bufwrite.c)
    | .*~                    # backups: Vim, Emacs, nano, gedit, Kate; Vim's undo files
    | \#.*\# | \.\#.*        # Emacs: auto-saved files; locks, which are links
    | \.goutputstream-.*     # GLib: gedit, GNOME Text Editor
    | .*___jb_\w+___         # JetBrains' safe write
    | \.subl.*\.tmp          # Sublime Text's atomic save
    | \..*\.kate-swp         # Kate
    | .*\.vsctmp             # Visual Studio Code's atomic save
    | \.~lock\..*\#          # LibreOffice
    """,
    re.VERBOSE | re.DOTALL,
)


class _Glob(Struct, frozen=True):
    concern: Concern
    fixed: str
    pattern: re.Pattern[str]
    is_deep: bool  # it may match in more than one folder

    def matches(self, path: str) -> bool:
        return (
            path.startswith(self.fixed)
            and self.pattern.fullmatch(path) is not None
            and not is_temporary(path[len(self.fixed) :])
        )


class Interest:
    """What a group wants to hear of. Immutable; `manifest` is an absolute path.

    While it is being developed that is more: the files that the manifest is made of, and those that
    a member is made of.
    """

    def __init__(self, group: Group, manifest: str, *, is_developed: bool) -> None:
        self.manifest = manifest
        self.is_developed = is_developed
        self._manifests: set[str] = set()
        members = group.members.values()
        reloading = [(Concern(m.name, reloads=True), glob) for m in members for glob in m.reload_on]
        restarting = [(Concern(m.name), glob) for m in members for glob in m.watch]
        if is_developed:
            files = {manifest, *(part.file for part in group.parts)}
            self._manifests = files | {os.path.realpath(file) for file in files}
            reloading += [*restarting, (MANIFEST, as_glob(drop_ins_of(manifest)) + "/*.toml")]
        volumes = (volume.path for volume in group.volumes.values())
        self._tops = [os.path.dirname(manifest), group.places.run, *volumes]
        self._globs = [_glob(concern, glob) for concern, glob in reloading]
        self._on_the_way = {p for glob in self._globs for p in self._way_to(glob.fixed)}

    def concerned(self, path: str) -> set[Concern]:
        """Whom it concerns that there is, or was, a file of this content."""
        if path in self._manifests:  # a reload restarts whom that concerns
            return {MANIFEST}
        return {glob.concern for glob in self._globs if glob.matches(path)}

    def is_on_the_way(self, path: str) -> bool:
        """Whether some glob looks nowhere but there or below."""
        return path in self._on_the_way

    def concerned_below(self, path: str) -> set[Concern]:
        """Whom it concerns that what was there is gone or elsewhere: those who look only there.

        A folder that ends deeper in a glob's tree says nothing: its files are reported apart, and
        programs make and remove empty ones.
        """
        return {glob.concern for glob in self._globs if lies_in(path, glob.fixed)}

    def folders(self) -> dict[str, bool]:
        """The folders to watch, those above first, and whether with all below; asks the disk.

        Those on the way to a glob's own belong to them: it may come later, or be replaced.
        """
        wanted = dict.fromkeys(sorted(map(os.path.dirname, self._manifests)), False)
        for glob in self._globs:
            *above, own = self._way_to(glob.fixed)
            wanted |= {folder: False for folder in _nearest(above) if folder not in wanted}
            if os.path.isdir(own):
                wanted[own] = wanted.get(own, False) or glob.is_deep
        return dict(sorted(wanted.items(), key=lambda item: len(item[0])))

    def missing(self) -> list[str]:
        """Where globs look and nothing is."""
        wanted = {glob.fixed for glob in self._globs if glob.concern != MANIFEST}
        return sorted(path for path in wanted if not os.path.lexists(path))

    def _way_to(self, path: str) -> list[str]:
        """The folders down to a path, and itself: from the manifest's, or one that is the group's
        own, or else from the root."""
        top = next((top for top in self._tops if lies_in(top, path)), "/")
        return [*reversed(list(_upwards(path, top)))]


def _glob(concern: Concern, glob: str) -> _Glob:
    fixed = fixed_part(glob)
    names = glob.split("/")[fixed.count("/") + 1 :]
    return _Glob(concern, fixed, compiled(glob), len(names) != 1 or names == ["**"])


def _upwards(path: str, top: str) -> Iterator[str]:
    while path != top:
        yield path
        path = os.path.dirname(path)
    yield top


def _nearest(folders: list[str]) -> list[str]:
    """Of the folders down to some path, those whose changes tell that it comes or goes.

    Elsewhere in the machine's tree much happens that is none of our business. A link that is put in
    another's place is seen there, too, a folder is not.
    """
    there = [folder for folder in folders if os.path.isdir(folder)]
    if folders[:1] != ["/"]:
        return there
    return [*map(os.path.dirname, filter(os.path.islink, there)), *there[-1:]]


def is_temporary(path: str) -> bool:
    """Whether it is an editor's or another program's own, by the names below a glob's folder."""
    names = path.split("/")
    return not _OTHERS.isdisjoint(names) or _TEMPORARY.fullmatch(names[-1]) is not None
