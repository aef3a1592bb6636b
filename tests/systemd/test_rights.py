"""Whose processes a unit's are, what they may, and what they are given.

| promise | test |
| --- | --- |
| a credential of the unit's is its member's alone | test_a_credential_is_a_secret |
| a drop-in gives back what the units take away | test_the_pages_drop_in_* |
| a group that root has run shuts no other user's unit out | test_a_unit_keeps_its_own_* |
"""

import re
import textwrap

import pytest

from tests.support import eventually
from tests.systemd.box import ROOT, Box, needs_box
from tests.systemd.units import WEB, drop_in, said, users, write

pytestmark = [needs_box, pytest.mark.slow]
PAGE = (ROOT / "docs/systemd.md").read_text()


def test_a_credential_is_a_secret(box: Box) -> None:
    box.put("/etc/canary", "canary-4711\n", 0o600)
    unit = write(
        box,
        "secret",
        """
        [secrets.db]
        credential = "db"
        [primary]
        command = ["sh", "-c", "wc -c < $CREDENTIALS_DIRECTORY/db; exec sleep 1007"]
        secrets = ["db"]
        """,
    )
    drop_in(box, unit, "LoadCredential=db:/etc/canary")
    box.run(f"systemctl start {unit}")
    assert said(box, "secret", "primary", 1) == ["12"]
    everywhere = (
        f"journalctl --all; systemctl show {unit}; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline"
    )
    everywhere += "; cat /var/lib/pairvisor/secret/*; pairvisor status --json -g secret"
    assert "canary-4711" not in box.run(f"{{ {everywhere}; }} | tr '\\0' '\\n'", check=False)
    box.run(f"systemctl stop {unit}")


def test_members_of_several_users(box: Box) -> None:
    write(
        box,
        "mixed",
        """
        [secrets.key]
        env = "KEY"
        [primary]
        command = ["sh", "-c", "umask 077; id -un; echo shared > a; mv a b; exec sleep 1008"]
        working_dir = "${volume}"
        ready = { file = "${volume}/b" }
        user = "nobody"
        group = "nogroup"
        [sidecars.side]
        command = ["sh", "-c", "id -un; cat ${volume}/b ${secrets.key}; echo; exec sleep 1009"]
        user = "daemon"
        group = "daemon"
        secrets = ["key"]
        after = ["primary"]
        """,
    )
    unit = "pairvisor-root@mixed"
    drop_in(box, unit, "Environment=KEY=mixed-key")
    box.run(f"systemctl start {unit}")
    assert said(box, "mixed", "primary", 1) == ["nobody"]
    assert said(box, "mixed", "side", 3) == ["daemon", "shared", "mixed-key"]
    assert users(box, unit) == {"root", "daemon", "nobody"}
    box.run(f"systemctl stop {unit}")
    assert box.show(unit, "Result") == ["success"]


TRIES = """
id -un
echo x > /srv/shop/file && echo wrote
ls /home > /dev/null && echo home
strace -o /dev/null true && echo traced
unshare --user true && echo unshared
wc -c < "$CREDENTIALS_DIRECTORY/db"
exec /usr/bin/python3 -m http.server --bind 127.0.0.1 80
"""
SHOP = f"""
    secrets.db.credential = "db"
    [primary]
    command = ["sh", "-c", '''{TRIES}''']
    secrets = ["db"]
    on_failure = "teardown"
"""


def test_the_pages_drop_in_gives_back_what_it_says(box: Box) -> None:
    box.run(
        "useradd shop; mkdir /srv/shop /etc/shop; echo secret > /etc/shop/db; chown shop /srv/shop"
    )
    unit = write(box, "shop", SHOP)
    block = re.search(r"^    \[Service\]\n(    .*\n)+(?=\n)", PAGE, re.MULTILINE)
    assert block
    drop_in(box, unit, "LoadCredential=db:/etc/shop/db")
    box.run(f"systemctl start --wait {unit}", check=False)
    assert box.show(unit, "ActiveState", "ExecMainStatus") == ["failed", "1"]
    lines = [entry["MESSAGE"] for entry in box.journal("-t", "shop/primary", "STREAM=stdout")]
    assert lines == ["pairvisor", "7"]
    drop_in(box, unit, "")
    box.put(f"/etc/systemd/system/{unit}.service.d/test.conf", textwrap.dedent(block[0]))
    assert box.run(f"systemctl daemon-reload; systemd-analyze verify --man=no {unit}.service") == ""
    box.put("/etc/pairvisor/shop.toml", textwrap.dedent(SHOP) + 'ready = { tcp = "127.0.0.1:80" }')
    box.run(f"systemctl start {unit}")
    lines = [entry["MESSAGE"] for entry in box.journal("-t", "shop/primary", "STREAM=stdout")]
    assert lines[2:] == ["shop", "wrote", "home", "traced", "unshared", "7"]
    assert users(box, unit) == {"shop"}
    assert box.show(unit, "MemoryMax") == [str(2 << 30)]
    box.run(f"systemctl stop {unit}")


def test_a_volume_in_memory_takes_two_words_more(box: Box) -> None:
    command = """["sh", "-c", "stat -f -c %T ${volumes.fast}; exec sleep 1010"]"""
    write(
        box,
        "fast",
        f"""
        volumes.fast = {{ medium = "memory", size = "1MiB" }}
        [primary]
        command = {command}
        """,
    )
    unit = "pairvisor-root@fast"
    box.fails(f"systemctl start {unit}")
    assert "Operation not permitted" in box.run(f"journalctl -u {unit}")
    words = re.findall(r"`(CapabilityBoundingSet=CAP_SYS_ADMIN|SystemCallFilter=@mount)`", PAGE)
    drop_in(box, unit, "\n".join(words))
    box.run(f"systemctl start {unit}")
    assert said(box, "fast", "primary", 1) == ["tmpfs"]
    box.run(f"systemctl stop {unit}")
    assert "fast" not in box.run("grep /run/pairvisor /proc/mounts || true")


LOGGED = """
    [primary]
    command = ["sh", "-c", "echo hello; exec sleep 1011"]
    log = { file = "app.log" }
"""


def test_a_unit_keeps_its_own_where_root_has_run_a_group(box: Box) -> None:
    box.run("systemctl stop 'pairvisor*'; rm -rf /var/lib/pairvisor /var/log/pairvisor")
    box.put("/root/first/pairvisor.toml", 'name = "first"\n' + textwrap.dedent(LOGGED))
    box.run("cd /root/first && umask 077 && pairvisor up -d && pairvisor down")
    unit = write(box, "kept", LOGGED)
    box.run(f"systemctl start {unit}")
    eventually(lambda: "hello" in box.run("cat /var/log/pairvisor/kept/app.log", check=False))
    assert users(box, unit) == {"pairvisor"}
    assert "degraded" not in box.run("pairvisor status -g kept")
    box.run(f"systemctl stop {unit}")
    assert "group kept was stopped" in box.run("pairvisor why -g kept")


MANAGER = """
useradd --create-home someone; id=$(id -u someone)
systemd-run --quiet --unit=someones --uid=someone --property=Type=notify --property=Delegate=yes \
  --property=RuntimeDirectory=user/$id --property=RuntimeDirectoryMode=0700 \
  --setenv=XDG_RUNTIME_DIR=/run/user/$id --setenv=HOME=/home/someone /lib/systemd/systemd --user
"""
AS = """as() { setpriv --reuid=someone --regid=someone --init-groups \
  env HOME=/home/someone XDG_RUNTIME_DIR=/run/user/$(id -u someone) "$@"; }
"""


def test_a_users_own_group(box: Box) -> None:
    """Without logind the box has no user@.service: this is what it would start."""
    box.run(MANAGER)
    box.put("/home/someone/.config/pairvisor/mine.toml", textwrap.dedent(WEB))
    box.run("chown -R someone /home/someone; umask 077")
    box.run(f"{AS} as systemctl --user enable --now pairvisor@mine")
    shown = box.run(f"{AS} as systemctl --user status pairvisor@mine")
    assert "Active: active" in shown
    assert 'Status: "running: 3 of 3 ready"' in shown
    assert "containment: cgroup" in box.run(f"{AS} as pairvisor status -g mine")
    assert said(box, "mine", "primary", 1) == ["hello"]
    box.fails("pairvisor status -g mine")  # root has none of that name
    box.run(f"{AS} as systemctl --user reload pairvisor@mine")
    box.run("systemctl stop someones")
    assert box.run("pgrep -u someone || true") == ""
