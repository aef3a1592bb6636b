"""examples/log-shipping: a real shipper to a real collector that is down at first."""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import Example, needs, running
from tests.process.test_control import ask
from tests.support import Up, eventually

pytestmark = needs("syslog-ng")


class Shipping(Example):
    """The example in a folder of its own."""

    def __init__(self, folder: Path, runtime: Path) -> None:
        super().__init__("log-shipping", folder, runtime, ["6514"])
        self.received = self.folder / "received.log"

    @contextmanager
    def collector(self) -> Iterator[None]:
        options = "--foreground --no-caps --cfgfile receiver.conf --persist-file persist"
        command = ["/usr/sbin/syslog-ng", *options.split(), "--pidfile=pid", "--control=ctl"]
        process = subprocess.Popen(command, cwd=self.folder)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()

    def lines(self) -> list[str]:
        return self.received.read_text().splitlines() if self.received.exists() else []

    def last(self) -> int:
        """The number in the application's last line; 0 before that has come."""
        found = re.findall(r"^the last of (\d+)$", "\n".join(self.lines()[-1000:]), re.MULTILINE)
        return int(found[-1]) if found else 0


@pytest.fixture
def shipping(tmp_path: Path, runtime: Path) -> Iterator[Shipping]:
    with running(Shipping(tmp_path, runtime)) as shipping:
        yield shipping


def restart(group: Up) -> None:
    """The shipper, as asked: it has put what it had read onto the disk."""
    assert ask(group, "/v1/restart", {"members": ["ship"]})[0] == 200
    group.read_until("ship is ready")


@pytest.mark.parametrize("manifest", ["pairvisor.toml", "file.toml"])
def test_nothing_is_lost_on_the_way(shipping: Shipping, manifest: str) -> None:
    """Once at least: a shipper that is killed sends again what it isn't sure of."""
    path = shipping.folder / manifest
    path.write_text(path.read_text().replace("1MiB", "64KiB"))
    group = shipping.start_until_ready(manifest)
    for _ in range(2):
        before = written(group)
        eventually(lambda before=before: written(group) > before + 5_000)  # type: ignore[misc]
        restart(group)
        if manifest == "file.toml":
            shipping.restarts("ship")
            # syslog-ng does not look for a file that was renamed while it was not there.
            assert not (group.run / "volume/app.log.1").exists()
    if manifest == "file.toml":
        eventually((group.run / "volume/app.log.1").exists, within=60)
    with shipping.collector():
        eventually(lambda: len(shipping.lines()) > 1000)
        latest = written(group)
        eventually(lambda: sum(len(line) + 1 for line in shipping.lines()) >= latest)
        assert group.stop() == 0
        eventually(lambda: shipping.last() > 0)
    missing = {f"line {n}" for n in range(1, shipping.last() + 1)} - set(shipping.lines())
    assert not missing


def written(group: Up) -> int:
    members = ask(group, "/v1/status")[1]["members"]
    return next(int(m["log_bytes"]) for m in members if m["name"] == "primary")
