"""The metrics, as Prometheus itself reads them."""

import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.process.test_control import ask, connect
from tests.support import eventually, up

GROUP = """
    [primary]
    command = ["sh", "-c", "echo hello; exec sleep 1000"]

    [sidecars.tls]
    command = ["sleep", "1000"]
"""


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (prometheus) is missing")
def test_promtool_accepts_them(tmp_path: Path) -> None:
    with up(tmp_path, GROUP) as group:
        group.read_until("group test is ready")
        eventually((group.run / "control.sock").exists)
        text = ask(group, "/v1/metrics")[1]
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stdout.decode() + checked.stderr.decode()


def test_who_accepts_openmetrics_gets_it(tmp_path: Path) -> None:
    with up(tmp_path, GROUP) as group:
        group.read_until("group test is ready")
        with connect(group) as client:
            client.sendall(
                b"GET /v1/metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                b"Accept: application/openmetrics-text; version=1.0.0\r\n\r\n"
            )
            answer = b""
            while piece := client.recv(1 << 16):
                answer += piece
    head, _, text = answer.partition(b"\r\n\r\n")
    assert b"application/openmetrics-text" in head
    families = {
        family.name: family
        for family in text_string_to_metric_families(text.decode())  # type: ignore[no-untyped-call]
    }
    members = {sample.labels["member"] for sample in families["pairvisor_member_ready"].samples}
    assert members == {"primary", "tls"}
    assert families["pairvisor_group_restarts"].samples[0].value == 0
