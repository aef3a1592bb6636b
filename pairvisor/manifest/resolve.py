"""From the written manifest to the `Group` that the rest of pairvisor works with."""

import os.path
from collections.abc import Mapping
from math import inf
from signal import Signals

from msgspec import Struct

from pairvisor.manifest import model
from pairvisor.manifest.commands import Words, split_command
from pairvisor.manifest.daemons import how_to_stay
from pairvisor.manifest.entries import Entry, list_entries
from pairvisor.manifest.environment import Environments, about_itself
from pairvisor.manifest.group import (
    Fate,
    Gate,
    Group,
    Hook,
    Member,
    Places,
    Probe,
    Purpose,
    Restart,
    Role,
)
from pairvisor.manifest.interpolate import Interpolator
from pairvisor.manifest.names import group_name
from pairvisor.manifest.order import resolve_order
from pairvisor.manifest.paths import below, lies_in
from pairvisor.manifest.places import find_places
from pairvisor.manifest.probes import check_socket_length, resolve_probe
from pairvisor.manifest.programs import Programs
from pairvisor.manifest.report import Report


class Setting(Struct, frozen=True):
    """Where a manifest is resolved: its path as the user gave it, who runs it, and with what."""

    path: str
    environ: Mapping[str, str]
    uid: int


def resolve(manifest: model.Manifest, setting: Setting, report: Report) -> Group | None:
    """The group, or None where it can't be made. All that is wrong is reported."""
    name = group_name(manifest.name, setting.path, report.at("name"))
    places = find_places(name, setting.environ, setting.uid)
    check_socket_length(f"{places.run}/control.sock", report.at("name"))
    entries = list_entries(manifest, report)
    if not entries:
        return None
    waits = resolve_order(entries)
    members = _Members(manifest, name, places, setting, report)
    return Group(
        name=name,
        manifest=setting.path,
        places=places,
        members={e.name: members.make(e, waits.get(e.name, {})) for e in entries},
        labels=manifest.labels,
        grace=_positive(manifest.grace, report.at("grace")),
        start_timeout=manifest.start_timeout or inf,
        max_runtime=manifest.max_runtime or inf,
        restart=_restart(manifest.restart, report.at("restart")),
    )


def _positive(seconds: float, report: Report) -> float:
    if seconds <= 0:
        report.error('more than 0 (to kill at once: stop = { signal = "SIGKILL" })')
    return seconds


def _restart(written: model.Restart, report: Report) -> Restart:
    if written.initial > written.max:
        report.at("initial").error(f"more than restart.max, which is {written.max:g} s")
    if not 1 <= written.factor <= 1000:
        report.at("factor").error("between 1 and 1000")
    if not 0 <= written.jitter <= 1:
        report.at("jitter").error("between 0 and 1")
    if written.limit < 0:
        report.at("limit").error("at least 0 (0: no limit)")
    if written.limit and not written.within:
        report.at("within").error("more than 0 where there is a limit")
    return Restart(
        initial=written.initial,
        max=written.max,
        factor=written.factor,
        jitter=written.jitter,
        reset_after=written.reset_after,
        limit=written.limit,
        within=written.within,
    )


class _Members:
    """Makes members; holds what they have in common."""

    def __init__(
        self,
        manifest: model.Manifest,
        name: str,
        places: Places,
        setting: Setting,
        report: Report,
    ) -> None:
        self._manifest = manifest
        self._name = name
        self._places = places
        self._programs = Programs()
        self._folder = os.path.dirname(os.path.abspath(setting.path))
        values = _values(name, self._folder, places)
        self._interpolator = Interpolator(values, {})
        self._environments = Environments(
            setting.environ, self._interpolator, self._folder, setting.uid
        )
        self._environments.share(manifest.env_file, manifest.env, report)
        self._an_init_ran = False

    def make(self, entry: Entry, after: dict[str, Gate]) -> Member:
        env = self._env(entry)
        one = _One(
            entry,
            self._interpolator.seeing(env),
            self._places,
            self._programs,
            folder=self._folder,
            path=env.get("PATH"),
            may_appear=self._an_init_ran,
        )
        self._an_init_ran = self._an_init_ran or entry.role is Role.INIT
        return one.make(env, after, self._manifest.grace)

    def _env(self, entry: Entry) -> dict[str, str]:
        table = entry.table
        env = self._environments.member(
            clean=table.clean_env, files=table.env_file, table=table.env, report=entry.report
        )
        env.update(about_itself(self._name, entry.name, entry.role, self._places))
        return env


def _values(name: str, folder: str, places: Places) -> dict[str, str]:
    values = {
        "sockets": places.sockets,
        "volume": places.volume,
        "run": places.run,
        "name": name,
        "dir": folder,
    }
    _, at, instance = name.partition("@")
    return values | {"instance": instance} if at else values


class _One:
    """One member in the making. `may_appear`: an init runs before it and may make its files."""

    def __init__(
        self,
        entry: Entry,
        interpolator: Interpolator,
        places: Places,
        programs: Programs,
        *,
        folder: str,
        path: str | None,
        may_appear: bool,
    ) -> None:
        self._entry = entry
        self._table = entry.table
        self._report = entry.report
        self._interpolator = interpolator
        self._places = places
        self._programs = programs
        self._path = path
        self._may_appear = may_appear
        self._working_dir = self._find_working_dir(folder)

    def make(self, env: dict[str, str], after: dict[str, Gate], grace: float) -> Member:
        table = self._table
        report = self._report
        serving = None if isinstance(table, model.Init) else table
        return Member(
            name=self._entry.name,
            role=self._entry.role,
            command=self._main_command(),
            working_dir=self._working_dir,
            env=env,
            umask=table.umask,
            concern=table.concern,
            after=after,
            probes=self._probes(serving) if serving else {},
            hooks=self._hooks(),
            start_timeout=(serving and serving.start_timeout) or inf,
            timeout=(isinstance(table, model.Init) and table.timeout) or inf,
            stop_signal=table.stop.signal,
            stop_grace=_stop_grace(table.stop, grace, report.at("stop", "grace")),
            success_codes=_success_codes(table.success_codes, report.at("success_codes")),
            on_exit=_on_exit(table.on_exit, report.at("on_exit")),
            on_success=serving.on_success if serving else Fate.IGNORE,
            on_failure=table.on_failure,
        )

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
        return self._may_appear or lies_in(self._places.run, path)

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
        if reason := self._programs.why_not(word, self._working_dir, self._path):
            report.error(reason)

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
                probe = resolve_probe(written, purpose, self._interpolator, self._places, report)
                if probe is not None:
                    probes[purpose] = probe
                    self._check_probe(probe, report)
        return probes

    def _check_probe(self, probe: Probe, report: Report) -> None:
        if probe.method == "exec" and probe.target:
            self._check_program(probe.target[0], report.at("exec"))
        if probe.method == "notify":
            path = f"{self._places.notify}/{self._entry.name}"
            check_socket_length(path, report.at("notify"))


def _stop_grace(stop: model.Stop, whole: float, report: Report) -> float:
    if stop.grace is None:
        return inf
    if stop.grace > whole:
        report.warn(f"longer than the group's grace, {whole:g} s, which ends it all the same")
    return _positive(stop.grace, report)


def _success_codes(codes: list[int], report: Report) -> frozenset[int]:
    for index, code in enumerate(codes):
        if not 0 <= code <= 255:
            report.at(index).error(f"an exit code is between 0 and 255, not {code}")
    return frozenset(codes)


def _on_exit(written: dict[str, Fate], report: Report) -> dict[int, Fate]:
    return {_ending(key, report.at(key)): fate for key, fate in written.items()}


def _ending(key: str, report: Report) -> int:
    """An exit code as it is, a signal as a negative number."""
    if key.isascii() and key.isdecimal() and int(key[:6]) <= 255:
        return int(key)
    name = key.upper() if key.upper().startswith("SIG") else f"SIG{key.upper()}"
    if name in Signals.__members__:
        return -Signals[name]
    report.error('expected an exit code from 0 to 255 or a signal such as "SIGHUP"')
    return 0
