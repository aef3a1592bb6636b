"""`pairvisor plan`."""

import json
import shlex
from math import isfinite
from typing import TYPE_CHECKING, Any

import click

from pairvisor.cli import options
from pairvisor.cli.manifests import load_or_exit
from pairvisor.manifest import signals
from pairvisor.manifest.group import Group, Log, Member, Probe, Role, Target
from pairvisor.manifest.order import dot, stages, stop_stages
from pairvisor.record import words

if TYPE_CHECKING:
    from rich.tree import Tree

WIDEST = 4000  # characters in a line that is not for a terminal


@click.command("plan")
@options.file
@click.option("--dot", "as_dot", is_flag=True, help="A graph in Graphviz' language.")
@click.option("--json", "as_json", is_flag=True, help="The plan as JSON, for programs.")
def command(file: str | None, as_dot: bool, as_json: bool) -> None:
    """Show who starts and stops when, and what waits for what. Nothing is started.

    Members of one step start together, each as soon as what it waits for has come; stopping is
    the reverse. `pairvisor plan --dot | dot -Tsvg` draws it.
    """
    if as_dot and as_json:
        raise click.UsageError("--dot and --json exclude each other")
    group = load_or_exit(file)
    if as_dot:
        click.echo(dot(group), nl=False)
    elif as_json:
        click.echo(json.dumps(as_data(group), indent=2))
    else:
        _show(group)


def as_data(group: Group) -> dict[str, Any]:
    """The plan in JSON's types; times in seconds, null where there is no limit."""
    return {
        "group": group.name,
        "manifest": group.manifest,
        "run": group.places.run,
        "grace": group.grace,
        "start_timeout": _limit(group.start_timeout),
        "start": stages(group),
        "stop": stop_stages(group),
        "members": [_member_as_data(member) for member in group.members.values()],
    }


def _member_as_data(member: Member) -> dict[str, Any]:
    return {
        "name": member.name,
        "role": member.role,
        "concern": member.concern,
        "origin": member.origin,
        "command": list(member.command),
        "working_dir": member.working_dir,
        "after": dict(member.after),
        "reads": list(member.stdin.sources) if member.stdin else [],
        "log": where_to(member.log),
        "probes": {
            purpose: {"method": probe.method, "target": list(probe.target)}
            for purpose, probe in member.probes.items()
        },
        "hooks": {hook: list(command) for hook, command in member.hooks.items()},
        "start_timeout": _limit(member.start_timeout),
        "timeout": _limit(member.timeout),
        "stop_signal": signals.name_of(member.stop_signal),
        "stop_grace": _limit(member.stop_grace),
        "on_success": member.on_success,
        "on_failure": member.on_failure,
    }


def _limit(seconds: float) -> float | None:
    return seconds if isfinite(seconds) else None


def _show(group: Group) -> None:
    from rich.console import Console  # noqa: PLC0415 - only where something is drawn

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDEST  # what is piped is for others to cut
    console.print(_tree(group), no_wrap=True, overflow="ellipsis")


def _tree(group: Group) -> "Tree":
    from rich.markup import escape  # noqa: PLC0415 - with the console
    from rich.tree import Tree  # noqa: PLC0415

    tree = Tree(f"[bold]{escape(group.name)}[/]  ({escape(group.manifest)})")
    start = tree.add("start" + _within(", ready within", group.start_timeout))
    for number, names in enumerate(stages(group), 1):
        step = start.add(f"step {number}")
        for name in names:
            about = step.add(_title(group.members[name], escape))
            for line in _facts(group.members[name]):
                about.add(escape(line))
    stop = tree.add("stop, the last SIGKILL within " + words.seconds(group.grace))
    for number, names in enumerate(stop_stages(group), 1):
        told = ", ".join(escape(_farewell(group.members[name])) for name in names)
        stop.add(f"step {number}: {told}")
    return tree


def _title(member: Member, escape: Any) -> str:
    concern = f", {escape(member.concern)}" if member.concern else ""
    command = escape(shlex.join(member.command))
    return f"[bold]{escape(member.name)}[/] ({member.role}{concern}): {command}"


def _facts(member: Member) -> list[str]:
    """What it waits for, how it is seen to be ready and alive, what its end does."""
    waits = ", ".join(f"{name} {gate}" for name, gate in member.after.items())
    probes = [f"{purpose}: {_probe(probe)}" for purpose, probe in member.probes.items()]
    on_success = "go on" if member.role is Role.INIT else member.on_success
    fate = f"on success {on_success}, on failure {member.on_failure}"
    hooks = [f"{hook}: {shlex.join(words_)}" for hook, words_ in member.hooks.items()]
    origin = [] if member.origin == "manifest" else [f"from {member.origin}"]
    check = [f"check: {shlex.join(member.check)}"] if member.check else []
    first = (f"waits for {waits}" if waits else "waits for nothing") + _within(
        ", ready within", member.start_timeout
    )
    output = [f"reads {', '.join(member.stdin.sources)}"] if member.stdin else []
    if member.log.to is not Target.TERMINAL:
        output.append(f"writes to {where_to(member.log)}")
    first += _within(", done within", member.timeout)
    return [*origin, first, *output, *check, *probes, *hooks, fate]


def where_to(log: Log) -> str:
    """A file's path, or what the manifest calls it."""
    return log.file.path if log.file else log.to


def _probe(probe: Probe) -> str:
    what = " ".join([probe.method, *map(shlex.quote, probe.target)])
    return f"{what}, every {words.seconds(probe.interval)}"


def _farewell(member: Member) -> str:
    within = _within(" within", member.stop_grace)
    return f"{member.name} ({signals.name_of(member.stop_signal)}{within})"


def _within(what: str, seconds: float) -> str:
    """A limit in words; nothing where there is none."""
    return f"{what} {words.seconds(seconds)}" if isfinite(seconds) else ""
