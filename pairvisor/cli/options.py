"""Options that several commands have."""

import click

from pairvisor.cli.nearest import NAME

file = click.option(
    "-f",
    "--file",
    metavar="FILE",
    help=f"The manifest. Default: {NAME} in this folder, or in one above it.",
)
