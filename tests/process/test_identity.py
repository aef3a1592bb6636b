"""Who members are to the kernel, and what those of different users share.

| promise | test |
| --- | --- |
| groups, gid and uid are as asked for, or nothing runs | test_a_member_is_*, test_a_step_* |
| a setuid child gets nothing | test_a_setuid_* |
| capabilities are those that are kept | test_capabilities_* |
| a stage runs nothing of the member's as root | test_what_the_loader_* |
| members of different users share, nobody else does | test_sharing, test_nobody_else_* |
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import NOBODY, can_be_nobody, let_others_through, up

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be other users")
STATUS = r"grep -E '^(Uid|Gid|Groups|NoNewPrivs|Cap)' /proc/self/status; echo done; sleep inf"
strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@pytest.fixture(autouse=True)
def _is_passable(tmp_path: Path) -> None:
    """Other users come to the group's folder, and through that of all groups."""
    let_others_through(tmp_path)


def said_by(folder: Path, keys: str, script: str = STATUS) -> dict[str, list[str]]:
    """What a primary with these keys reads of itself."""
    manifest = f"""
    [primary]
    command = ["sh", "-c", "{script}"]
    {keys}
    """
    with up(folder, manifest) as group:
        group.read_all("done$")
        lines = [line.partition("| ")[2].strip() for line in group.said.splitlines()]
        assert group.stop() == 0
    return {line.partition(":")[0]: line.partition(":")[2].split() for line in lines}


def test_a_member_is_whom_it_says(tmp_path: Path) -> None:
    own = said_by(tmp_path, 'user = "daemon"\nsupplementary_groups = ["mail", 54321]')
    assert own["Uid"] == ["1"] * 4
    assert own["Gid"] == ["1"] * 4
    assert {"8", "54321"} <= set(own["Groups"])
    assert "0" not in own["Groups"]


def test_a_number_without_a_name(tmp_path: Path) -> None:
    own = said_by(tmp_path, "user = 54321\ngroup = 54322")
    assert (own["Uid"], own["Gid"], own["Groups"]) == (["54321"] * 4, ["54322"] * 4, [])


def test_root_keeps_what_it_has_and_can_shed_it(tmp_path: Path) -> None:
    assert (
        said_by(tmp_path, "")["CapEff"] == said_by(tmp_path, "no_new_privileges = true")["CapEff"]
    )
    shed = said_by(tmp_path, "capabilities = []")
    assert {int(shed[each][0], 16) for each in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {0}


def test_capabilities_are_those_that_are_kept(tmp_path: Path) -> None:
    own = said_by(tmp_path, 'user = "daemon"\ncapabilities = ["CAP_NET_BIND_SERVICE", "chown"]')
    kept = 1 << 10 | 1 << 0
    assert {int(own[each][0], 16) for each in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {kept}


def test_no_new_privileges_is_for_who_does_not_say_otherwise(tmp_path: Path) -> None:
    assert said_by(tmp_path, "")["NoNewPrivs"] == ["1"]
    assert said_by(tmp_path, "no_new_privileges = false")["NoNewPrivs"] == ["0"]
    manifest = f"""
    [sidecars.a]
    command = ["sh", "-c", "{STATUS}"]
    [primary]
    command = ["sleep", "inf"]
    no_new_privileges = false
    """
    with up(tmp_path, manifest) as group:
        group.read_until(r"NoNewPrivs:\s+1$")


def test_a_setuid_child_gets_nothing(tmp_path: Path) -> None:
    program = tmp_path / "id"
    shutil.copy("/usr/bin/id", program)
    program.chmod(0o4755)
    script = f"echo id: $({program} -u); echo done; sleep inf"
    assert said_by(tmp_path, 'user = "daemon"', script)["id"] == ["1"]
    free = 'user = "daemon"\nno_new_privileges = false'
    assert said_by(tmp_path, free, script)["id"] == ["0"]


def test_another_user_begins_with_its_own_environment(tmp_path: Path) -> None:
    manifest = """
    env = { SHARED = "yes" }
    [primary]
    command = ["sh", "-c", "env | sort; echo done; sleep inf"]
    user = "daemon"
    env = { OWN = "1" }
    """
    with up(tmp_path, manifest, LEAK="x", HOME="/root") as group:
        group.read_all("done$")
        lines = {line.partition("| ")[2].strip() for line in group.said.splitlines()}
    variables = dict(line.split("=", 1) for line in lines if "=" in line)
    assert variables["USER"] == variables["LOGNAME"] == "daemon"
    assert variables["HOME"] == "/usr/sbin"
    assert (variables["SHARED"], variables["OWN"]) == ("yes", "1")
    assert "LEAK" not in variables
    assert not [name for name in variables if name.startswith("PAIRVISOR_HELD")]


def test_what_the_loader_does_it_does_as_the_user(tmp_path: Path) -> None:
    """What a stage of ours loaded, it would run as root; what ld.so(8) writes tells whose it is."""
    shown = tmp_path / "shown"
    shown.mkdir()
    shown.chmod(0o777)
    manifest = f"""
    [primary]
    command = ["sh", "-c", "echo output: $LD_DEBUG_OUTPUT; echo done; sleep inf"]
    user = "daemon"
    env = {{ LD_DEBUG = "files", LD_DEBUG_OUTPUT = "{shown}/by" }}
    """
    with up(tmp_path, manifest) as group:
        group.read_all(f"output: {shown}/by$", "done$")
        owners = {path.stat().st_uid for path in shown.iterdir()}
    assert owners == {1}


@strace
@pytest.mark.parametrize("call", ["setgroups", "setresuid", "setresgid"])
def test_a_step_that_fails_is_never_skipped(tmp_path: Path, call: str) -> None:
    """The program is not run with more rights than it should have."""
    ran = tmp_path / "ran"
    manifest = f"""
    restart = {{ limit = 1 }}
    [primary]
    command = ["touch", "{ran}"]
    user = "daemon"
    limits = {{ core = 0 }}
    on_failure = "teardown"
    """
    tracer = ("strace", "-f", "-o", "/dev/null", "-e", f"inject={call}:error=EPERM", "-e", call)
    with up(tmp_path, manifest, *tracer) as group:
        assert group.wait() == 126
        assert "cannot be started as it should: " in group.said
        assert not ran.exists()


def test_a_folder_that_the_user_can_not_enter(tmp_path: Path) -> None:
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o700)
    manifest = f"""
    [primary]
    command = ["sleep", "inf"]
    working_dir = "{shut}"
    user = "daemon"
    on_failure = "teardown"
    """
    with up(tmp_path, manifest) as group:
        assert group.wait() == 126
        assert f'cannot enter the folder "{shut}": Permission denied' in group.said


def test_a_program_that_the_user_can_not_run(tmp_path: Path) -> None:
    program = Path("/usr/local/bin/pairvisor-test-program")
    shutil.copy("/bin/true", program)
    program.chmod(0o700)
    manifest = f"""
    [primary]
    command = ["{program}"]
    user = "daemon"
    on_failure = "teardown"
    """
    try:
        with up(tmp_path, manifest) as group:
            assert group.wait() == 126
            assert f"user 1 has no way through or no right to execute {program}" in group.said
    finally:
        program.unlink()


def test_a_program_on_the_way_that_is_not_for_the_user_is_passed_by(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o700)
    shutil.copy("/bin/false", mine / "true")
    manifest = """
    [primary]
    command = ["true"]
    user = "daemon"
    """
    with up(tmp_path, manifest, PATH=f"{mine}:{os.environ['PATH']}") as group:
        assert group.wait() == 0


SHARE = """
    [sidecars.a]
    command = ["sh", "-c", "umask 077; echo from-a >${volume}/a; echo done; sleep inf"]
    user = "daemon"
    ready = { file = "a" }
    [primary]
    command = ["sh", "-c", "cd ${volume}; cat a; echo b>>a; >${sockets}/b; echo up; sleep 99"]
    user = "nobody"
"""


def test_sharing(tmp_path: Path) -> None:
    with up(tmp_path, SHARE) as group:
        group.read_all("from-a$", "up$")
        assert (group.run / "volume/a").read_text() == "from-a\nb\n"


def test_nobody_else_can(tmp_path: Path) -> None:
    with up(tmp_path, SHARE) as group:
        group.read_all("up$")
        for path in ("volume", "volume/a", "sockets", "sockets/b", "notify", "control.sock"):
            look = f"import os; os.stat({str(group.run / path)!r}); os.listdir({str(group.run)!r})"
            other = ("setpriv", "--reuid=8", "--regid=8", "--clear-groups", "/usr/bin/python3")
            ran = subprocess.run([*other, "-c", look], stderr=subprocess.DEVNULL, check=False)
            assert ran.returncode == 1, path


def test_a_shut_folder_above_refuses_the_start(tmp_path: Path) -> None:
    (tmp_path / "xdg").chmod(0o700)
    with up(tmp_path, SHARE) as group:
        assert group.wait() == 78
        assert f"a, as user 1, can't come to {tmp_path}/xdg/pairvisor/test/sockets: " in group.said
        assert f"{tmp_path}/xdg is shut to it" in group.said


def test_a_kept_volume_is_shared_too(tmp_path: Path) -> None:
    (tmp_path / "xdg-state/pairvisor").mkdir(parents=True)
    for path in (tmp_path / "xdg-state", tmp_path / "xdg-state/pairvisor"):
        path.chmod(0o755)
    manifest = """
    volumes.kept = { keep = true }
    [primary]
    command = ["sh", "-c", "cat old; echo was here >>old; echo done; sleep inf"]
    working_dir = "${volumes.kept}"
    user = "daemon"
    """
    for _ in range(2):
        with up(tmp_path, manifest) as group:
            group.read_all("done$")
            assert group.stop() == 0
            said = group.said
    assert "was here" in said


def test_a_member_of_another_user_says_that_it_is_ready(tmp_path: Path) -> None:
    say = (
        "import socket, os; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); "
        "s.connect(os.environ['NOTIFY_SOCKET']); s.send(b'READY=1'); import time; time.sleep(999)"
    )
    manifest = f"""
    [primary]
    command = ["/usr/bin/python3", "-c", \"\"\"{say}\"\"\"]
    user = "daemon"
    ready = {{ notify = true }}
    """
    with up(tmp_path, manifest) as group:
        group.read_until("primary is ready")


@pytest.mark.skipif(not can_be_nobody(), reason="this Python can't be run as nobody")
def test_without_root_a_user_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    manifest = '[primary]\ncommand = ["sleep", "inf"]\nuser = "daemon"\n'
    with up(tmp_path, manifest, *NOBODY) as group:
        assert group.wait() == 78
        assert "only root can start a member as another user" in group.said
