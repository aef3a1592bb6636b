"""From a member's written table to a `Member`: commands, probes, hooks and what its end means."""

import os.path
from collections.abc import Collection, Mapping
from math import inf
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pairvisor.manifest import model, signals
from pairvisor.manifest.commands import Words, split_command
from pairvisor.manifest.daemons import how_to_stay
from pairvisor.manifest.entries import Entry
from pairvisor.manifest.files import named_by, resolve_files
from pairvisor.manifest.group import (
    Fate,
    Feed,
    File,
    Gate,
    Hook,
    Identity,
    Member,
    Method,
    Places,
    Probe,
    Purpose,
    Reload,
)
from pairvisor.manifest.interpolate import Interpolator
from pairvisor.manifest.limits import resolve_limits, resolve_process_limits
from pairvisor.manifest.logs import resolve_log
from pairvisor.manifest.paths import below, lies_in
from pairvisor.manifest.probes import check_socket_length, resolve_probe
from pairvisor.manifest.programs import Programs
from pairvisor.manifest.report import Report
from pairvisor.manifest.secrets import resolve_readers
from pairvisor.manifest.units import shown


class Common(Struct, frozen=True):
    """What members are made with; `folder` is the manifest's, `grace` the group's."""

    folder: str
    places: Places
    grace: float
    programs: Programs
    secrets: Collection[str]
    files: tuple[File, ...]  # the group's own
    origins: Mapping[str, str]


class MemberMaker:
    """One member in the making. `may_appear`: an init runs before it and may make its files."""

    def __init__(
        self, entry: Entry, common: Common, interpolator: Interpolator, *, may_appear: bool
    ) -> None:
        self._entry = entry
        self._table = entry.table
        self._report = entry.report
        self._common = common
        self._interpolator = interpolator
        self._may_appear = may_appear
        self._working_dir = self._find_working_dir(common.folder)

    def make(
        self, env: dict[str, str], after: dict[str, Gate], feed: Feed | None, identity: Identity
    ) -> Member:
        table = self._table
        report = self._report
        name = self._entry.name
        member = Member(
            name=name,
            role=self._entry.role,
            origin=self._common.origins.get(name, "manifest"),
            command=self._main_command(),
            working_dir=self._working_dir,
            env=env,
            umask=table.umask,
            concern=table.concern,
            log=resolve_log(table.log, self._common.places, self._interpolator, report.at("log")),
            stdin=feed,
            identity=identity,
            limits=resolve_limits(table.limits, report.at("limits")),
            process_limits=resolve_process_limits(table.limits, report.at("limits")),
            secrets=resolve_readers(table.secrets, self._common.secrets, report.at("secrets")),
            files=resolve_files(
                table.files,
                self._common.places.files_of(name),
                self._interpolator,
                report.at("files"),
            ),
            check=self._check(table),
            after=after,
            hooks=self._hooks(),
            stop_signal=table.stop.signal,
            stop_grace=_stop_grace(table.stop, self._common.grace, report.at("stop", "grace")),
            success_codes=_success_codes(table.success_codes, report.at("success_codes")),
            on_exit=_on_exit(table.on_exit, report.at("on_exit")),
            on_failure=table.on_failure,
            **self._of_its_kind(),
        )
        shared = named_by(member, self._common.files)
        return replace(member, files=member.files + shared) if shared else member

    def _check(self, table: model.Process) -> tuple[str, ...]:
        if table.check is None:
            return ()
        return self._command(table.check, self._report.at("check"))

    def _of_its_kind(self) -> dict[str, Any]:
        """The fields that an init and a member that stays have each for itself."""
        table = self._table
        if isinstance(table, model.Init):
            # Its success lets those start that wait for it, and does nothing to the group.
            return {"timeout": table.timeout or inf, "on_success": Fate.IGNORE}
        return {
            "probes": self._probes(table),
            "start_timeout": table.start_timeout or inf,
            "on_success": table.on_success,
            "watch": self._globs(table.watch, self._report.at("watch")),
            "reload": self._reload(table.reload),
            "reload_on": self._globs(
                table.reload.on_change if table.reload else [],
                self._report.at("reload", "on_change"),
            ),
        }

    def _reload(self, written: model.Reload | None) -> Reload | None:
        if written is None:
            return None
        report = self._report.at("reload")
        if written.signal is not None and written.command is not None:
            report.error("one of signal and command, not both")
            return None
        if written.command is not None:
            return Reload(command=self._command(written.command, report.at("command")))
        if written.signal is not None:
            return Reload(signal=written.signal)
        if not written.on_change:
            report.error("one of signal, command and on_change")
        return None

    def _globs(self, written: list[str], report: Report) -> tuple[str, ...]:
        if not written:
            return ()
        from pairvisor.manifest.globs import resolve_globs  # noqa: PLC0415 - only where there are some

        return resolve_globs(written, self._common.folder, self._interpolator, report)

    def _find_working_dir(self, folder: str) -> str:
        if self._table.working_dir is None:
            return folder
        report = self._report.at("working_dir")
        written = self._interpolator.fill(self._table.working_dir, report)
        path = below(folder, written)
        if "\0" in written:
            report.error("a path can't have a NUL character")
        elif not os.path.isdir(path) and not self._is_left_to_the_start(path):
            what = "not a folder" if os.path.exists(path) else "no such folder"
            report.error(f"{what}: {path}")
        return path

    def _is_left_to_the_start(self, path: str) -> bool:
        places = self._common.places
        return self._may_appear or lies_in(places.run, path) or lies_in(places.kept, path)

    def _main_command(self) -> tuple[str, ...]:
        report = self._report.at("command")
        if self._table.command is None:
            self._report.at("command").error('missing: write command = ["PROGRAM", "WORD", …]')
            return ()
        words = self._command(self._table.command, report)
        if advice := how_to_stay(words):
            report.warn(advice)
        return words

    def _command(self, written: Words, report: Report) -> tuple[str, ...]:
        words = split_command(written, self._interpolator, report)
        if words:
            self._check_program(words[0], report)
        return words

    def _check_program(self, word: str, report: Report) -> None:
        if "/" in word and self._is_left_to_the_start(below(self._working_dir, word)):
            return
        path = self._interpolator.env.get("PATH")
        if reason := self._common.programs.why_not(word, self._working_dir, path):
            install = self._table.install
            report.error(f"{reason}; to install it: {install}" if install else reason)

    def _hooks(self) -> dict[Hook, tuple[str, ...]]:
        report = self._report.at("hooks")
        written = {hook: getattr(self._table.hooks, hook) for hook in Hook}
        return {
            hook: self._command(command, report.at(hook.value))
            for hook, command in written.items()
            if command is not None
        }

    def _probes(self, table: model.Serving) -> dict[Purpose, Probe]:
        probes = {}
        for purpose in Purpose:
            written: model.Probe | None = getattr(table, purpose)
            if written is not None:
                report = self._report.at(purpose.value)
                probe = resolve_probe(
                    written, purpose, self._interpolator, self._common.places, report
                )
                if probe is not None:
                    probes[purpose] = probe
                    self._check_probe(probe, report)
        return probes

    def _check_probe(self, probe: Probe, report: Report) -> None:
        if probe.method is Method.EXEC and probe.target:
            self._check_program(probe.target[0], report.at("exec"))
        if probe.method is Method.NOTIFY:
            path = f"{self._common.places.notify}/{self._entry.name}"
            check_socket_length(path, report.at("notify"))


def check_grace(seconds: float, report: Report) -> None:
    if seconds <= 0:
        report.error('more than 0 (to kill at once: stop = { signal = "SIGKILL" })')


def _stop_grace(stop: model.Stop, whole: float, report: Report) -> float:
    if stop.grace is None:
        return inf
    if stop.grace > whole:
        report.warn(f"longer than the group's grace, {whole:g} s, which ends it all the same")
    check_grace(stop.grace, report)
    return stop.grace


def _success_codes(codes: list[int], report: Report) -> frozenset[int]:
    for index, code in enumerate(codes):
        if not 0 <= code <= 255:
            report.at(index).error(f"an exit code is between 0 and 255, not {shown(code)}")
    return frozenset(codes)


def _on_exit(written: dict[str, Fate], report: Report) -> dict[int, Fate]:
    return {_ending(key, report.at(key)): fate for key, fate in written.items()}


def _ending(key: str, report: Report) -> int:
    """An exit code as it is, a signal as a negative number."""
    if key.isascii() and key.isdecimal() and int(key[:6]) <= 255:
        return int(key)
    signum = signals.named(key)
    if signum is not None:
        return -signum
    report.error('expected an exit code from 0 to 255 or a signal such as "SIGHUP"')
    return 0
