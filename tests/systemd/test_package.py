"""The Debian package in a real systemd: installed, upgraded under load, purged."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import pairvisor
from tests.packaging.built import built, needs_tools, renewed
from tests.support import eventually
from tests.systemd.box import Box, boxed, needs_box

pytestmark = [needs_box, needs_tools, pytest.mark.slow, pytest.mark.timeout(300)]

SERVER = """
import http.server, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("asked", flush=True)
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
"""
CLIENT = """
import os, urllib.request
asked = failed = 0
while not os.path.exists("/run/enough"):
    asked += 1
    try:
        assert urllib.request.urlopen("http://127.0.0.1:8080/", timeout=5).read() == b"ok"
    except Exception as error:
        failed += 1
        print(repr(error))
print(f"{asked} asked, {failed} failed")
"""
SHOP = """
[primary]
command = ["/usr/bin/python3", "-u", "/etc/pairvisor/server.py"]
ready = { tcp = "127.0.0.1:8080" }
[sidecars.side]
command = "sleep 1000"
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    first = next(built(tmp_path_factory).glob("pairvisor_*.deb"))
    return first, renewed(first, tmp_path_factory.mktemp("renewed"), f"{pairvisor.__version__}.1")


@pytest.fixture
def box(tmp_path: Path, packages: tuple[Path, Path]) -> Iterator[Box]:
    with boxed(tmp_path, installed=False) as made:
        for number, package in enumerate(packages):
            made.put_bytes(f"/root/{number}.deb", package.read_bytes())
        made.put("/etc/pairvisor/shop.toml", SHOP)
        made.put("/etc/pairvisor/server.py", SERVER)
        made.put("/etc/pairvisor/second.toml", '[primary]\ncommand = "sleep 1001"')
        made.put("/root/client.py", CLIENT)
        made.run("dpkg -i /root/0.deb")
        yield made


def test_an_upgrade_under_load_and_a_purge(box: Box) -> None:
    # What others have put where Python looks has no say in it.
    box.put("/usr/lib/python3/dist-packages/loud.pth", "import os; os.write(2, b'loud')\n")
    box.put("/tmp/click.py", "raise SystemExit('the wrong click')\n")
    assert (
        box.run("cd /tmp; PYTHONPATH=/tmp pairvisor --version")
        == f"pairvisor {pairvisor.__version__}\n"
    )
    box.run("systemctl enable --now pairvisor@shop pairvisor@second")
    before = [box.show(f"pairvisor@{name}", "MainPID") for name in ("shop", "second")]
    members = json.loads(box.run("pairvisor status --json -g shop"))["members"]
    client = subprocess.Popen(
        [*box.inside, "/usr/bin/python3", "/root/client.py"], stdout=subprocess.PIPE, text=True
    )
    box.run("dpkg -i /root/1.deb")
    for name in ("shop", "second"):
        eventually(lambda name=name: box.journal(f"GROUP={name}", "EVENT=reexecuted"))  # type: ignore[misc]
    assert box.run("pairvisor --version") == f"pairvisor {pairvisor.__version__}.1\n"
    after = json.loads(box.run("pairvisor status --json -g shop"))["members"]
    assert [m["pid"] for m in after] == [m["pid"] for m in members]
    assert [box.show(f"pairvisor@{name}", "MainPID") for name in ("shop", "second")] == before
    box.put("/run/enough", "")
    assert client.stdout is not None
    said = client.communicate(timeout=60)[0]
    assert ", 0 failed" in said, said
    asked = int(said.split()[-4])
    logged = [line for line in box.journal("-t", "shop/primary") if line["MESSAGE"] == "asked"]
    assert len(logged) == asked  # not a line was lost
    box.run("dpkg --purge pairvisor")
    assert box.run("pgrep -fx 'sleep 100[01]' || true") == ""
    assert box.run("getent passwd pairvisor || true") == ""
    left = box.run(
        "find /etc /usr /var /run -xdev -name '*pairvisor*' -not -path '/var/lib/dpkg/*'"
    )
    assert left == ""


def test_an_upgrade_may_leave_groups_alone(box: Box) -> None:
    box.run("systemctl start pairvisor@second")
    box.put("/etc/default/pairvisor", "REEXEC_ON_UPGRADE=no\n")
    box.run("dpkg --force-confold -i /root/1.deb")
    assert box.show("pairvisor@second", "ActiveState") == ["active"]
    assert not box.journal("GROUP=second", "EVENT=reexecuted")
    assert "has taken over" in box.run("pairvisor reexec -g second")
