"""`pairvisor exec`."""

import os
import sys
from contextlib import closing

import click

from pairvisor.api.client import Client
from pairvisor.cli import attach, options
from pairvisor.cli.completing import complete_members
from pairvisor.cli.exits import fail
from pairvisor.cli.groups import answers, find
from pairvisor.record.model import Executed


@click.command("exec", context_settings={"allow_interspersed_args": False})
@options.group
@click.argument("member", shell_complete=complete_members)
@click.argument("words", metavar="[--] COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
def command(group: str | None, file: str | None, member: str, words: tuple[str, ...]) -> None:
    """Run a command as a member runs: in its environment, its working directory, its umask.

    On a terminal the command gets one too; otherwise it reads and writes what this command was
    given. It ends with the run of the member in which it began, or when this command is killed.
    Exits as the command does, with 128 and its signal; with 127 if it is not found, 126 if it can't
    be run.
    """
    if words[0] == "--":
        words = words[1:]
    if not words:
        raise click.UsageError("which command?")
    client = find(group, file).client
    with answers():
        execute = _on_terminal if attach.is_possible() else _on_ours
        executed = execute(client, member, words)
    if executed.error is not None:
        fail(executed.error, executed.status)
    sys.exit(executed.status)


def _on_ours(client: Client, member: str, words: tuple[str, ...]) -> Executed:
    """What we were started with becomes the command's."""
    with closing(client.exec(member, words, descriptors=(0, 1, 2))) as exchange:
        return client.executed(exchange)


def _on_terminal(client: Client, member: str, words: tuple[str, ...]) -> Executed:
    env = {"TERM": term} if (term := os.environ.get("TERM")) else {}
    with attach.pair() as (ours, theirs), attach.raw() as signals:
        try:
            if os.geteuid() == 0:
                # The command opens it anew, as the supervisor's user.
                os.fchown(theirs, os.stat(client.path).st_uid, -1)
            exchange = client.exec(member, words, terminal=True, env=env, descriptors=[theirs])
        finally:
            os.close(theirs)
        with closing(exchange):
            attach.Relay(ours, exchange, signals).run()
            return client.executed(exchange)
