"""What `up` says of what somebody asks, while the group lives."""

import re
from typing import cast

from pairvisor.cli.news import Reporter
from pairvisor.core.effects import News
from pairvisor.core.events import Exit, MemberRestartRequested, MemberStopRequested
from pairvisor.manifest.group import Hook
from pairvisor.runtime.logs.pump import Pump
from tests.sim.scripts import Command, Script
from tests.sim.told import group, hooks, primary, sidecar, up
from tests.sim.world import Entry, World


class Lines:
    """In the pump's place."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str, about: str = "") -> None:
        self.said.append(re.sub(r"after .*", "after …", text))


def listen(world: World) -> list[str]:
    """What is said of it from now on."""
    lines, judge = Lines(), world.watch
    assert judge is not None
    reporter = Reporter(cast("Pump", lines), is_terminal=False)

    def watch(entry: Entry) -> None:
        judge(entry)
        for effect in entry.effects:
            if isinstance(effect, News):
                reporter.tell(world.state, effect)

    world.watch = watch
    return lines.said


def test_a_stop_and_what_it_leaves_behind_are_as_asked() -> None:
    world = up(group(sidecar("a"), primary("a")), {"a": Script(drained=Exit(signal=15), left=2)})
    said = listen(world)
    world.ask(lambda number: MemberStopRequested("a", number))
    world.run(1)
    assert said == ["a was asked to stop; it is stopped", "a stopped"]


def test_a_restart_is_told_with_its_start() -> None:
    member = sidecar("a", hooks=hooks("pre_stop"))
    hook = {Hook.PRE_STOP: Command(2)}
    world = up(group(member, primary("a")), {"a": Script(hooks=hook)})
    said = listen(world)
    world.ask(lambda number: MemberRestartRequested("a", number))
    world.run(5)
    assert said == [
        "a was asked to restart; it is stopped",
        "a stopped",
        "a was asked to restart; it starts",
        "a is ready, after …",
    ]


def test_a_reload_says_what_differs_and_who_left() -> None:
    world = up(group(sidecar("a"), sidecar("b"), primary()))
    said = listen(world)
    world.reload(group(sidecar("a", command=("new",)), primary()))
    world.run(5)
    assert said[:2] == [
        "a was asked to restart: command; it is stopped",
        "b was asked to stop: it left the manifest; it is stopped",
    ]
