"""Which ways each member's lines go: made from the group's specification, and anew at a reload."""

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from pairvisor.manifest.group import Group, LogFile, Member, Target
from pairvisor.runtime.logs.lines import FORMATS, Data, Lines
from pairvisor.runtime.logs.outlet import Account, Keeper, Outlet
from pairvisor.runtime.logs.terminal import Terminal

if TYPE_CHECKING:
    from pairvisor.runtime.logs.feed import Input
    from pairvisor.runtime.logs.journal import Journal

Format = Callable[[Lines], Iterator[Data]]


class Way(Struct, frozen=True, eq=False):
    """One of the places where a member's lines go."""

    outlet: Outlet
    account: Account
    format: Format

    @property
    def is_blocked(self) -> bool:
        return self.outlet.is_full(self.account)

    @property
    def is_easy(self) -> bool:
        """Whether one that has waited because of this may go on."""
        has_room = self.account.pending <= self.account.limit // 2
        return has_room or self.account.drops or self.outlet.is_over


class Routes:
    """All members'. What would go to the terminal goes to `journal` where the supervisor's own
    words do, and nowhere if there is neither.

    `outlets` are all but the terminal; of these, `inputs` are those to readers, by member.
    """

    def __init__(
        self, terminal: Terminal | None, keeper: Keeper, journal: "Journal | None" = None
    ) -> None:
        self.outlets: list[Outlet] = []
        self.inputs: dict[str, Input] = {}
        self._terminal = terminal
        self._keeper = keeper
        self._ways: dict[str, tuple[Way, ...]] = {}
        self._files: dict[str, Outlet] = {}  # by path
        self._has_own = journal is not None
        self._journal = journal

    def of(self, member: str) -> tuple[Way, ...]:
        return self._ways.get(member, ())

    def leading_to(self, outlet: Outlet) -> list[str]:
        """The members whose lines go there."""
        return [n for n, ways in self._ways.items() if any(w.outlet is outlet for w in ways)]

    def adopt(self, group: Group, writing: Collection[str]) -> None:
        """The group is this from now on. Those that leave it, but still write, keep their ways."""
        before = self.outlets
        self._adopt_inputs(group)
        last_ways = {n: ways for n, ways in self._ways.items() if n in writing}
        ways = {member.name: self._new_ways(group, member) for member in group.members.values()}
        self._ways = last_ways | ways
        used = [way.outlet for of_one in self._ways.values() for way in of_one]
        self._files = {n: o for n, o in self._files.items() if o in used}
        if self._journal not in used and not self._has_own:
            self._journal = None
        journals = [self._journal] if self._journal is not None else []
        self.outlets = [*self._files.values(), *journals, *self.inputs.values()]
        for outlet in before:
            if outlet not in self.outlets and outlet not in used:
                _retire(outlet)

    def _adopt_inputs(self, group: Group) -> None:
        readers = [m.name for m in group.members.values() if m.stdin is not None]
        if readers:
            from pairvisor.runtime.logs.feed import Input  # noqa: PLC0415 - few groups have one

            self.inputs = {n: self.inputs.get(n) or Input(n, self._keeper) for n in readers}
        else:
            self.inputs = {}

    def _new_ways(self, group: Group, member: Member) -> tuple[Way, ...]:
        found = [*self._target(group, member), *self._readers(group, member)]
        return tuple(Way(outlet, self._account(outlet, member), form) for outlet, form in found)

    def _target(self, group: Group, member: Member) -> Iterator[tuple[Outlet, Format]]:
        """Where its `log` lets it go."""
        is_usual = member.log.to is Target.TERMINAL
        if is_usual and self._terminal is not None:
            yield self._terminal, self._terminal.lines
        elif member.log.to is Target.JOURNAL or (is_usual and self._has_own):
            journal = self._the_journal(group)
            yield journal, journal.lines
        elif member.log.file is not None:
            yield self._file(member.log.file, member, group), FORMATS[member.log.file.format]

    def _readers(self, group: Group, member: Member) -> Iterator[tuple[Outlet, Format]]:
        for reader in group.members.values():
            if reader.stdin is not None and member.name in reader.stdin.sources:
                yield self.inputs[reader.name], FORMATS[reader.stdin.format]

    def _the_journal(self, group: Group) -> "Journal":
        from pairvisor.runtime.logs.journal import Journal  # noqa: PLC0415 - few groups have one

        if self._journal is None:
            self._journal = Journal(group.name, self._keeper)
        return self._journal

    def _file(self, spec: LogFile, member: Member, group: Group) -> Outlet:
        from pairvisor.runtime.logs.file import File  # noqa: PLC0415 - few groups have one

        file = self._files.get(spec.path)
        if not isinstance(file, File):
            file = File(spec, member.name, group.places.logs, self._keeper)
            self._files[spec.path] = file
        file.spec = spec
        return file

    def account(self, outlet: Outlet, member: str) -> Account:
        """The one that there is, so that what waits is still known."""
        found = next((way.account for way in self.of(member) if way.outlet is outlet), None)
        return found or Account(member, 0, drops=not member)

    def _account(self, outlet: Outlet, member: Member) -> Account:
        """Its terms may be new."""
        account = self.account(outlet, member.name)
        account.limit, account.drops = member.log.buffer, member.log.drops
        return account


def _retire(outlet: Outlet) -> None:
    outlet.flush()
    outlet.abandon()
    outlet.close()
