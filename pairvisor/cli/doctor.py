"""`pairvisor doctor`: what this machine offers, and what to do about what it does not."""

import os
import sys
from collections.abc import Iterator
from textwrap import wrap

import click

from pairvisor.cli import documents, exits, options
from pairvisor.cli.screen import GREEN, MAGENTA, RED, Screen
from pairvisor.cli.verdicts import THINGS, State
from pairvisor.record.model import Document
from pairvisor.runtime.machine import Machine, look

COLOURS: dict[State, int] = {"ok": GREEN, "degraded": MAGENTA, "missing": RED}


class Check(Document, frozen=True):
    """One thing that a machine has, or hasn't. `advice` is empty where there is nothing to do."""

    name: str
    state: State
    is_needed: bool  # no group runs without it
    found: str
    needed_for: str
    advice: str


class Diagnosis(Document, frozen=True):
    ok: bool  # all that is needed is there
    checks: list[Check]


@click.command("doctor")
@options.as_json
def command(*, as_json: bool) -> None:
    """Say what this machine offers to groups, and what to do about what is missing.

    Exits with 0 if groups can run here, with 1 if something is missing without which none can.
    """
    checks = diagnose(look(os.environ))
    lacks = [check.name for check in checks if check.is_needed and check.state == "missing"]
    if as_json:
        documents.show(Diagnosis(ok=not lacks, checks=checks))
    else:
        screen = Screen.of_stdout()
        for line in (*lines(screen, checks), "", _summary(lacks)):
            click.echo(line)
    sys.exit(exits.NO if lacks else 0)


def _summary(lacks: list[str]) -> str:
    return f"no group can run here without: {', '.join(lacks)}" if lacks else "groups can run here"


def lines(screen: Screen, checks: list[Check]) -> Iterator[str]:
    """One for each, on a terminal as many as it takes."""
    names = max(len(check.name) for check in checks)
    margin = " " * (len("degraded") + names + 4)
    for check in checks:
        head = f"{screen.paint(f'{check.state:8}', COLOURS[check.state])}  {check.name:{names}}  "
        first, *others = _texts(screen, check, len(margin))
        yield head + first
        yield from (margin + other for other in others)


def _texts(screen: Screen, check: Check, margin: int) -> list[str]:
    text = f"{check.found} (for {check.needed_for})"
    if screen.columns is None:
        return [f"{text}; to do: {check.advice}" if check.advice else text]
    width = max(screen.columns - margin, 20)
    parts = [text, f"to do: {check.advice}"] if check.advice else [text]
    return [
        line for part in parts for line in wrap(screen.text(part), width, break_on_hyphens=False)
    ]


def diagnose(machine: Machine) -> list[Check]:
    """All that is looked at, what is needed first."""
    found = [(thing, thing.judge(machine)) for thing in THINGS]
    return [
        Check(
            name=thing.name,
            state=verdict.state,
            is_needed=thing.is_needed,
            found=verdict.found,
            needed_for=thing.needed_for,
            advice=verdict.advice,
        )
        for thing, verdict in found
    ]
