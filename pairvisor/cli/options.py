"""Options that several commands have, and the values that they take."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import click

from pairvisor.cli.completing import complete_files, complete_groups
from pairvisor.cli.measures import now, rfc3339
from pairvisor.cli.nearest import NAME

Command = TypeVar("Command", bound=Callable[..., object])

file = click.option(
    "-f",
    "--file",
    metavar="FILE",
    shell_complete=complete_files,
    help=f"The manifest. Default: {NAME} in this folder, or in one above it.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
as_json_lines = click.option(
    "--json", "as_json", is_flag=True, help="As JSON, a line each, for programs."
)
no_wait = click.option(
    "--no-wait", is_flag=True, help="Ask for it, and don't wait until it has happened."
)


def group(command: Command) -> Command:
    """Which group is meant."""
    return _by_name(_by_manifest("-f", "--file")(command))


def group_to_follow(command: Command) -> Command:
    """The same for commands where -f is to follow, as `tail` has it."""
    follow = click.option(
        "-f", "follow", is_flag=True, help="Go on with what comes, until the group ends."
    )
    return follow(_by_name(_by_manifest("--file")(command)))


_by_name = click.option(
    "-g",
    "--group",
    metavar="NAME",
    shell_complete=complete_groups,
    help="The group by its name: see `pairvisor ls`.",
)


def _by_manifest(*names: str) -> Callable[[Command], Command]:
    return click.option(
        *names,
        metavar="FILE",
        shell_complete=complete_files,
        help=f"The group by its manifest. Default: {NAME} in this folder, or in one above it.",
    )


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Reads `500ms`, `10s`, `2m`, `1h30m`, as seconds."""
    from pairvisor.manifest.units import Duration  # noqa: PLC0415 - few give one

    try:
        return None if value is None else Duration.parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None


def moment(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Reads how long ago (`10m`) or when (`12:00`, `2026-05-01T12:00`), as a document's time."""
    from datetime import UTC, datetime  # noqa: PLC0415 - few give one

    from pairvisor.manifest.units import Duration  # noqa: PLC0415 - few give one

    if value is None:
        return None
    with suppress(ValueError):
        return rfc3339(datetime.fromtimestamp(now() - Duration.parse(value), UTC))
    today = f"{datetime.now():%Y-%m-%d}"  # noqa: DTZ005 - the user's own
    with suppress(ValueError):
        return rfc3339(datetime.fromisoformat(f"{today}T{value}" if value[2:3] == ":" else value))
    raise click.BadParameter(
        f'expected a duration such as "10m", or a time such as "12:00" or "{today}T12:00:00Z", '
        f'got "{value}"',
        ctx,
        param,
    )
