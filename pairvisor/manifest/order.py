"""Who waits for whom.

What a member writes in `after` is taken as it is. For the others it is derived: inits one after
the other, then the sidecars together, then the primary. Each derived wait is left out where the
awaited member itself waits for the waiting one, directly or through others; so what is derived
never makes a cycle, and what is written always wins. The primary's waits for sidecars are
derived before the sidecars' for inits: an init that waits for the primary comes after the
sidecars, then, and doesn't hold them up. A sidecar that reads an init's output waits for no init:
what is written before anybody reads it has to fit into a buffer.
"""

from collections.abc import Iterable, Iterator, Mapping

from pairvisor.manifest import model
from pairvisor.manifest.entries import Entry, unknown_member
from pairvisor.manifest.group import Fate, Feed, Gate, Group, Role
from pairvisor.manifest.report import Report
from pairvisor.manifest.stop import ends_after

Waits = dict[str, dict[str, Gate]]


def resolve_order(entries: list[Entry], feeds: Mapping[str, Feed]) -> Waits:
    """For each member, what it waits for in which others. Report unknown names and cycles."""
    by_name = {entry.name: entry for entry in entries}
    primary = next((entry.name for entry in entries if entry.role is Role.PRIMARY), "")
    written = {
        entry.name: _written(entry, by_name, primary)
        for entry in entries
        if entry.table.after is not None
    }
    if _report_cycles(written, by_name):
        return written
    waits = _Derivation(entries, written, feeds).derive()
    _check_stop(waits, feeds, by_name)
    return waits


def default_gate(entry: Entry) -> Gate:
    """What is waited for in a member where the manifest doesn't say.

    An init whose failure is ignored would never open "succeeded", and the group would hang.
    """
    if entry.role is not Role.INIT:
        return Gate.READY
    ignored = entry.table.on_failure is Fate.IGNORE or Fate.IGNORE in entry.table.on_exit.values()
    return Gate.ENDED if ignored else Gate.SUCCEEDED


def _written(entry: Entry, by_name: Mapping[str, Entry], primary: str) -> dict[str, Gate]:
    after = entry.table.after or {}
    waits: dict[str, Gate] = {}
    for index, name in enumerate(after):
        at = entry.report.at("after", name if isinstance(after, dict) else index)
        target = by_name.get(primary if name == "primary" else name)
        if target is None:
            at.error(unknown_member(name, entry, by_name))
        elif target is entry:
            at.error("a member can't wait for itself")
        else:
            gate = after[name] if isinstance(after, dict) else default_gate(target)
            _check_gate(gate, target, at)
            waits[target.name] = gate
    return waits


def _check_gate(gate: Gate, target: Entry, report: Report) -> None:
    if target.role is Role.INIT:
        if gate is Gate.READY:
            report.error(
                f'an init is never ready: wait until "{target.name}" has "succeeded" or "started"'
            )
    elif gate in (Gate.SUCCEEDED, Gate.ENDED) and not _may_just_end(target, gate):
        report.error(
            f'this can never come: when "{target.name}" ends, the group or that member is '
            f"restarted or torn down (unless {_ignoring(gate)})"
        )


def _may_just_end(target: Entry, gate: Gate) -> bool:
    fates = [*target.table.on_exit.values()]
    if not isinstance(target.table, model.Init):
        fates.append(target.table.on_success)
    if gate is Gate.ENDED:
        fates.append(target.table.on_failure)
    return Fate.IGNORE in fates


def _ignoring(gate: Gate) -> str:
    keys = 'on_success = "ignore"'
    return keys + (' or on_failure = "ignore"' if gate is Gate.ENDED else "") + " there"


def _report_cycles(waits: Waits, by_name: Mapping[str, Entry]) -> bool:
    """Report each cycle once, by its members in order. Whether there was one."""
    cycles = list(_cycles(waits))
    for cycle in cycles:
        names = " waits for ".join([*cycle, cycle[0]])
        by_name[cycle[0]].report.at("after").error(f"a cycle: {names}")
    return bool(cycles)


def _check_stop(waits: Waits, feeds: Mapping[str, Feed], by_name: Mapping[str, Entry]) -> None:
    reads = {name: feed.sources for name, feed in feeds.items()}
    inits = [name for name, entry in by_name.items() if entry.role is Role.INIT]
    for cycle in _cycles(ends_after({name: waits.get(name, {}) for name in by_name}, reads, inits)):
        reader = next(name for name in cycle if name in feeds)
        names = " ends after ".join([*cycle, cycle[0]])
        by_name[reader].report.at("stdin").error(f"a cycle in the order of the stop: {names}")


def _cycles(waits: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """Such that no member is in two of them."""
    left = _without_loose_ends(waits)
    while left:
        cycle = _a_cycle(left)
        yield cycle
        left = _without_loose_ends({k: v for k, v in left.items() if k not in cycle})


def _without_loose_ends(waits: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """What is left when members that wait for none of the others are taken away, repeatedly."""
    left = {name: [on for on in awaited if on in waits] for name, awaited in waits.items()}
    while True:
        smaller = {
            name: still for name, on in left.items() if (still := [o for o in on if o in left])
        }
        if len(smaller) == len(left):
            return smaller
        left = smaller


def _a_cycle(waits: Mapping[str, list[str]]) -> list[str]:
    path = [next(iter(waits))]
    seen = {path[0]: 0}
    while (following := waits[path[-1]][0]) not in seen:
        seen[following] = len(path)
        path.append(following)
    return path[seen[following] :]


class _Derivation:
    """Adds the derived waits to the written ones."""

    def __init__(self, entries: list[Entry], written: Waits, feeds: Mapping[str, Feed]) -> None:
        self._entries = entries
        self._feeds = feeds
        self._gates = {entry.name: default_gate(entry) for entry in entries}
        self._waits: Waits = dict(written)
        self._waiters: dict[str, list[str]] = {entry.name: [] for entry in entries}
        for name, awaited in written.items():
            for other in awaited:
                self._waiters[other].append(name)
        self._inits = self._names(Role.INIT)
        self._last_inits: list[str] = []  # those that no other init's derived wait implies
        self._derived = {entry.name for entry in entries if entry.table.after is None}

    def _names(self, role: Role) -> list[str]:
        return [entry.name for entry in self._entries if entry.role is role]

    def derive(self) -> Waits:
        sidecars = self._names(Role.SIDECAR)
        for index, name in enumerate(self._inits):
            self._derive_init(name, self._inits[:index])
        for name in self._names(Role.PRIMARY):
            if name in self._derived:
                self._add(name, sidecars)
                self._add_inits(name, self._inits)
        for name in sidecars:
            if name in self._derived and not self._reads_an_init(name):
                self._add_inits(name, self._inits)
        return self._waits

    def _reads_an_init(self, name: str) -> bool:
        return name in self._feeds and not set(self._inits).isdisjoint(self._feeds[name].sources)

    def _derive_init(self, name: str, earlier: list[str]) -> None:
        if name in self._derived:
            self._add_inits(name, earlier)
            self._last_inits = [i for i in self._last_inits if i not in self._waits[name]]
        self._last_inits.append(name)

    def _add_inits(self, name: str, inits: list[str]) -> None:
        blocked = self._all_waiters(name)
        self._add(name, self._last_inits if blocked.isdisjoint(self._last_inits) else inits)

    def _add(self, name: str, others: Iterable[str]) -> None:
        blocked = self._all_waiters(name)
        waits = self._waits.setdefault(name, {})
        for other in others:
            if other not in blocked:
                waits[other] = self._gates[other]
                self._waiters[other].append(name)

    def _all_waiters(self, name: str) -> set[str]:
        """The member and all that wait for it, directly or through others."""
        found = {name}
        unseen = [name]
        while unseen:
            new = [w for w in self._waiters[unseen.pop()] if w not in found]
            found.update(new)
            unseen.extend(new)
        return found


def stages(group: Group) -> list[list[str]]:
    """The members by when they can start: each stage waits for some member of the one before."""
    return _layers(group, {name: member.after for name, member in group.members.items()})


def stop_stages(group: Group) -> list[list[str]]:
    """The members by when they are told to stop; without the inits, which have ended by then."""
    staying = [m for m in group.members.values() if m.role is not Role.INIT]
    names = {m.name for m in staying}
    waits = {m.name: [on for on in m.after if on in names] for m in staying}
    reads = {
        m.name: [source for source in m.stdin.sources if source in names]
        for m in staying
        if m.stdin is not None
    }
    return _layers(group, ends_after(waits, reads, ()))


def _layers(group: Group, waits: Mapping[str, Iterable[str]]) -> list[list[str]]:
    levels: dict[str, int] = {}
    left = dict(waits)
    while left:
        free = [name for name, awaited in left.items() if all(on in levels for on in awaited)]
        for name in free:
            levels[name] = 1 + max((levels[on] for on in left.pop(name)), default=-1)
    found: list[list[str]] = [[] for _ in range(1 + max(levels.values(), default=-1))]
    for name in group.members:
        if name in levels:
            found[levels[name]].append(name)
    return found


def dot(group: Group) -> str:
    """The start order as a graph in Graphviz' language; an arrow goes from first to next."""
    shapes = {Role.INIT: "cds", Role.SIDECAR: "ellipse", Role.PRIMARY: "box"}
    nodes = [f'  "{m.name}" [shape={shapes[m.role]}]' for m in group.members.values()]
    edges = [
        f'  "{on}" -> "{m.name}" [label="{gate}"]'
        for m in group.members.values()
        for on, gate in m.after.items()
    ]
    return "\n".join([f'digraph "{group.name}" {{', "  rankdir=LR", *nodes, *edges, "}"]) + "\n"
