"""`pairvisor why`: the chain of causes of the last restart or end, in sentences."""

import click

from pairvisor.cli import documents, groups, members, options, past
from pairvisor.cli.completing import complete_members
from pairvisor.cli.events import shown
from pairvisor.cli.measures import now
from pairvisor.cli.screen import Screen
from pairvisor.record.model import Why


@click.command("why")
@click.argument("member", required=False, metavar="[MEMBER]", shell_complete=complete_members)
@options.group
@options.as_json
@groups.answers()
def command(member: str | None, group: str | None, file: str | None, as_json: bool) -> None:
    """Say why the group, or that member, restarted or ended last.

    In sentences, and then the events that led to it, the first one first. A group that has ended
    tells it, too.
    """
    why = _why(groups.find(group, file), member)
    if as_json:
        documents.show(why)
        return
    screen, today = Screen.of_stdout(), now()
    for line in screen.wrapped(why.text):
        click.echo(line)
    for event in reversed(why.events):
        click.echo(f"  {shown(event, screen, today)}")


def _why(target: groups.Target, member: str | None) -> Why:
    if target.is_running:
        client = target.client
        if member is not None:
            (member,) = members.meant([member], client.status())
        return client.why(member)
    why = past.why(target, member)
    if why is None:
        target.fail_as_not_running()
    return why
