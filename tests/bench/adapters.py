"""One adapter per supervisor: turn a list of commands into its native config.

An adapter is made for one run directory.  ``write`` creates the config there,
``argv`` is the foreground command, ``env`` what it needs in its environment,
``stop`` the signal that asks it to stop everything and leave.
"""

import json
import os
import shlex
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

PEERS = Path(os.environ.get("PEERS") or Path(tempfile.gettempdir()) / "peers")
ROTATE_BYTES = 50_000_000
ROTATE_KEEP = 20


@dataclass
class Proc:
    name: str
    argv: list[str]
    ready_fd: int | None = None      # the child writes "\n" here when ready
    after: str | None = None         # start only when this one is ready


@dataclass
class Options:
    capture: bool = True             # take the children's stdout into logs/
    restart: bool = True
    fast: bool = True                # quickest restart the peer can be told
    shared_fate: bool = False        # one dies -> all stop or all restart
    stop_timeout: int | None = None  # None: the peer's own default


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


class Adapter:
    name = ""
    stop = signal.SIGTERM
    can_restart = True
    shared_fate: str | None = None   # how it is configured, None: not built in
    ordering: str | None = None      # likewise, for start after readiness
    rotation = True
    prefixes = False                 # the log's lines have more than the child wrote
    logs_to_stdout = False           # the log is what the supervisor prints
    broken: dict[str, str] = {}      # kind of mistake -> text put in the config
    config = ""                      # the file that ``broken`` is appended to

    def __init__(self, root: Path):
        self.root = root
        self.logs = root / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)

    def write(self, procs: list[Proc], o: Options) -> None:
        raise NotImplementedError

    def argv(self) -> list[str]:
        raise NotImplementedError

    def env(self) -> dict[str, str]:
        return {}

    def status(self) -> list[str] | None:
        return None

    def version(self) -> str:
        return "?"

    @classmethod
    def available(cls) -> bool:
        with tempfile.TemporaryDirectory() as d:
            return Path(cls(Path(d)).argv()[0]).exists()

    def spoil(self, text: str) -> None:
        with open(self.root / self.config, "a") as f:
            f.write(text)


def _pip_version(venv: str, package: str) -> str:
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([PEERS / venv / "bin/python", "-c", code],
                          capture_output=True, text=True).stdout.strip()


class Supervisord(Adapter):
    name = "supervisor"
    config = "supervisord.conf"
    broken = {"syntax": "\n[program:x\ncommand /bin/true\n",
              "unknown key": "\n[program:typo]\ncommand=/bin/true\nautostrat=true\n",
              "bad value": "\n[program:bad]\ncommand=/bin/true\nstartsecs=soon\n"}

    def write(self, procs, o):
        lines = ["[unix_http_server]", f"file={self.root}/s.sock", "[supervisord]",
                 "nodaemon=true", "user=root", f"logfile={self.root}/supervisord.log",
                 f"pidfile={self.root}/supervisord.pid", f"childlogdir={self.logs}",
                 "[rpcinterface:supervisor]",
                 "supervisor.rpcinterface_factory = "
                 "supervisor.rpcinterface:make_main_rpcinterface",
                 "[supervisorctl]", f"serverurl=unix://{self.root}/s.sock"]
        for p in procs:
            lines += [f"[program:{p.name}]", f"command={shlex.join(p.argv)}",
                      f"autorestart={'true' if o.restart else 'false'}",
                      "redirect_stderr=true"]
            if p.after:
                lines += ["priority=1000"]   # after the default of 999
            if o.fast:
                lines += ["startsecs=0", "startretries=100000"]
            if o.stop_timeout:
                lines += [f"stopwaitsecs={o.stop_timeout}"]
            if o.capture:
                lines += [f"stdout_logfile={self.logs}/{p.name}.log",
                          f"stdout_logfile_maxbytes={ROTATE_BYTES}",
                          f"stdout_logfile_backups={ROTATE_KEEP}"]
            else:
                lines += ["stdout_logfile=NONE"]
        (self.root / self.config).write_text("\n".join(lines) + "\n")

    def argv(self):
        return [f"{PEERS}/py-supervisor/bin/supervisord", "-c", f"{self.root}/{self.config}"]

    def status(self):
        return [f"{PEERS}/py-supervisor/bin/supervisorctl", "-c",
                f"{self.root}/{self.config}", "status"]

    def version(self):
        return _pip_version("py-supervisor", "supervisor")


class Circus(Adapter):
    name = "circus"
    config = "circus.ini"
    broken = {"syntax": "\n[watcher:x\ncmd /bin/true\n",
              "unknown key": "\n[watcher:typo]\ncmd=/bin/true\nautostrat=true\n",
              "bad value": "\n[watcher:bad]\ncmd=/bin/true\nnumprocesses=lots\n"}

    def write(self, procs, o):
        lines = ["[circus]", f"endpoint=ipc://{self.root}/c.sock",
                 f"pubsub_endpoint=ipc://{self.root}/p.sock", "statsd=False"]
        if o.fast:
            lines += ["check_delay=0.1"]
        retry = -1 if o.fast else 5
        for p in procs:
            lines += [f"[watcher:{p.name}]", f"cmd={p.argv[0]}",
                      f"args={shlex.join(p.argv[1:])}", "copy_env=True",
                      f"max_retry={retry}", f"respawn={o.restart}"]
            if o.stop_timeout:
                lines += [f"graceful_timeout={o.stop_timeout}"]
            if o.capture:
                lines += ["stdout_stream.class=FileStream",
                          f"stdout_stream.filename={self.logs}/{p.name}.log",
                          f"stdout_stream.max_bytes={ROTATE_BYTES}",
                          f"stdout_stream.backup_count={ROTATE_KEEP}"]
        (self.root / self.config).write_text("\n".join(lines) + "\n")

    def argv(self):
        return [f"{PEERS}/py-circus/bin/circusd", f"{self.root}/{self.config}"]

    def status(self):
        return [f"{PEERS}/py-circus/bin/circusctl", "--endpoint",
                f"ipc://{self.root}/c.sock", "status"]

    def version(self):
        return _pip_version("py-circus", "circus")


class Honcho(Adapter):
    name = "honcho"
    config = "Procfile"
    can_restart = False
    rotation = False
    logs_to_stdout = True
    shared_fate = "always: the first exit stops all; no restart"
    broken = {"syntax": "\nthis is not a procfile line\n",
              "unknown key": "\ntypo =  /bin/true\n"}

    def write(self, procs, o):
        (self.root / self.config).write_text(
            "".join(f"{p.name}: exec {shlex.join(p.argv)}\n" for p in procs))

    def argv(self):
        return [f"{PEERS}/py-honcho/bin/honcho", "-f", f"{self.root}/{self.config}", "start"]

    def version(self):
        return _pip_version("py-honcho", "honcho")


class Pm2(Adapter):
    name = "pm2"
    config = "apps.json"
    rotation = False                 # only by an extra module
    broken = {"syntax": "\n{ not json\n"}

    def write(self, procs, o):
        apps = []
        for p in procs:
            app = {"name": p.name, "script": p.argv[0], "args": p.argv[1:],
                   "interpreter": "none", "exec_mode": "fork", "vizion": False,
                   "pmx": False, "autorestart": o.restart,
                   "out_file": f"{self.logs}/{p.name}.log" if o.capture else "/dev/null",
                   "error_file": f"{self.logs}/{p.name}.err" if o.capture else "/dev/null"}
            if o.fast:
                app |= {"restart_delay": 0, "max_restarts": 1000000, "min_uptime": 0}
            if o.stop_timeout:
                app["kill_timeout"] = o.stop_timeout * 1000
            apps.append(app)
        (self.root / self.config).write_text(json.dumps({"apps": apps}, indent=1))

    def env(self):
        return {"PM2_HOME": f"{self.root}/pm2"}

    def argv(self):
        return [f"{PEERS}/pm2/node_modules/.bin/pm2-runtime", "start",
                f"{self.root}/{self.config}"]

    def status(self):
        return [f"{PEERS}/pm2/node_modules/.bin/pm2", "ls"]

    def version(self):
        meta = PEERS / "pm2/node_modules/pm2/package.json"
        return json.loads(meta.read_text())["version"]


class S6(Adapter):
    """s6-svscan without loggers."""
    name = "s6"
    logger = False
    shared_fate = "by hand: ./finish runs s6-svscanctl -t (all stop, svscan leaves)"
    ordering = "by hand: B's ./run waits with s6-svwait -U (s6-rc would automate it)"
    bin = Path("/usr/bin")           # s6-svscan looks for its helpers there

    def write(self, procs, o):
        for p in procs:
            d = self.root / "scan" / p.name
            wait = (f"s6-svwait -U {self.root}/scan/{p.after} || exit 1\n" if p.after else "")
            out = "" if self.logger and o.capture else " >/dev/null"
            script(d / "run", f"#!/bin/sh\n{wait}exec {shlex.join(p.argv)}{out}\n")
            if p.ready_fd is not None:
                (d / "notification-fd").write_text(f"{p.ready_fd}\n")
            if o.stop_timeout:
                (d / "timeout-kill").write_text(f"{o.stop_timeout * 1000}\n")
            if o.shared_fate:
                script(d / "finish", f"#!/bin/sh\nexec s6-svscanctl -t {self.root}/scan\n")
            if not o.restart:
                script(d / "finish", "#!/bin/sh\nexit 125\n")
            if self.logger and o.capture:
                script(d / "log/run", f"#!/bin/sh\nexec s6-log {self.stamp}n{ROTATE_KEEP} "
                                      f"s{ROTATE_BYTES} {self.logs}/{p.name}\n")

    def env(self):
        return {"PATH": f"{self.bin}:{os.environ['PATH']}"}

    def argv(self):
        return [f"{self.bin}/s6-svscan", f"{self.root}/scan"]

    def status(self):
        return ["sh", "-c", f"for d in {self.root}/scan/*; do s6-svstat $d; done"]

    def version(self):
        return subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "s6"],
                              capture_output=True, text=True).stdout

    def spoil(self, text):
        first = next((self.root / "scan").iterdir())
        if text == "noexec":
            (first / "run").chmod(0o644)
        else:
            (first / "run").write_text(text)

    broken = {"syntax": "#!/bin/sh\nexec 'unterminated\n", "run not executable": "noexec"}


class S6Log(S6):
    """s6-svscan with one s6-log per service."""
    name = "s6-log"
    stamp = ""
    logger = True


class S6LogTime(S6Log):
    """The same, with a time before each line."""
    name = "s6-log-t"
    stamp = "t "
    prefixes = True


class Runit(S6):
    name = "runit"
    bin = PEERS / "apt/usr/bin"
    stop = signal.SIGHUP             # SIGTERM makes runsvdir leave, nothing else
    shared_fate = None
    ordering = "by hand: B's ./run calls sv start A, which waits for A's ./check"

    def write(self, procs, o):
        for p in procs:
            d = self.root / "scan" / p.name
            wait = f"sv -w 10 start {self.root}/scan/{p.after} || exit 1\n" if p.after else ""
            out = "" if self.logger and o.capture else " >/dev/null"
            script(d / "run", f"#!/bin/sh\n{wait}exec {shlex.join(p.argv)}{out}\n")
            if p.ready_fd is not None:
                script(d / "check", f"#!/bin/sh\ntest -e {self.root}/records.ready\n")
            if not o.restart:
                script(d / "finish", "#!/bin/sh\nexec sv -w 0 down .\n")
            if self.logger and o.capture:
                log = self.logs / p.name
                log.mkdir()
                (log / "config").write_text(f"s{ROTATE_BYTES}\nn{ROTATE_KEEP}\n")
                script(d / "log/run", f"#!/bin/sh\nexec svlogd {log}\n")

    def argv(self):
        return [f"{self.bin}/runsvdir", f"{self.root}/scan"]

    def status(self):
        return ["sh", "-c", f"sv status {self.root}/scan/*"]

    def version(self):
        return ", ".join(d.name.split("_")[1] for d in (PEERS / "debs").glob("runit_*.deb"))


class RunitLog(Runit):
    name = "runit-log"
    logger = True


class Dinit(Adapter):
    name = "dinit"
    rotation = False                 # the child writes the file itself
    shared_fate = "boot depends-on every service, restart = false: all stop, dinit leaves"
    ordering = "ready-notification = pipefd:N on A, depends-on: A in B"
    config = "services/typo"
    broken = {"syntax": "type process\ncommand /bin/true\n",
              "unknown key": "type = process\ncommand = /bin/true\nautostrat = true\n",
              "bad value": "type = process\ncommand = /bin/true\nrestart-delay = soon\n"}

    def write(self, procs, o):
        d = self.root / "services"
        d.mkdir()
        link = "depends-on" if o.shared_fate else "waits-for"
        (d / "boot").write_text("type = internal\nrestart = false\n" + "".join(
            f"{link}: {p.name}\n" for p in procs))
        restart = "true" if o.restart and not o.shared_fate else "false"
        for p in procs:
            cmd = " ".join(f'"{a}"' for a in p.argv)
            lines = ["type = process", f"command = {cmd}",
                     f"restart = {restart}"]
            if o.fast:
                lines += ["restart-delay = 0", "restart-limit-count = 0"]
            if o.stop_timeout:
                lines += [f"stop-timeout = {o.stop_timeout}"]
            if o.capture:
                lines += ["log-type = file", f"logfile = {self.logs}/{p.name}.log"]
            if p.ready_fd is not None:
                lines += [f"ready-notification = pipefd:{p.ready_fd}"]
            if p.after:
                lines += [f"depends-on: {p.after}"]
            (d / p.name).write_text("\n".join(lines) + "\n")

    def argv(self):
        return [f"{PEERS}/dinit/bin/dinit", "-u", "-d", f"{self.root}/services",
                "-p", f"{self.root}/d.sock", "boot"]

    def status(self):
        return [f"{PEERS}/dinit/bin/dinitctl", "-p", f"{self.root}/d.sock", "list"]

    def version(self):
        out = subprocess.run([f"{PEERS}/dinit/bin/dinit", "--version"],
                             capture_output=True, text=True).stdout
        return out.split("version")[1].split()[0].rstrip(".")

    def spoil(self, text):
        super().spoil(text)
        with open(self.root / "services/boot", "a") as f:
            f.write("waits-for: typo\n")


class Pebble(Adapter):
    name = "pebble"
    logs_to_stdout = True            # with --verbose
    rotation = False                 # 100 KB in memory per service, or forwarded
    shared_fate = "on-failure: shutdown and on-success: shutdown (all stop, pebble leaves)"
    config = "pebble/layers/001-bench.yaml"
    broken = {"syntax": "  x: [unclosed\n",
              "unknown key": "  typo:\n    override: replace\n    command: /bin/true\n"
                             "    autostrat: true\n",
              "bad value": "  bad:\n    override: replace\n    command: /bin/true\n"
                           "    backoff-delay: soon\n"}

    def write(self, procs, o):
        lines = ["services:"]
        for p in procs:
            act = "shutdown" if o.shared_fate else "restart" if o.restart else "ignore"
            lines += [f"  {p.name}:", "    override: replace", "    startup: enabled",
                      f"    command: {shlex.join(p.argv)}",
                      f"    on-success: {act}", f"    on-failure: {act}"]
            if o.fast:
                lines += ["    backoff-delay: 1ms", "    backoff-factor: 1.0"]
            if o.stop_timeout:
                lines += [f"    kill-delay: {o.stop_timeout}s"]
            if p.after:
                lines += [f"    after: [{p.after}]", f"    requires: [{p.after}]"]
        path = self.root / self.config
        path.parent.mkdir(parents=True)
        path.write_text("\n".join(lines) + "\n")
        self.capture = o.capture

    capture = False

    def env(self):
        return {"PEBBLE": f"{self.root}/pebble"}

    def argv(self):
        return [f"{PEERS}/pebble/pebble", "run"] + (["--verbose"] if self.capture else [])

    def status(self):
        return [f"{PEERS}/pebble/pebble", "services"]

    def version(self):
        return subprocess.run([f"{PEERS}/pebble/pebble", "version", "--client"],
                              capture_output=True, text=True).stdout.strip()


class Pairvisor(Adapter):
    """The first child is the primary; all start together, unless told to wait."""
    name = "pairvisor"
    config = "pairvisor.toml"
    shared_fate = "on_failure = restart-group (the default): all restart together"
    format = "raw"
    ordering = "ready = { file = ... } on A, after = [A] on B"
    broken = {"syntax": "\n[sidecars.typo\n",
              "unknown key": "\n[sidecars.typo]\ncommand = ['/bin/true']\nautostrat = true\n",
              "bad value": "\n[sidecars.typo]\ncommand = ['/bin/true']\nstart_timeout = 'soon'\n"}

    def manifest(self, procs, o) -> str:
        lines = ['name = "bench"']
        if o.stop_timeout:
            lines += [f"grace = {o.stop_timeout}"]
        if o.fast:
            lines += ["[restart]", 'initial = "1ms"', 'max = "1ms"']
        fate = "restart-group" if o.shared_fate else "restart" if o.restart else "ignore"
        for i, p in enumerate(procs):
            argv, ready = list(p.argv), None
            if p.ready_fd is not None:                # the probe makes a file instead
                argv[-1], ready = "-1", f"{self.root}/records.ready"
            lines += ["[primary]" if i == 0 else f"[sidecars.{p.name}]",
                      f"command = {json.dumps(argv)}",
                      f"after = {json.dumps([p.after] if p.after and i else [])}".replace(
                          '["c000"]', '["primary"]'),
                      f'on_failure = "{fate}"', f'on_success = "{fate}"']
            if o.capture:
                lines += [f'log = {{ file = "{self.logs}/{p.name}.log", format = "{self.format}", '
                          f"max_size = {ROTATE_BYTES}, keep = {ROTATE_KEEP} }}"]
            else:
                lines += ['log = { to = "none" }']
            if ready:
                lines += [f"ready = {{ file = {json.dumps(ready)} }}"]
        return "\n".join(lines) + "\n"

    def write(self, procs, o):
        (self.root / self.config).write_text(self.manifest(procs, o))

    def program(self):
        return os.environ.get("PAIRVISOR", f"{PEERS}/pairvisor/bin/pairvisor")

    def env(self):
        return {"XDG_RUNTIME_DIR": f"{self.root}/xdg", "XDG_STATE_HOME": f"{self.root}/xdg-state"}

    def argv(self):
        return [self.program(), "up", "-f", f"{self.root}/{self.config}"]

    def version(self):
        return subprocess.run([self.program(), "--version"], capture_output=True,
                              text=True).stdout.split()[-1]


class PairvisorText(Pairvisor):
    """A time, the member and the stream before each line."""
    name = "pairvisor-text"
    format = "text"
    prefixes = True


class PairvisorJson(Pairvisor):
    name = "pairvisor-json"
    format = "json"
    prefixes = True


ADAPTERS = {a.name: a for a in (Supervisord, Circus, Honcho, Pm2, S6, S6Log, S6LogTime, Runit,
                                RunitLog, Dinit, Pebble, Pairvisor, PairvisorText,
                                PairvisorJson)}
