"""What a reload does, from the two manifests alone."""

from math import inf
from types import NoneType
from typing import Any

import pytest
from msgspec.structs import fields, replace

from pairvisor.manifest.changes import (
    COMPARED_BELOW,
    FROM_NEXT_START,
    FROM_NOW,
    TOLD,
    Action,
    Changes,
    changes,
    difference,
)
from pairvisor.manifest.group import (
    Fate,
    Feed,
    Gate,
    Group,
    Hook,
    Limits,
    Log,
    Member,
    Method,
    Places,
    Probe,
    ProcessLimits,
    Purpose,
    Restart,
    Role,
    Target,
)
from tests.manifest.conftest import Loader

SHOP = """
name = "shop"
[primary]
command = ["/bin/sleep", "1"]
[sidecars.tls]
command = ["/bin/sleep", "2"]
[init.cert]
command = ["/bin/true"]
"""


def group(*members: Member, **settings: Any) -> Group:
    common: dict[str, Any] = {"name": "g", "places": Places(run="/g", state="/s")}
    return Group(members={m.name: m for m in members}, **(common | settings))


def sidecar(name: str = "a", **settings: Any) -> Member:
    return Member(name=name, role=Role.SIDECAR, **settings)


def init(name: str, **settings: Any) -> Member:
    return Member(name=name, role=Role.INIT, **settings)


APP = Member(name="app", role=Role.PRIMARY)
OLD = sidecar(env={"A": "1", "B": "2"}, command=("run",))


def actions(found: Changes) -> dict[str, str]:
    return {change.member: change.action.value for change in found.members}


def text(found: Changes, member: str) -> str:
    return next(change.text for change in found.members if change.member == member)


def test_what_is_the_same_changes_nothing(resolved: Loader) -> None:
    found = changes(resolved(SHOP), resolved(SHOP.replace("shop", "shop")))
    assert found == Changes()
    assert not found


def test_only_what_changed_restarts(resolved: Loader) -> None:
    found = changes(resolved(SHOP), resolved(SHOP.replace('"2"', '"3"')))
    assert actions(found) == {"tls": "restart"}
    assert text(found, "tls") == "restarts: command"


@pytest.mark.parametrize(
    ("new", "keys"),
    [
        ({"command": ("run", "more")}, ("command",)),
        ({"working_dir": "/tmp"}, ("working_dir",)),
        ({"umask": 0o077}, ("umask",)),
        ({"env": {"A": "1", "B": "3", "C": "4"}}, ("env.B", "env.C")),
        ({"env": {"A": "1"}, "command": ()}, ("command", "env.B")),
        ({"probes": {Purpose.READY: Probe(method=Method.NOTIFY)}}, ("ready",)),
        ({"probes": {Purpose.STARTUP: Probe(method=Method.LOG, target=("up",))}}, ("startup",)),
    ],
)
def test_what_a_process_cannot_take_over_needs_a_new_one(
    new: dict[str, Any], keys: tuple[str, ...]
) -> None:
    (change,) = changes(group(OLD, APP), group(replace(OLD, **new), APP)).members
    assert (change.member, change.action, change.keys) == ("a", Action.RESTART, keys)


@pytest.mark.parametrize(
    ("new", "when"),
    [
        ({"probes": {Purpose.LIVE: Probe(method=Method.TCP)}}, "live from now on"),
        ({"stop_signal": 2, "stop_grace": 4.0}, "stop.signal, stop.grace from now on"),
        ({"hooks": {Hook.PRE_STOP: ("x",)}}, "hooks.pre_stop from now on"),
        ({"hooks": {Hook.POST_START: ("x",)}}, "hooks.post_start from its next start on"),
        (
            {"on_failure": Fate.IGNORE, "start_timeout": 9.0},
            "on_failure from now on; start_timeout from its next start on",
        ),
        ({"after": {"app": Gate.STARTED}}, "after from the group's next start on"),
    ],
)
def test_what_is_the_supervisors_own_needs_no_new_process(new: dict[str, Any], when: str) -> None:
    (change,) = changes(group(OLD, APP), group(replace(OLD, **new), APP)).members
    assert change.action is Action.ADJUST
    assert change.text == f"runs on: {when}"


def test_a_probe_that_heard_its_member_goes_on_with_other_times() -> None:
    told = Probe(method=Method.NOTIFY)
    old = replace(OLD, probes={Purpose.READY: told})
    slower = replace(OLD, probes={Purpose.READY: replace(told, interval=9.0)})
    (change,) = changes(group(old, APP), group(slower, APP)).members
    assert (change.action, change.keys) == (Action.ADJUST, ("ready",))


def test_every_field_of_a_member_has_its_say() -> None:
    """One that is forgotten here restarts its member, which is never wrong."""
    named = {*FROM_NOW, *FROM_NEXT_START, *COMPARED_BELOW}
    assert named - {*TOLD.values()} < {field.name for field in fields(Member)}
    others: dict[type, Any] = {str: "x", int: 77, float: 77.0, tuple: ("x",), frozenset: {7}}
    others |= {Log: Log(drops=True), NoneType: Feed(("x",)), Limits: Limits(pids=1)}
    others |= {ProcessLimits: ProcessLimits(nice=1)}
    for field in fields(Member):
        value = getattr(OLD, field.name)
        if field.name not in {*COMPARED_BELOW, "role", "on_exit", "on_success", "on_failure"}:
            assert difference(OLD, replace(OLD, **{field.name: others[type(value)]})).keys


def test_where_output_goes_is_no_business_of_its_process() -> None:
    for target in (Target.FILE, Target.JOURNAL, Target.NONE):
        assert difference(OLD, replace(OLD, log=Log(target))).now == ("log",)


def test_members_come_and_go() -> None:
    found = changes(group(OLD, APP), group(sidecar("b"), APP))
    assert actions(found) == {"b": "start", "a": "stop"}
    assert text(found, "b") == "is new: it starts"
    assert text(found, "a") == "stops: it is not in the manifest any more"


def test_that_others_wait_for_what_comes_is_no_change_of_theirs() -> None:
    waiting = replace(APP, after={"a": Gate.READY})
    assert actions(changes(group(APP), group(sidecar(), waiting))) == {"a": "start"}
    assert actions(changes(group(sidecar(), waiting), group(APP))) == {"a": "stop"}


def test_an_init_runs_at_the_groups_next_start() -> None:
    old = group(init("one", command=("x",)), sidecar(after={"one": Gate.SUCCEEDED}), APP)
    new = group(
        init("one", command=("y",)), init("two"), sidecar(after={"one": Gate.SUCCEEDED}), APP
    )
    found = changes(old, new)
    assert actions(found) == {"one": "next-start", "two": "next-start"}
    assert text(found, "one") == "runs at the group's next start: command"
    assert text(found, "two") == "is new: it runs at the group's next start"


def test_a_new_init_runs_now_where_somebody_who_starts_now_waits_for_it() -> None:
    old = group(OLD, APP)
    inits = [init("one"), init("two", after={"one": Gate.SUCCEEDED}), init("three")]
    changed = replace(OLD, command=("new",), after={"two": Gate.SUCCEEDED})
    found = changes(old, group(*inits, changed, APP))
    assert actions(found) == {"one": "start", "two": "start", "three": "next-start", "a": "restart"}
    assert text(found, "two") == "is new: it runs now, as others wait for it"


def test_another_role_is_another_member() -> None:
    other = init("a", command=("run",))
    assert actions(changes(group(OLD, APP), group(other, APP))) == {"a": "next-start"}
    found = changes(group(other, APP), group(OLD, APP))
    assert actions(found) == {"a": "start"}
    assert text(found, "a") == "is a sidecar instead of an init: it starts"


def test_with_another_primary_all_start_again() -> None:
    found = changes(group(OLD, APP), group(OLD, Member(name="web", role=Role.PRIMARY)))
    assert found.whole == "all restart: the primary is web instead of app"


def test_the_groups_own_keys() -> None:
    new = group(
        APP,
        grace=3.0,
        max_runtime=9.0,
        restart=Restart(limit=2),
        labels={"a": "b"},
        start_timeout=inf,
        manifest="elsewhere",
    )
    found = changes(group(APP), new)
    assert found.group == ("labels", "grace", "start_timeout", "max_runtime", "restart")
    assert not found.members


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ({"name": "h"}, 'a group that runs keeps its name: "g", not "h"'),
        ({"places": Places(run="/h", state="/s")}, "a group that runs keeps its folders: /g"),
    ],
)
def test_what_cannot_change_is_refused(new: dict[str, Any], why: str) -> None:
    (refused,) = changes(group(APP), group(APP, **new)).refused
    assert refused == f"{why} (stop the group, then start it anew)"
