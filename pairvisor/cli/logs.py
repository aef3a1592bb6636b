"""`pairvisor logs`: what the members have written of late, and write."""

import sys
from collections.abc import Callable, Iterable, Iterator

import click

from pairvisor.api.client import LostError
from pairvisor.cli import documents, groups, members, options, past
from pairvisor.cli.completing import complete_members
from pairvisor.cli.console import COLOURS
from pairvisor.cli.exits import NOT_RUNNING, fail
from pairvisor.cli.measures import size
from pairvisor.cli.screen import Screen
from pairvisor.record.model import Dropped, LogLine, Status

WHEN_FOLLOWING = 10  # lines from before, where nobody says how many


@click.command("logs")
@click.argument("names", nargs=-1, metavar="[MEMBER]...", shell_complete=complete_members)
@options.group_to_follow
@click.option("-n", "count", metavar="N", type=click.IntRange(0), help="The last N lines at most.")
@click.option(
    "--since", metavar="T", callback=options.moment, help="None from before: 10m, 12:00, a date."
)
@click.option("--previous", is_flag=True, help="Of the run before the present one.")
@options.as_json_lines
@groups.answers()
def command(  # noqa: PLR0913 - its options
    *,
    names: tuple[str, ...],
    group: str | None,
    file: str | None,
    follow: bool,
    count: int | None,
    since: str | None,
    previous: bool,
    as_json: bool,
) -> None:
    """Show what the members have written of late, or what those that are named have.

    The supervisor keeps the last of it in memory. With -f the last ten lines, or what -n or --since
    ask for, and then what comes, until the group ends. A terminal shows a control character as text
    that stands for it; what is piped is as it was written. Of a group that has failed, the last
    lines of the member that was the cause are still there.
    """
    target = groups.find(group, file)
    if not target.is_running:
        _show_last(target, names)
        return
    status = target.client.status()
    if follow and count is None and since is None:
        count = WHEN_FOLLOWING
    wanted = (members.meant(names, status), count, since)
    if follow:
        lines = following(target.client.follow_logs(*wanted, previous=previous))
    else:
        lines = iter(target.client.logs(*wanted, previous=previous))
    if as_json:
        documents.show_lines(lines)
    else:
        _show(lines, shower(Screen.of_stdout(), status), flushes=follow)


def following(stream: Iterable[LogLine | Dropped]) -> Iterator[LogLine]:
    """The lines; what came too fast is said on stderr."""
    try:
        for found in stream:
            if isinstance(found, LogLine):
                yield found
            else:
                _say_dropped(found)
    except LostError:
        sys.stdout.flush()
        fail("the supervisor was killed, or has replaced itself (reexec): ask again", NOT_RUNNING)


def _say_dropped(dropped: Dropped) -> None:
    sys.stdout.flush()
    amount = size(dropped.bytes)
    sys.stderr.write(f"pairvisor: {amount} bytes of {dropped.member} came too fast to be shown\n")


def _show(lines: Iterator[LogLine], shown: Callable[[LogLine], str], *, flushes: bool) -> None:
    for line in lines:
        sys.stdout.write(shown(line) + "\n")
        if flushes:
            sys.stdout.flush()


def shower(screen: Screen, status: Status) -> Callable[[LogLine], str]:
    """Puts the member's name in front of a line, in the colour that it has in `up`, too."""
    names = [member.name for member in status.members]
    width = max(map(len, names), default=0)
    prefixes = {
        name: screen.paint(f"{name:{width}} |", COLOURS[i % len(COLOURS)])
        for i, name in enumerate(names)
    }

    def shown(line: LogLine) -> str:
        prefix = prefixes.get(line.member) or f"{line.member:{width}} |"
        return f"{prefix} {screen.text(line.message)}"

    return shown


def _show_last(target: groups.Target, names: tuple[str, ...]) -> None:
    """Of the member that was the cause, where the group runs no more."""
    status = past.result(target)
    who = status.cause.member if status and status.cause else None
    if status is None or who is None or not status.last_lines or (names and who not in names):
        target.fail_as_not_running()
    screen = Screen.of_stdout()
    for line in status.last_lines:
        click.echo(f"{who} | {screen.text(line)}")
