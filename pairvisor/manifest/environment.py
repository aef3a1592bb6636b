"""The environment of members: what is inherited, then env files and tables, the member's last."""

from collections.abc import Collection, Iterable, Mapping

from pairvisor.manifest.envfile import NAME, EnvFileError, parse_env
from pairvisor.manifest.group import Places, Role
from pairvisor.manifest.interpolate import Interpolator
from pairvisor.manifest.model import Process
from pairvisor.manifest.paths import below, climbs
from pairvisor.manifest.reading import UnreadableError, read_text
from pairvisor.manifest.report import Report

# What systemd and other supervisors tell us about ourselves; a member that believed it would
# answer for us: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3), systemd.exec(5).
_OURS = frozenset(
    "NOTIFY_SOCKET CREDENTIALS_DIRECTORY JOURNAL_STREAM INVOCATION_ID MAINPID SYSTEMD_EXEC_PID "
    # The group's: one in a member needs others.
    "RUNTIME_DIRECTORY STATE_DIRECTORY LOGS_DIRECTORY CONFIGURATION_DIRECTORY".split()
)
_OURS_BY_PREFIX = ("LISTEN_", "WATCHDOG_", "PAIRVISOR_")
_CLEAN = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ")
_OF_A_USER = frozenset("HOME USER LOGNAME SHELL".split())

Variables = dict[str, str]


class Environments:
    """Makes the members' environments; what they share is worked out once."""

    def __init__(
        self,
        environ: Mapping[str, str],
        interpolator: Interpolator,
        folder: str,
        uid: int,
        *,
        hidden: Collection[str] = (),
    ) -> None:
        """`hidden` are variables that nobody inherits. Nor does anybody one whose name isn't a
        variable's for a shell, as that of a function of bash: no shell passes it on."""
        self.inherited = {
            name: value
            for name, value in environ.items()
            if NAME.fullmatch(name) and not (_is_ours(name) or name in hidden)
        }
        self.clean = {k: self.inherited[k] for k in _CLEAN if k in self.inherited}
        self.shared: Variables = {}
        self._interpolator = interpolator
        self._folder = folder
        self._uid = uid

    def share(self, files: str | list[str], table: Variables, report: Report) -> None:
        """Set what the group's own `env_file` and `env` give to every member."""
        self.shared = self._layer(files, table, self._interpolator.seeing(self.inherited), report)

    def member(
        self,
        table: Process,
        user: Variables | None,
        interpolator: Interpolator,
        report: Report,
    ) -> Variables:
        """One member's environment, in a dict of its own. `user`: what a login would tell it."""
        base = (self.clean if table.clean_env else self.inherited) | self.shared
        if user is not None:
            base = {k: v for k, v in self.clean.items() if k not in _OF_A_USER} | user | self.shared
        if table.env_file or table.env:
            # ${env.NAME} sees all that is inherited, so that a clean one can let single ones in.
            beneath = interpolator.seeing(self.inherited | self.shared)
            base |= self._layer(table.env_file, table.env, beneath, report)
        return base

    def _layer(
        self, files: str | list[str], table: Variables, beneath: Interpolator, report: Report
    ) -> Variables:
        read = self._read_all(files, beneath, report)
        fill = (beneath.seeing({**beneath.env, **read}) if read else beneath).fill
        for name, value in table.items():
            at = report.at("env", name)
            _check_variable(name, value, at)
            read[name] = fill(value, at)
        return read

    def _read_all(self, files: str | list[str], beneath: Interpolator, report: Report) -> Variables:
        variables: Variables = {}
        for at, file in _each(files, report.at("env_file")):
            filled = beneath.fill(file.removeprefix("-"), at)
            variables |= self._read(filled, file.startswith("-"), at)
        return variables

    def _read(self, file: str, optional: bool, report: Report) -> Variables:
        if climbs(file):
            report.error(f'"{file}" leaves the manifest\'s folder (an absolute path may)')
            return {}
        path = below(self._folder, file)
        try:
            return parse_env(read_text(path, self._uid))
        except UnreadableError as error:
            if not (optional and error.missing):
                report.error(f'cannot read the env file "{file}": {error.message}')
        except EnvFileError as error:
            report.in_file(path, error.line, error.message)
        return {}


def _is_ours(name: str) -> bool:
    return name in _OURS or name.startswith(_OURS_BY_PREFIX)


def _each(files: str | list[str], report: Report) -> Iterable[tuple[Report, str]]:
    if isinstance(files, str):
        return [(report, files)]
    return [(report.at(index), file) for index, file in enumerate(files)]


def _check_variable(name: str, value: str, report: Report) -> None:
    if not NAME.fullmatch(name):
        report.error("not a variable's name: letters, digits and _ are, a digit not first")
    elif name.startswith("PAIRVISOR_"):
        report.error("pairvisor sets the variables whose names start with PAIRVISOR_")
    if "\0" in value:
        report.error("a variable can't have a NUL character")


def about_itself(group: str, member: str, role: Role, places: Places) -> Variables:
    """What each member is told of itself; the runtime adds what changes from run to run."""
    return {
        "PAIRVISOR_GROUP": group,
        "PAIRVISOR_MEMBER": member,
        "PAIRVISOR_ROLE": role.value,
        "PAIRVISOR_RUN": places.run,
        "PAIRVISOR_SOCKETS": places.sockets,
        "PAIRVISOR_VOLUME": places.volume,
        "PAIRVISOR_CONTROL": places.control,
    }
