"""`pairvisor start`, `stop`, `restart` and `signal`: what is asked for, fate does not judge."""

import sys
from collections.abc import Callable, Iterator
from time import monotonic

import click

from pairvisor.api.client import Client
from pairvisor.cli import documents, down, exits, groups, members, options
from pairvisor.cli.completing import complete_members, complete_signals
from pairvisor.cli.exits import fail
from pairvisor.cli.following import Look, followed
from pairvisor.cli.groups import suggestion
from pairvisor.cli.measures import span
from pairvisor.cli.screen import Screen
from pairvisor.cli.wishes import Wish
from pairvisor.manifest import signals
from pairvisor.record.model import Answer

DONE = {"start": "ready", "stop": "stopped", "restart": "ready again"}
Function = Callable[..., None]


def _options(function: Function) -> Function:
    for option in (
        groups.answers(),
        options.as_json,
        options.no_wait,
        options.group,
        click.argument("names", nargs=-1, metavar="[MEMBER]...", shell_complete=complete_members),
    ):
        function = option(function)
    return function


@click.command("start")
@_options
def start(
    *, names: tuple[str, ...], group: str | None, file: str | None, no_wait: bool, as_json: bool
) -> None:
    """Start members that were stopped, have ended or wait for their restart.

    With none named all that were stopped, and a group that waits for its restart starts at once.
    Comes back when they are ready; exits with 1 if one fails before that.
    """
    _steer("start", names, groups.find(group, file), waits=not no_wait, as_json=as_json)


@click.command("stop")
@_options
def stop(
    *, names: tuple[str, ...], group: str | None, file: str | None, no_wait: bool, as_json: bool
) -> None:
    """Stop members, and leave the others as they are; with none named the whole group, as `down`.

    They stay down until they are started, or the group is. Comes back when they have ended.
    """
    target = groups.find(group, file)
    if names:
        _steer("stop", names, target, waits=not no_wait, as_json=as_json)
    else:
        down.bring_down(target, waits=not no_wait, as_json=as_json)


@click.command("restart")
@_options
def restart(
    *, names: tuple[str, ...], group: str | None, file: str | None, no_wait: bool, as_json: bool
) -> None:
    """Stop members and start them again, the others run on; with none named the whole group.

    The group's restart stops and starts all in order, at once. Neither counts as a failure. Comes
    back when they are ready; exits with 1 if one fails before that.
    """
    _steer("restart", names, groups.find(group, file), waits=not no_wait, as_json=as_json)


def _steer(
    verb: str, names: tuple[str, ...], target: groups.Target, *, waits: bool, as_json: bool
) -> None:
    client = target.client
    names = members.meant(names, client.status())
    began = monotonic()
    problem = ""
    if waits:
        answer, problem = _follow(client, verb, names)
    else:
        answer = _ask(client, verb, names)
    if as_json:
        documents.show(answer)
    elif not problem:
        outcome = (
            f"{DONE[verb]}, after {span(monotonic() - began)}" if waits else f"asked to {verb}"
        )
        click.echo(f"{', '.join(names) or target.name}: {outcome}")
    if problem:
        fail(problem, exits.NO)


def _ask(client: Client, verb: str, names: tuple[str, ...]) -> Answer:
    match verb:
        case "start":
            return client.start(names)
        case "stop":
            return client.stop(names)
        case _:
            return client.restart(names)


def _follow(client: Client, verb: str, names: tuple[str, ...]) -> tuple[Answer, str]:
    """Ask, and wait until it has happened; otherwise why it has not."""
    screen = Screen.of_stdout()
    try:
        with followed(client) as looks:
            answer = _ask(client, verb, names)
            return answer, _await(Wish(verb, names, answer.event), looks, screen)
    except KeyboardInterrupt:
        screen.progress("")
        sys.stderr.write("pairvisor: what was asked for goes on\n")
        raise
    finally:
        screen.progress("")


def _await(wish: Wish, looks: Iterator[Look], screen: Screen) -> str:
    for event, status in looks:
        wish.note(event)
        if status and wish.is_fulfilled(status):
            return ""
        if wish.is_dashed(event):
            return event.text
        if status:
            screen.progress(wish.awaited(status))
    return "the supervisor was killed"


@click.command("signal")
@click.argument("signal", metavar="SIGNAL", shell_complete=complete_signals)
@click.argument("member", metavar="MEMBER", shell_complete=complete_members)
@options.group
@options.as_json
@groups.answers()
def signal(*, signal: str, member: str, group: str | None, file: str | None, as_json: bool) -> None:
    """Send a signal to a member's main process: HUP, SIGHUP or 1.

    What the member does then is its own affair, and judged as ever.
    """
    name = signal_name(signal)
    client = groups.find(group, file).client
    (member,) = members.meant([member], client.status())
    answer = client.signal(member, name)
    if as_json:
        documents.show(answer)
    else:
        click.echo(answer.text)


def signal_name(written: str) -> str:
    """`SIGHUP`, of `hup`, `SIGHUP` or `1`."""
    found = signals.named_or_numbered(written)
    if found is None:
        hint = suggestion(signals.full_name(written), list(signals.NAMES))
        raise click.BadParameter(f'no signal is called "{written}"{hint}', param_hint="SIGNAL")
    return signals.name_of(found)


commands = {command.name: command for command in (start, stop, restart, signal)}
