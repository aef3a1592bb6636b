"""A `Watch` over real files, on a loop of the test's own."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pairvisor.manifest.group import Group
from pairvisor.manifest.load import load
from pairvisor.runtime.interest import Concern, Interest
from pairvisor.runtime.watch import Listener, Seen, Watch
from tests.support import WITHIN

ENVIRON = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": "/run/user/1000"}
QUIET = 0.05  # seconds
SENTINEL = "sentinel"  # a file of a member that nothing else concerns


class Watching:
    """Writes down what it is told; `changes` are members and files, the latter below `folder`."""

    def __init__(self, folder: Path, text: str) -> None:
        self.folder = folder
        self.changes: list[tuple[str, str]] = []
        self.reloads = 0
        self.troubles: list[str] = []
        self.looks = 0
        self.loop = asyncio.new_event_loop()
        self._something = asyncio.Event()
        self.watch = self.loop.run_until_complete(self._begin(self.group(text)))

    def group(self, text: str) -> Group:
        """The manifest, with one member more."""
        sentinel = f'[sidecars.s]\ncommand = "true"\nwatch = ["src/{SENTINEL}", "{SENTINEL}"]\n'
        (self.folder / "pairvisor.toml").write_text(text + sentinel)
        return load(self.folder / "pairvisor.toml", ENVIRON, os.geteuid())

    async def _begin(self, group: Group) -> Watch:
        listener = Listener(self._changed, self._reload, self._troubled, self._looked)
        interest = Interest(group, str(self.folder / "pairvisor.toml"), is_developed=True)
        watch = Watch(interest, listener, QUIET)
        watch.start()
        return watch

    def _changed(self, concern: Concern, seen: Seen) -> None:
        self.changes.append((concern.member, os.path.relpath(seen.file, self.folder)))
        self._something.set()

    def _reload(self) -> None:
        self.reloads += 1
        self._something.set()

    def _troubled(self, troubles: list[str]) -> None:
        self.troubles = troubles
        self._something.set()

    def _looked(self) -> None:
        self.looks += 1
        self._something.set()

    def until(self, check: Callable[[], object]) -> None:
        """Run the loop until that is so."""
        self.loop.run_until_complete(asyncio.wait_for(self._until(check), WITHIN))

    async def _until(self, check: Callable[[], object]) -> None:
        while not check():
            await self._something.wait()
            self._something.clear()

    def until_told(self, member: str, file: str) -> None:
        self.until(lambda: (member, file) in self.changes)

    def heard(self, folder: str = "src") -> set[str]:
        """The files that anybody was told of since the last time; what was done has been seen."""
        (self.folder / folder / SENTINEL).write_text("x")
        sentinel = os.path.normpath(f"{folder}/{SENTINEL}")
        self.until_told("s", sentinel)
        files = {file for _, file in self.changes}
        self.changes.clear()
        return files - {sentinel}

    def end(self) -> None:
        self.watch.stop()
        assert self.watch.join(WITHIN)
        self.loop.close()


@contextmanager
def watching(folder: Path, globs: str = '"src/**/*.py"') -> Iterator[Watching]:
    """A primary that watches these globs, below a folder that has `src`."""
    (folder / "src").mkdir(exist_ok=True)
    watched = Watching(folder, f'[primary]\ncommand = "true"\nwatch = [{globs}]\n')
    try:
        watched.until(lambda: watched.looks)
        yield watched
    finally:
        watched.end()
