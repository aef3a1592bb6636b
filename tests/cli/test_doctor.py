"""What `doctor` finds on this machine, and what it thinks of others."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pairvisor.cli.doctor import Check, diagnose
from pairvisor.cli.verdicts import THINGS
from pairvisor.runtime.cgroup import Cgroup, find_cgroup
from pairvisor.runtime.machine import Folder, Machine, why_unusable
from tests.cli.conftest import PROGRAM, Cli, Open
from tests.cli.terminal import colours

OURS = "/sys/fs/cgroup/user.slice/ours"
CGROUP = Cgroup(
    mount="/sys/fs/cgroup",
    own=OURS,
    is_writable=True,
    is_delegated=True,
    controllers=frozenset({"cpu", "memory", "pids", "io"}),
)
GOOD = Machine(
    uid=1000,
    python="3.13.1",
    kernel="6.12.0",
    has_proc=True,
    has_pidfd=True,
    has_subreaper=True,
    has_children=True,
    cgroup=CGROUP,
    why_no_user_namespace="",
    why_no_net_namespace="",
    programs=dict.fromkeys("setpriv prlimit nsenter unshare bwrap journalctl".split(), "/bin/x"),
    systemd="257",
    is_booted_by_systemd=True,
    inotify={"max_user_watches": 1048576, "max_user_instances": 128},
    descriptors=524288,
    run=Folder("/run/user/1000/pairvisor/NAME"),
    state=Folder("/home/u/.local/state/pairvisor/NAME"),
    is_run_temporary=False,
    longest_name=63,
    tells_out_of_memory=True,
    tells_pressure=True,
)


def found(machine: Machine, name: str) -> Check:
    return next(check for check in diagnose(machine) if check.name == name)


def test_a_machine_that_has_all() -> None:
    checks = diagnose(GOOD)
    assert {check.state for check in checks} == {"ok"}
    assert [check.advice for check in checks if check.advice] == []
    assert [check.name for check in checks] == [thing.name for thing in THINGS]


@pytest.mark.parametrize(
    ("lack", "name", "state", "said"),
    [
        ({"has_pidfd": False}, "pidfd", "missing", "Linux 5.3 or later"),
        ({"has_subreaper": False}, "subreaper", "missing", "Linux 3.4 or later"),
        ({"has_proc": False}, "/proc", "missing", "mount -t proc"),
        ({"has_children": False}, "/proc children", "degraded", "CONFIG_PROC_CHILDREN"),
        ({"run": Folder("/r/NAME", "no")}, "runtime folder", "missing", "set XDG_RUNTIME_DIR"),
        ({"longest_name": 0}, "runtime folder", "missing", "too long for a Unix socket"),
        ({"longest_name": 7}, "runtime folder", "degraded", "name may have 7 characters"),
        ({"is_run_temporary": True}, "runtime folder", "degraded", "systemd-logind"),
        ({"state": Folder("/s/NAME", "no")}, "state folder", "degraded", "set XDG_STATE_HOME"),
        ({"descriptors": 1024}, "open files", "degraded", "enough for 104 members"),
        ({"descriptors": 100}, "open files", "degraded", "too few"),
        ({"inotify": {}}, "inotify", "missing", "CONFIG_INOTIFY_USER"),
        ({"inotify": {"max_user_watches": 8192}}, "inotify", "degraded", "max_user_watches="),
        ({"tells_out_of_memory": False}, "out of memory", "degraded", "Linux 4.13"),
        ({"tells_pressure": False}, "pressure", "missing", "psi=1"),
        ({"cgroup": Cgroup()}, "cgroup v2", "missing", "unified_cgroup_hierarchy=1"),
        (
            {"cgroup": replace(CGROUP, mount="/sys/fs/cgroup/unified")},
            "cgroup v2",
            "degraded",
            "version 1 has the limits",
        ),
        ({"cgroup": replace(CGROUP, is_writable=False)}, "cgroup v2", "degraded", "Delegate=yes"),
        (
            {"cgroup": replace(CGROUP, is_delegated=False, is_systemds=True)},
            "cgroup v2",
            "degraded",
            "Delegate=yes",
        ),
        (
            {"cgroup": replace(CGROUP, controllers=frozenset({"memory"}))},
            "cgroup v2",
            "degraded",
            "have +cpu +pids",
        ),
        ({"why_no_user_namespace": "no"}, "user namespace", "missing", "max_user_namespaces"),
        ({"why_no_net_namespace": "no"}, "net namespace", "missing", "max_user_namespaces"),
        ({"programs": {**GOOD.programs, "bwrap": ""}}, "bwrap", "missing", "install bubblewrap"),
        ({"is_booted_by_systemd": False}, "systemd", "degraded", "another init"),
        ({"is_booted_by_systemd": False, "systemd": ""}, "systemd", "missing", "another init"),
    ],
)
def test_what_is_lacking_is_said(lack: dict[str, Any], name: str, state: str, said: str) -> None:
    check = found(replace(GOOD, **lack), name)
    assert check.state == state
    assert said in f"{check.found}; {check.advice}"
    others = [c for c in diagnose(replace(GOOD, **lack)) if c.state != "ok"]
    assert [c.name for c in others] == [name]
    assert check.advice


def test_a_cgroup_may_be_ours_without_systemd() -> None:
    """In a container, say: nobody marks it."""
    unmarked = replace(CGROUP, is_delegated=False)
    machine = replace(GOOD, cgroup=unmarked, is_booted_by_systemd=False)
    assert found(machine, "cgroup v2").state == "ok"


def test_this_machine(cli: Cli) -> None:
    ran = cli.run("doctor")
    assert (ran.returncode, ran.stderr) == (0, "")
    told = ran.stdout.splitlines()
    assert "\x1b" not in ran.stdout
    assert told[-1] == "groups can run here"
    assert [line.split("  ")[0] in ("ok", "degraded", "missing") for line in told[:-2]] == (
        [True] * len(THINGS)
    )
    document = json.loads(cli.run("doctor", "--json").stdout)
    assert document["ok"] is True
    assert [check["name"] for check in document["checks"]] == [thing.name for thing in THINGS]
    run = next(check for check in document["checks"] if check["name"] == "runtime folder")
    assert run["found"].startswith(f"{cli.env['XDG_RUNTIME_DIR']}/pairvisor/NAME")


def test_a_runtime_folder_that_cannot_be_is_an_answer_of_no(cli: Cli) -> None:
    taken = cli.write("", "taken")
    ran = cli.run("doctor", XDG_RUNTIME_DIR=str(taken))
    assert ran.returncode == 1
    assert (
        f"missing   runtime folder  {taken}/pairvisor/NAME: {taken} is not a folder" in ran.stdout
    )
    assert ran.stdout.endswith("no group can run here without: runtime folder\n")
    assert json.loads(cli.run("doctor", "--json", XDG_RUNTIME_DIR=str(taken)).stdout)["ok"] is False


def test_a_state_folder_that_cannot_be_degrades(cli: Cli) -> None:
    ran = cli.run("doctor", XDG_STATE_HOME=str(cli.write("", "taken")))
    assert ran.returncode == 0
    assert "degraded  state folder" in ran.stdout


def test_a_deep_runtime_folder(cli: Cli) -> None:
    folder = "/tmp/" + "x" * 70
    ran = cli.run("doctor", XDG_RUNTIME_DIR=folder)
    room = 107 - len(f"{folder}/pairvisor//control.sock")
    assert f"{folder}/pairvisor/NAME: a group's name may have {room} characters" in ran.stdout


def test_programs_are_looked_up(cli: Cli) -> None:
    (cli.folder / "bwrap").symlink_to("/bin/true")
    ran = cli.run("doctor", PATH=f"{cli.folder}:{cli.env['PATH']}")
    assert f"{cli.folder}/bwrap (for private_tmp" in ran.stdout


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit (util-linux)")
def test_a_low_limit_of_descriptors(cli: Cli) -> None:
    ran = subprocess.run(
        ["prlimit", "--nofile=500:500", *PROGRAM, "doctor"],
        env=cli.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "500: enough for 38 members of a group" in ran.stdout


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare (util-linux)")
def test_namespaces_are_tried(cli: Cli) -> None:
    """In one of its own that allows no more: the limit is a namespace's."""
    limited = 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@" || exit 99'
    ran = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", limited, "sh", *PROGRAM, "doctor"],
        env=cli.env,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode in (1, 99, 126) and not ran.stdout:
        pytest.skip(f"no user namespace with limits of its own: {ran.stderr}")
    assert "missing   user namespace  can't be made: No space left on device" in ran.stdout


@pytest.mark.parametrize("columns", [80, 200])
def test_on_a_terminal(terminal: Open, columns: int) -> None:
    opened = terminal("doctor", columns=columns)
    assert opened.wait() == 0
    assert max(map(len, opened.screen.splitlines())) in range(columns // 2, columns + 1)
    assert "32" in colours(opened.written)
    assert opened.screen.rstrip().endswith("groups can run here")


def test_a_terminal_without_colour(terminal: Open) -> None:
    opened = terminal("doctor", NO_COLOR="1")
    assert opened.wait() == 0
    assert "\x1b" not in opened.written


def mounts(*lines: str) -> str:
    return "".join(f"30 20 0:25 / {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("mountinfo", "cgroup", "own"),
    [
        (mounts("/cg rw shared:4 - cgroup2 cgroup2 rw"), "0::/a/b\n", "/cg/a/b"),
        (
            mounts("/cg/cpu rw - cgroup c rw", "/cg/unified rw - cgroup2 c rw"),
            "1:cpu:/x\n0::/\n",
            "/cg/unified",
        ),
        (mounts("/cg/cpu rw - cgroup c rw"), "1:cpu:/x\n", ""),
        ("", "", ""),
    ],
)
def test_the_cgroup_is_found(tmp_path: Path, mountinfo: str, cgroup: str, own: str) -> None:
    here = tmp_path / "proc/self"
    here.mkdir(parents=True)
    (here / "mountinfo").write_text(mountinfo)
    (here / "cgroup").write_text(cgroup)
    if own:
        folder = tmp_path / own[1:]
        folder.mkdir(parents=True)
        (folder / "cgroup.controllers").write_text("cpu memory\n")
        assert not find_cgroup(str(tmp_path)).is_writable
        (folder / "cgroup.procs").touch()
    group = find_cgroup(str(tmp_path))
    assert group.own == own
    assert group.is_writable is bool(own)
    assert group.controllers == (frozenset({"cpu", "memory"}) if own else frozenset())


def test_folders_that_can_be_used(tmp_path: Path) -> None:
    uid = os.geteuid()
    assert why_unusable(f"{tmp_path}/not/yet/there", uid) == ""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    said = f"{shared} is another user's, or others may write to it"
    assert why_unusable(f"{shared}/NAME", uid) == said
    assert why_unusable(f"{shared}/pairvisor/NAME", uid) == ""
    shared.chmod(0o1777)
    assert why_unusable(f"{shared}/NAME", uid) == ""
    assert why_unusable(f"{tmp_path}/NAME", uid + 1) == ("" if uid == 0 else said)
    (tmp_path / "file").touch()
    assert why_unusable(f"{tmp_path}/file/NAME", uid) == f"{tmp_path}/file is not a folder"
