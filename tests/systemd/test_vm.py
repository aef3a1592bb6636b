"""The Debian package in a VM: systemd with unified cgroups and all controllers, by its units.

| promise | test |
| --- | --- |
| the package's units, with limits, from its installation to its purge | test_the_package_* |
"""

import shutil
from pathlib import Path

import pytest

import pairvisor
from tests.packaging.built import built, needs_tools, renewed
from tests.systemd.vm import needs_vm, run_plain

pytestmark = [needs_vm, needs_tools, pytest.mark.timeout(1800)]

SCRIPT = """
set -u
check() { if eval "$2"; then echo "ok: $1"; else echo "NOT OK: $1"; systemctl status --no-pager --full "pairvisor*"; journalctl --no-pager | tail -40; fi; }
state() { systemctl show pairvisor@$1 -p ActiveState --value; }
main() { systemctl show pairvisor@$1 -p MainPID --value; }
ready() { pairvisor status -g $1 --wait ready --timeout 60s > /dev/null; }
await() { for _ in $(seq 600); do eval "$1" && return; sleep 0.1; done; false; }
dpkg --force-depends -i first.deb > /dev/null 2>&1
check "installed" '[ "$(pairvisor --version)" = "pairvisor @VERSION@" ]'
cp shop.toml second.toml broken.toml eater.py /etc/pairvisor/
systemctl enable --now pairvisor@shop pairvisor@second 2> /dev/null
check "two groups are active" '[ "$(state shop) $(state second)" = "active active" ]'
cgroup=/sys/fs/cgroup/system.slice/system-pairvisor.slice/pairvisor@shop.service/pairvisor-shop-*/members
check "a member's limit is its cgroup's" '[ "$(cat $cgroup/eater/memory.max)" = 67108864 ]'
check "the group's limit is above it" '[ "$(cat $cgroup/pids.max)" = 200 ]'
supervisor=$(main shop)
touch /run/eat
check "out of memory is named" 'await "pairvisor events -g shop | grep -q \\"eater was killed by SIGKILL (out of memory)\\""'
rm /run/eat
ready shop
check "the unit did not restart" '[ "$(main shop)" = "$supervisor" ] && [ "$(systemctl show pairvisor@shop -p NRestarts --value)" = 0 ]'
systemctl start pairvisor@broken 2> /dev/null
check "a broken manifest fails once" '[ "$(systemctl show pairvisor@broken -p ExecMainStatus,NRestarts --value | sort | xargs)" = "0 78" ]'
systemctl kill --kill-whom=main -s KILL pairvisor@shop
check "a killed supervisor is started again" 'await "[ \\"\\$(systemctl show pairvisor@shop -p NRestarts --value)\\" = 1 ] && [ \\$(state shop) = active ]"'
ready shop
members=$(pairvisor status -g shop --json | grep -o '"pid":[0-9]*' | sort)
dpkg --force-depends -i second.deb > /dev/null 2>&1
check "an upgrade lets the new version take over" 'await "pairvisor events -g shop | grep -q \\"pairvisor @VERSION@.1 has taken over\\""'
check "its members run on" '[ "$(pairvisor status -g shop --json | grep -o "\\"pid\\":[0-9]*" | sort)" = "$members" ]'
systemctl stop pairvisor@shop pairvisor@second
check "a stop is in order" '[ "$(systemctl show pairvisor@shop -p Result,ActiveState --value | sort | xargs)" = "inactive success" ]'
dpkg --purge pairvisor > /dev/null 2>&1
check "nothing is left" '[ -z "$(find /etc /usr /var /run /sys/fs/cgroup -name "*pairvisor*" -not -path "/var/lib/dpkg/*" -not -path "/sys/fs/cgroup/system.slice/system-pairvisor.slice*" 2> /dev/null)" ]'
echo over
"""  # noqa: E501
SHOP = """
limits = { pids = 200 }
[restart]
initial = "100ms"
[sidecars.eater]
command = ["/usr/bin/python3", "/etc/pairvisor/eater.py"]
limits = { memory = "64MiB" }
[primary]
command = "sleep 1000"
"""
EATER = """
import os, time
while not os.path.exists("/run/eat"):
    time.sleep(0.1)
kept = []
while True:
    kept.append(bytearray(1 << 20))
    time.sleep(0.005)
"""


def test_the_package_from_its_installation_to_its_purge(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = next(built(tmp_path_factory).glob("pairvisor_*.deb"))
    second = renewed(first, tmp_path_factory.mktemp("renewed"), f"{pairvisor.__version__}.1")
    folder = tmp_path / "vm"
    folder.mkdir()
    shutil.copy(first, folder / "first.deb")
    shutil.copy(second, folder / "second.deb")
    (folder / "shop.toml").write_text(SHOP)
    (folder / "second.toml").write_text('[primary]\ncommand = "sleep 1001"')
    (folder / "broken.toml").write_text("[primary]\ncomand = 1")
    (folder / "eater.py").write_text(EATER)
    said = run_plain(folder, SCRIPT.replace("@VERSION@", pairvisor.__version__))
    assert "NOT OK" not in said
    assert said.count("ok: ") == SCRIPT.count("\ncheck ")
    assert "over" in said.splitlines()
