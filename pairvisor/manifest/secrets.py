"""Secrets: where they come from, and who reads them."""

from collections.abc import Collection, Mapping

from pairvisor.manifest import model
from pairvisor.manifest.commands import split_command
from pairvisor.manifest.envfile import NAME
from pairvisor.manifest.group import Secret, SecretSource
from pairvisor.manifest.interpolate import Interpolator
from pairvisor.manifest.names import check_name
from pairvisor.manifest.paths import below, climbs
from pairvisor.manifest.report import Report

SOURCES = tuple(source.value for source in SecretSource)


def resolve_secrets(
    written: Mapping[str, model.Secret], folder: str, interpolator: Interpolator, report: Report
) -> dict[str, Secret]:
    """By name; those without a sound source are reported, and left out."""
    found = {}
    for name, table in written.items():
        check_name(name, report.at(name))
        secret = _secret(table, folder, interpolator, report.at(name))
        if secret is not None:
            found[name] = secret
    return found


def variables(written: Mapping[str, model.Secret]) -> set[str]:
    """Those that hold secrets: no member gets them as they are."""
    return {table.env for table in written.values() if table.env is not None}


def _secret(
    table: model.Secret, folder: str, interpolator: Interpolator, report: Report
) -> Secret | None:
    sources = [name for name in SOURCES if getattr(table, name) is not None]
    if len(sources) != 1:
        report.error(f"exactly one of {', '.join(SOURCES)}: where does it come from?")
        return None
    (source,) = sources
    at = report.at(source)
    written = getattr(table, source)
    if source == SecretSource.COMMAND:
        return Secret(SecretSource.COMMAND, split_command(written, interpolator, at))
    value = interpolator.fill(written, at)
    if not value or "\0" in value:
        at.error("a text without NUL characters, and not an empty one")
        return None
    return Secret(SecretSource(source), (_checked(source, value, folder, interpolator, at),))


def _checked(
    source: str, value: str, folder: str, interpolator: Interpolator, report: Report
) -> str:
    if source == SecretSource.FILE:
        if climbs(value):
            report.error(f'"{value}" leaves the manifest\'s folder (an absolute path may)')
        return below(folder, value)
    if source == SecretSource.CREDENTIAL and "/" in value:
        report.error("a credential's name has no slash: see systemd's LoadCredential=")
    if source == SecretSource.ENV and not NAME.fullmatch(value):
        report.error("not a variable's name: letters, digits and _ are, a digit not first")
    return value


def resolve_readers(
    written: list[str], secrets: Collection[str], report: Report
) -> tuple[str, ...]:
    """The secrets that a member may read."""
    for index, name in enumerate(written):
        if name not in secrets:
            from pairvisor.manifest.hints import did_you_mean  # noqa: PLC0415 - seldom needed

            known = did_you_mean(name, list(secrets)) or f": write a [secrets.{name}] table"
            report.at(index).error(f'no secret is called "{name}"{known}')
    return tuple(dict.fromkeys(written))
