"""The commands by name, as click knows them."""

from difflib import get_close_matches
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from pairvisor import __version__

COMMANDS = {
    "up": "Start the group and stay: Ctrl-C stops it in order.",
    "run": "Run a group as a service, below systemd or another init.",
    "down": "Stop the group in order, and say the result.",
    "status": "Show how the group and its members are.",
    "logs": "Show what the members have written of late.",
    "events": "Show what has happened to the group.",
    "why": "Say why the group, or a member, restarted or ended last.",
    "start": "Start members that do not run.",
    "stop": "Stop members, or the whole group.",
    "restart": "Restart members, or the whole group.",
    "signal": "Send a signal to a member.",
    "exec": "Run a command as a member runs.",
    "reload": "Let the group read its manifest anew.",
    "reexec": "Let the installed version supervise; members run on.",
    "top": "Watch the group and its members, live.",
    "timeline": "Show who waited for whom in the last start.",
    "metrics": "Print the group's metrics.",
    "ls": "List the groups on this machine.",
    "check": "Say all that is wrong with a manifest.",
    "plan": "Show who starts and stops when, and what waits for what.",
    "sidecars": "List the sidecars that a manifest can use.",
    "add": "Add a sidecar to a manifest.",
    "schema": "Print the manifest's JSON Schema.",
    "doctor": "Say what this machine offers, and what it lacks.",
    "completion": "Print a shell's script for completion.",
}
FAMILIES = dict.fromkeys(("start", "stop", "restart", "signal"), "steering")


class Commands(click.Group):
    """Knows its commands by name; only the one that is called is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"pairvisor.cli.{FAMILIES.get(cmd_name, cmd_name)}")
        found = module.commands[cmd_name] if cmd_name in FAMILIES else module.command
        command: click.Command = found
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

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """As click does, without importing each command for a word about it."""
        commands = [
            CompletionItem(name, help=about)
            for name, about in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

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
