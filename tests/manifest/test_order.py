"""Who waits for whom: the derived order, and what is written over it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairvisor.manifest import model
from pairvisor.manifest.entries import list_entries
from pairvisor.manifest.group import Gate
from pairvisor.manifest.order import dot, resolve_order, stages
from pairvisor.manifest.report import Report
from tests.manifest.conftest import Loader

Afters = dict[str, list[str]]


def manifest_of(inits: Afters, sidecars: Afters, primary: list[str] | None) -> model.Manifest:
    """A manifest where `["-"]` stands for a member without `after`."""
    return model.Manifest(
        primary=model.Primary(after=primary),
        init={n: model.Init(after=None if a == ["-"] else a) for n, a in inits.items()},
        sidecars={n: model.Sidecar(after=None if a == ["-"] else a) for n, a in sidecars.items()},
    )


def waits_of(written: model.Manifest) -> dict[str, str]:
    report = Report()
    waits = resolve_order(list_entries(written, report), {})
    assert not report.failed
    return {name: " ".join(sorted(on)) for name, on in waits.items()}


def parsed(line: str) -> model.Manifest:
    """`i:` an init, `s:` a sidecar, `p` the primary; `<` and names: its `after`."""
    inits: Afters = {}
    sidecars: Afters = {}
    primary: list[str] | None = None
    for word in line.split():
        name, written, after = word.partition("<")
        names = [n for n in after.split(",") if n] if written else ["-"]
        if name == "p":
            primary = names if written else None
        else:
            (inits if name.startswith("i") else sidecars)[name] = names
    return manifest_of(inits, sidecars, primary)


@pytest.mark.parametrize(
    ("line", "waits"),
    [
        ("p", {"primary": ""}),
        ("i1 i2 p", {"i1": "", "i2": "i1", "primary": "i2"}),
        ("s1 s2 p", {"s1": "", "s2": "", "primary": "s1 s2"}),
        (
            "i1 i2 s1 s2 p",
            {"i1": "", "i2": "i1", "s1": "i2", "s2": "i2", "primary": "i2 s1 s2"},
        ),
        # What is written replaces what is derived, and what is derived gives way.
        ("s1<primary s2 p", {"s1": "primary", "s2": "", "primary": "s2"}),
        ("s1<primary s2<s1 p", {"s1": "primary", "s2": "s1", "primary": ""}),
        ("i1 s1< p", {"i1": "", "s1": "", "primary": "i1 s1"}),
        ("i1 s1 p<", {"i1": "", "s1": "i1", "primary": ""}),
        ("s1<s2 s2 p", {"s1": "s2", "s2": "", "primary": "s1 s2"}),
        # An init after a sidecar: that sidecar doesn't wait for it, nor for the inits behind it.
        (
            "i1 i2<s1 i3 s1 s2 p",
            {
                "i1": "",
                "i2": "s1",
                "i3": "i1 i2",
                "s1": "i1",
                "s2": "i3",
                "primary": "i3 s1 s2",
            },
        ),
        # An init after the primary runs after the sidecars too.
        (
            "i1 i2<primary s1 p",
            {"i1": "", "i2": "primary", "s1": "i1", "primary": "i1 s1"},
        ),
        # Inits that start at once are still waited for, one by one.
        ("i1< i2< i3 p", {"i1": "", "i2": "", "i3": "i1 i2", "primary": "i3"}),
        ("i1<i3 i2 i3 p", {"i1": "i3", "i2": "i1", "i3": "", "primary": "i2 i3"}),
    ],
)
def test_derived_order(line: str, waits: dict[str, str]) -> None:
    assert waits_of(parsed(line)) == waits


NAMES = ["i1", "i2", "i3", "s1", "s2", "s3"]


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {name: st.none() | st.sets(st.sampled_from([*NAMES, "primary"])) for name in NAMES}
    ),
    st.none() | st.sets(st.sampled_from(NAMES)),
)
def test_what_is_derived_never_makes_a_cycle(
    afters: dict[str, set[str] | None], primary: set[str] | None
) -> None:
    written = {n: ["-"] if a is None else sorted(a - {n}) for n, a in afters.items()}
    manifest = manifest_of(
        {n: a for n, a in written.items() if n < "s"},
        {n: a for n, a in written.items() if n > "s"},
        None if primary is None else sorted(primary),
    )
    report = Report()
    waits = resolve_order(list_entries(manifest, report), {})
    assert report.failed or is_free_of_cycles({n: set(on) for n, on in waits.items()})


def is_free_of_cycles(waits: dict[str, set[str]]) -> bool:
    left = dict(waits)
    while free := [name for name, on in left.items() if on.isdisjoint(left)]:
        for name in free:
            del left[name]
    return not left


def test_gates(resolved: Loader) -> None:
    group = resolved(
        '[primary]\ncommand = "sleep 1"\n'
        '[init.a]\ncommand = "true"\non_failure = "ignore"\n[init.b]\ncommand = "true"\n'
        '[sidecars.s]\ncommand = "sleep 1"\n[sidecars.t]\ncommand = "sleep 1"\n'
        'after = { primary = "started" }\n'
    )
    assert group.members["b"].after == {"a": Gate.ENDED}
    assert group.members["s"].after == {"b": Gate.SUCCEEDED}
    assert group.primary.after == {"s": Gate.READY, "b": Gate.SUCCEEDED}
    assert group.members["t"].after == {"primary": Gate.STARTED}
    assert stages(group) == [["a"], ["b"], ["s"], ["primary"], ["t"]]


def test_primary_means_the_primary_whatever_its_name(resolved: Loader) -> None:
    group = resolved(
        '[primary]\nname = "web"\ncommand = "sleep 1"\n'
        '[sidecars.s]\ncommand = "sleep 1"\nafter = ["primary"]\n'
        '[sidecars.t]\ncommand = "sleep 1"\nafter = ["web"]\n'
    )
    assert group.members["s"].after == group.members["t"].after == {"web": Gate.READY}


def test_dot(resolved: Loader) -> None:
    group = resolved('[primary]\ncommand = "sleep 1"\n[init.a]\ncommand = "true"\n')
    assert dot(group) == (
        'digraph "shop" {\n  rankdir=LR\n  "a" [shape=cds]\n  "primary" [shape=box]\n'
        '  "a" -> "primary" [label="succeeded"]\n}\n'
    )


def test_a_thousand_inits_in_a_row() -> None:
    inits = {f"i{n}": ["-"] for n in range(999)}
    waits = waits_of(manifest_of(inits, {}, None))
    assert waits["i998"] == "i997"
    assert waits["primary"] == "i998"


def test_a_cycle_of_a_thousand() -> None:
    sidecars = {f"s{n}": [f"s{(n + 1) % 999}"] for n in range(999)}
    report = Report()
    resolve_order(list_entries(manifest_of({}, sidecars, None), report), {})
    assert report.failed


def readers(*sources: str) -> str:
    return f"""
        [primary]
        command = "true"
        [init.one]
        command = "true"
        [sidecars.reads]
        command = "true"
        stdin = {list(sources)}
        """


def test_who_reads_an_inits_output_is_there_for_it(resolved: Loader) -> None:
    assert resolved(readers("primary", "one")).members["reads"].after == {}
    assert resolved(readers("primary")).members["reads"].after == {"one": Gate.SUCCEEDED}
