"""The commands by name, as click knows them."""

from difflib import get_close_matches
from importlib import import_module

import click

from pairvisor import __version__

COMMANDS = {
    "up": "Start the group and stay: Ctrl-C stops it in order.",
    "check": "Say all that is wrong with a manifest.",
    "plan": "Show who starts and stops when, and what waits for what.",
    "schema": "Print the manifest's JSON Schema.",
}


class Commands(click.Group):
    """Knows its commands by name; only the one that is called is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"pairvisor.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the command that was meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"{error.message}{hint}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=Commands)
@click.version_option(__version__, message="%(prog)s %(version)s")
def pairvisor() -> None:
    """The Pod for machines without containers.

    One manifest (pairvisor.toml) describes a group: a primary process, the sidecars beside it,
    and what happens to all of them when one ends.
    """
