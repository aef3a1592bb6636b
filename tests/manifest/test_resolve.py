"""What a sound manifest becomes."""

import grp
import os
import pwd
from math import inf
from pathlib import Path
from signal import SIGHUP, SIGINT

import pytest

from pairvisor.manifest.group import (
    Access,
    Compression,
    ControlGroup,
    Endpoint,
    Fate,
    Feed,
    Gate,
    Hook,
    LineFormat,
    Log,
    LogFile,
    Method,
    Purpose,
    Role,
    Target,
)
from pairvisor.manifest.load import load
from pairvisor.manifest.places import find_places
from tests.manifest.conftest import Loader, Refuser

SOUND = '[primary]\ncommand = "sleep 100"\n'


def test_defaults(resolved: Loader, tmp_path: Path) -> None:
    group = resolved(SOUND)
    assert group.name == "shop"
    assert group.places.run == "/run/user/1000/pairvisor/shop"
    assert (group.grace, group.start_timeout, group.max_runtime) == (30, 300, inf)
    primary = group.primary
    assert primary.name == "primary"
    assert primary.working_dir == str(tmp_path)
    assert (primary.on_success, primary.on_failure) == (Fate.TEARDOWN, Fate.RESTART_GROUP)
    assert (primary.start_timeout, primary.stop_grace, primary.umask) == (inf, inf, 0o022)
    assert primary.key == ("primary",)
    assert group.warnings == ()


def test_members_stand_by_role(resolved: Loader) -> None:
    text = '[sidecars.b]\ncommand = "sleep 1"\n[sidecars.a]\ncommand = "sleep 1"\n'
    group = resolved(text + SOUND + '[init.z]\ncommand = "true"\ntimeout = "2m"\n')
    assert list(group.members) == ["z", "b", "a", "primary"]
    init = group.members["z"]
    assert (init.role, init.timeout, init.on_success) == (Role.INIT, 120, Fate.IGNORE)
    assert group.members["a"].on_success is Fate.RESTART_GROUP
    assert [m.key for m in group.members.values()][:2] == [("init", "z"), ("sidecars", "b")]


def test_everything_that_a_member_can_say(resolved: Loader) -> None:
    group = resolved("""
        grace = 20
        max_runtime = "1h30m"
        [primary]
        name = "web"
        command = "sleep '1 00'"
        umask = "0027"
        concern = "the web"
        success_codes = [0, 3]
        on_exit = { 42 = "teardown", SIGHUP = "ignore", int = "restart" }
        stop = { signal = "INT", grace = "1.5s" }
        hooks = { pre_stop = ["true", "x"], post_start = "true y" }
        ready = { http = "http://localhost?x=1", interval = "500ms", successes = 2 }
        live = { exec = "true", failures = 5, delay = 3 }
        startup = { notify = true }
        """)
    web = group.members["web"]
    assert web.command == ("sleep", "1 00")
    assert group.max_runtime == 5400
    assert web.umask == 0o027
    assert web.success_codes == {0, 3}
    assert web.on_exit == {42: Fate.TEARDOWN, -SIGHUP: Fate.IGNORE, -SIGINT: Fate.RESTART}
    assert (web.stop_signal, web.stop_grace) == (SIGINT, 1.5)
    assert web.hooks == {Hook.POST_START: ("true", "y"), Hook.PRE_STOP: ("true", "x")}
    ready = web.probes[Purpose.READY]
    assert (ready.method, ready.target) == (Method.HTTP, ("http://localhost:80/?x=1",))
    assert (ready.interval, ready.successes) == (0.5, 2)
    assert web.probes[Purpose.LIVE].target == ("true",)
    assert web.probes[Purpose.STARTUP].target == ()


RUN = "/run/user/1000/pairvisor/shop"


@pytest.mark.parametrize(
    ("probe", "target"),
    [
        ('tcp = "127.0.0.1:80"', "127.0.0.1:80"),
        ('tcp = "[::1]:80"', "[::1]:80"),
        ('grpc = "localhost:9000"', "localhost:9000"),
        ('http = "http://127.0.0.1:8080/a/b?c"', "http://127.0.0.1:8080/a/b?c"),
        ('http = "http://[::1]"', "http://[::1]:80/"),
        ('http = "unix:a.sock:/health"', f"unix:{RUN}/sockets/a.sock:/health"),
        ('http = "unix:a.sock"', f"unix:{RUN}/sockets/a.sock:/"),
        ('http = "unix:/tmp/a.sock:/x"', "unix:/tmp/a.sock:/x"),
        ('http = "unix:${sockets}/a:/x"', f"unix:{RUN}/sockets/a:/x"),
        ('unix = "a.sock"', f"{RUN}/sockets/a.sock"),
        ('unix = "/tmp/a.sock"', "/tmp/a.sock"),
        ('file = "ready"', f"{RUN}/volume/ready"),
        ('file = "${volume}/ready"', f"{RUN}/volume/ready"),
        ('log = "^up$"', "^up$"),
    ],
)
def test_targets(resolved: Loader, probe: str, target: str) -> None:
    group = resolved(f"{SOUND}ready = {{ {probe} }}\n")
    assert group.primary.probes[Purpose.READY].target == (target,)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("sleep  a\tb", ("sleep", "a", "b")),
        ('sleep "a b" c\\ d', ("sleep", "a b", "c d")),
        ("sleep #not-a-comment", ("sleep", "#not-a-comment")),
        ("sleep ''", ("sleep", "")),
        ("sleep a\u00a0b", ("sleep", "a\u00a0b")),
    ],
)
def test_strings_are_split_as_a_shell_would(
    resolved: Loader, command: str, words: tuple[str, ...]
) -> None:
    assert resolved(f"[primary]\ncommand = '''{command}'''\n").primary.command == words


def test_a_path_with_a_space_stays_one_word(resolved: Loader) -> None:
    group = resolved('[primary]\ncommand = "sleep ${env.A} ${env.A}x"\n', A="a b")
    assert group.primary.command == ("sleep", "a b", "a bx")


def test_paths_that_an_init_may_make_are_left_to_the_start(
    resolved: Loader, refused: Refuser
) -> None:
    later = '[primary]\ncommand = "./made-later"\nworking_dir = "made-later"\n'
    assert len(refused(later)) == 2
    group = resolved(later + '[init.make]\ncommand = "true"\n')
    assert group.primary.command == ("./made-later",)
    assert len(refused(SOUND + '[init.make]\ncommand = "./made-later"\n')) == 1


def test_paths_in_the_run_folder_are_left_to_the_start(resolved: Loader) -> None:
    group = resolved('[primary]\ncommand = "${volume}/x"\nworking_dir = "${volume}"\n')
    assert group.primary.command == (f"{RUN}/volume/x",)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('command = "sleep 1 | cat"', 'no shell runs, so "|" is an ordinary word'),
        ('command = "sleep 1 2>&1"', 'no shell runs, so "2>&1" is an ordinary word'),
        ('command = "sleep 1 && true"', 'no shell runs, so "&&" is an ordinary word'),
        ('command = "sleep $TIME"', "no shell runs, so $TIME stays as it is: write ${env.TIME}"),
        ('command = "sleep"\nstop = { grace = "1h" }', "longer than the group's grace, 30 s"),
    ],
)
def test_warnings(resolved: Loader, line: str, said: str) -> None:
    (warning,) = resolved(f"[primary]\n{line}\n").warnings
    assert warning.message.startswith(said)
    assert warning.line == line.count("\n") + 2


@pytest.mark.parametrize(
    "command",
    [
        '"sleep $$TIME"',
        '["sh", "-c", "echo $HOME | cat"]',
        "\"sleep 'a | b'\"",
        '["sleep", "|"]',
        '"sleep ${env.PATH}"',
    ],
)
def test_no_warning(resolved: Loader, command: str) -> None:
    assert resolved(f"[primary]\ncommand = {command}\n").warnings == ()


@pytest.mark.parametrize(
    ("program", "words", "warned"),
    [
        ("nginx", "-c x", True),
        ("nginx", "-g 'daemon off;'", False),
        ("syslog-ng", "-F --no-caps", False),
        ("syslog-ng", "--no-caps", True),
        ("rsyslogd", "-n -i NONE", False),
        ("redis-server", "--daemonize yes", True),
        ("redis-server", "--daemonize no", False),
        ("haproxy", "-D -f x", True),
        ("haproxy", "-Ws -f x", False),
        ("caddy", "start", True),
        ("caddy", "run", False),
        ("gunicorn", "--daemon shop:app", True),
        ("gunicorn", "-D shop:app", True),
        ("gunicorn", "shop:app", False),
        ("uwsgi", "--daemonize /tmp/log", True),
    ],
)
def test_programs_that_leave_for_the_background(
    resolved: Loader, tmp_path: Path, program: str, words: str, warned: bool
) -> None:
    (tmp_path / program).symlink_to("/bin/sleep")
    group = resolved(f'[primary]\ncommand = "./{program} {words}"\n')
    assert bool(group.warnings) is warned


@pytest.mark.parametrize(
    ("name", "environ", "uid", "run"),
    [
        ("a", {"RUNTIME_DIRECTORY": "/run/x:/run/y", "XDG_RUNTIME_DIR": "/z"}, 0, "/run/x"),
        ("a", {"XDG_RUNTIME_DIR": "/z/"}, 0, "/z/pairvisor/a"),
        ("a@eu", {}, 0, "/run/pairvisor/a@eu"),
        ("a", {"RUNTIME_DIRECTORY": "x", "XDG_RUNTIME_DIR": "y"}, 0, "/run/pairvisor/a"),
        ("a", {"XDG_RUNTIME_DIR": "/run/user/5"}, 5, "/run/user/5/pairvisor/a"),
        ("a", {"TMPDIR": "/var/tmp"}, 5, "/var/tmp/pairvisor-5/a"),
        ("a", {}, 5, "/tmp/pairvisor-5/a"),
    ],
)
def test_places(name: str, environ: dict[str, str], uid: int, run: str) -> None:
    assert find_places(name, environ, uid).run == run


@pytest.mark.parametrize(
    ("environ", "uid", "state"),
    [
        ({"STATE_DIRECTORY": "/var/lib/x:/y", "XDG_STATE_HOME": "/z"}, 0, "/var/lib/x"),
        ({"XDG_STATE_HOME": "/z/"}, 0, "/z/pairvisor/a"),
        ({"STATE_DIRECTORY": "x", "XDG_STATE_HOME": "y"}, 0, "/var/lib/pairvisor/a"),
        ({"HOME": "/home/u/"}, 5, "/home/u/.local/state/pairvisor/a"),
        ({"HOME": "u"}, 2**31, "/nonexistent/.local/state/pairvisor/a"),
    ],
)
def test_state_folders(environ: dict[str, str], uid: int, state: str) -> None:
    assert find_places("a", environ, uid).state == state


def test_a_home_that_the_environment_does_not_tell() -> None:
    user = next(each for each in pwd.getpwall() if each.pw_uid)
    state = find_places("a", {}, user.pw_uid).state
    assert state == f"{user.pw_dir.rstrip('/')}/.local/state/pairvisor/a"


def test_a_control_group(resolved: Loader) -> None:
    ours = grp.getgrgid(os.getegid())
    group = resolved(f'control_group = "{ours.gr_name}"\n{SOUND}')
    assert group.control_group == ControlGroup(ours.gr_name, ours.gr_gid, Access.READ)
    table = f'{{ name = "{ours.gr_name}", access = "full" }}'
    group = resolved(f"control_group = {table}\n{SOUND}")
    assert group.control_group == ControlGroup(ours.gr_name, ours.gr_gid, Access.FULL)
    assert (group.warnings, resolved(SOUND).control_group) == ((), None)


def test_a_control_group_to_which_the_user_does_not_belong(resolved: Loader) -> None:
    others = next(g for g in grp.getgrall() if g.gr_gid not in (os.getegid(), *os.getgroups()))
    (warning,) = resolved(f'control_group = "{others.gr_name}"\n{SOUND}').warnings
    assert warning.message.startswith(f'only root and members of "{others.gr_name}" can')


@pytest.mark.parametrize(
    ("metrics", "endpoint"),
    [
        ("127.0.0.1:9100", Endpoint(host="127.0.0.1", port=9100)),
        ("127.8.8.8:1", Endpoint(host="127.8.8.8", port=1)),
        ("[::1]:65535", Endpoint(host="::1", port=65535)),
        ("localhost:9100", Endpoint(host="127.0.0.1", port=9100)),
        ("unix:metrics.sock", Endpoint(path=f"{RUN}/sockets/metrics.sock")),
        ("unix:/run/a.sock", Endpoint(path="/run/a.sock")),
        ("/run/a.sock", Endpoint(path="/run/a.sock")),
        ("unix:${run}/a.sock", Endpoint(path=f"{RUN}/a.sock")),
        ("127.0.0.1:${env.PORT}", Endpoint(host="127.0.0.1", port=9101)),
    ],
)
def test_where_metrics_are_served(resolved: Loader, metrics: str, endpoint: Endpoint) -> None:
    assert resolved(f'metrics = "{metrics}"\n{SOUND}', PORT="9101").metrics == endpoint


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("web/pairvisor.toml", "web"),
        ("web/a.toml", "a"),
        ("b", "b"),
        ("My_App/pairvisor.toml", "my-app"),
        ("web/__a__.toml", "a"),
        ("web/a@EU_1.toml", "a@eu-1"),
        (f"{'x' * 80}/pairvisor.toml", "x" * 63),
    ],
)
def test_default_names(tmp_path: Path, path: str, name: str) -> None:
    manifest = tmp_path / path
    manifest.parent.mkdir(exist_ok=True)
    manifest.write_text(SOUND)
    assert load(manifest, {"PATH": "/bin"}, 5).name == name


def test_notify_socket_that_would_be_too_long(refused: Refuser) -> None:
    (said,) = refused(
        f'[primary]\nname = "{"a" * 63}"\ncommand = "sleep 1"\nready = {{ notify = true }}\n',
        XDG_RUNTIME_DIR="/run/" + "b" * 30,
    )
    assert said.startswith("4: primary.ready.notify: the socket's path /run/bbb")


def test_control_socket_that_would_be_too_long(refused: Refuser) -> None:
    (said,) = refused(SOUND, XDG_RUNTIME_DIR="/run/" + "b" * 90)
    assert "control.sock has 123 bytes, and the system allows 107" in said


def test_gates_of_what_may_just_end(resolved: Loader) -> None:
    group = resolved(
        SOUND + 'after = { a = "succeeded", b = "ended" }\n'
        '[sidecars.a]\ncommand = "sleep 1"\non_success = "ignore"\n'
        '[sidecars.b]\ncommand = "sleep 1"\non_failure = "ignore"\n'
    )
    assert group.primary.after == {"a": Gate.SUCCEEDED, "b": Gate.ENDED}


@pytest.mark.parametrize(
    ("environ", "uid", "logs"),
    [
        ({"LOGS_DIRECTORY": "/var/log/x:/y", "STATE_DIRECTORY": "/s"}, 0, "/var/log/x"),
        ({"STATE_DIRECTORY": "/s"}, 0, "/var/log/pairvisor/a"),
        ({"XDG_STATE_HOME": "/z"}, 0, "/z/pairvisor/a/logs"),
        ({"HOME": "/home/x"}, 1000, "/home/x/.local/state/pairvisor/a/logs"),
    ],
)
def test_where_logs_are(environ: dict[str, str], uid: int, logs: str) -> None:
    assert find_places("a", environ, uid).logs == logs


def test_where_output_goes(resolved: Loader, tmp_path: Path) -> None:
    group = resolved(
        f"""
        [primary]
        command = "true"
        log = {{ file = "${{name}}.log" }}
        [init.i]
        command = "true"
        log = {{ file = "{tmp_path}/i.log", format = "raw", max_size = 0, keep = 1,
                compress = "gzip", buffer = "2MiB", overflow = "drop" }}
        [sidecars.a]
        command = "true"
        log = {{ to = "journal" }}
        stdin = ["primary", "i", "primary"]
        [sidecars.b]
        command = "true"
        stdin = {{ from = ["a"], format = "raw" }}
        """.replace("\n                ", "")
    )
    members = group.members
    assert group.primary.log == Log(Target.FILE, LogFile(f"{group.places.logs}/shop.log"))
    file = LogFile(f"{tmp_path}/i.log", LineFormat.RAW, 0, 1, Compression.GZIP)
    assert members["i"].log == Log(Target.FILE, file, 2 << 20, drops=True)
    assert members["a"].log == Log(Target.JOURNAL)
    assert members["b"].log == Log(Target.TERMINAL)
    assert members["a"].stdin == Feed(("primary", "i"), LineFormat.JSON)
    assert members["b"].stdin == Feed(("a",), LineFormat.RAW)
