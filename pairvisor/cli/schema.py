"""`pairvisor schema`."""

import json

import click


@click.command("schema")
def command() -> None:
    """Print the manifest's JSON Schema, for editors and other programs.

    Editors with a TOML language server take it from a file: `#:schema pairvisor.schema.json` in
    the manifest's first line.
    """
    from pairvisor.manifest.schema import schema  # noqa: PLC0415

    click.echo(json.dumps(schema(), indent=2))
