"""The order of a group's stop."""

from collections.abc import Collection, Iterable, Mapping


def ends_after(
    waits: Mapping[str, Iterable[str]],
    reads: Mapping[str, Collection[str]],
    inits: Collection[str],
) -> dict[str, set[str]]:
    """For each member, those that have to be at rest before it is told to stop.

    They are the ones that wait for it, and the ones whose output it reads. Where these contradict
    each other, reading wins. An init that somebody reads is over when those run that wait for it,
    and ends before its reader, but after nobody.
    """
    first: dict[str, set[str]] = {name: set() for name in waits}
    over = {source for sources in reads.values() for source in sources}.intersection(inits)
    for name, awaited in waits.items():
        for on in awaited:
            if on not in reads.get(name, ()) and on not in over:
                first[on].add(name)
    for name, sources in reads.items():
        first[name].update(sources)
    return first
