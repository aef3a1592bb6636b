"""What a group writes is in the journal, as it was written, with whose it is.

| fault | test |
| --- | --- |
| lines of bytes that are no text, empty, of 100 KB | test_lines_are_as_they_were_written |
| journald restarts in the middle | test_no_line_is_lost_where_journald_restarts |
"""

from typing import Any

import pytest

from tests.systemd.box import Box, needs_box
from tests.systemd.units import WEB, main_pids, said, write

pytestmark = [needs_box, pytest.mark.slow]

WRITER = r"""
import sys, time
out = sys.stdout.buffer
out.write(b"first\n\n  spaces  \nA=B\nMESSAGE=not a field\n\xff\x00\x1b[31m\n")
out.write("Grüße\n".encode() + b"x" * 100_000 + b"\n")
out.write(b"without a newline")
out.flush()
sys.stderr.write("Traceback:\n  line 2\n")
"""
COUNTER = """
import os, time
number = 0
while not os.path.exists("/etc/pairvisor/enough"):
    number += 1
    print(number, flush=True)
    time.sleep(0.001)
print("end", flush=True)
"""


def texts(entries: list[dict[str, Any]]) -> list[bytes]:
    """Their messages: what is no text is a list of numbers."""
    messages = [entry["MESSAGE"] for entry in entries]
    return [m.encode() if isinstance(m, str) else bytes(m) for m in messages]


def test_lines_and_events_have_fields(box: Box) -> None:
    unit = write(box, "told", WEB.replace("echo hello", "echo hello; echo '<4>careful' >&2"))
    box.run(f"systemctl start {unit}")
    lines = {line["MESSAGE"]: line for line in box.entries(2, "-t", "told/primary")}
    assert lines["hello"]["PRIORITY"] == "6"
    assert lines["careful"]["PRIORITY"] == "4"
    assert lines["careful"]["STREAM"] == "stderr"
    assert lines["hello"]["RUN"] == "1"
    found = box.journal("GROUP=told", "MEMBER=primary", "-u", unit)
    assert {"hello", "careful", "primary starts"} <= {line["MESSAGE"] for line in found}
    (ready,) = box.entries(1, "GROUP=told", "EVENT=group-ready")
    assert ready["SYSLOG_IDENTIFIER"] == "pairvisor"
    assert box.journal(f"MESSAGE_ID={ready['MESSAGE_ID']}", "GROUP=told") == [ready]
    box.run(f"kill -9 {main_pids(box, 'told')['tls']}")
    (died,) = box.entries(1, "GROUP=told", "MEMBER=tls", "EVENT=member-exited")
    assert (died["EXIT_CODE"], died["EXIT_STATUS"]) == ("killed", "SIGKILL")
    box.run(f"systemctl stop {unit}")
    assert box.journal("GROUP=told", "EVENT=group-ended")[0]["PRIORITY"] == "5"


def test_lines_are_as_they_were_written(box: Box) -> None:
    box.put("/etc/pairvisor/writer.py", WRITER)
    primary = '[primary]\ncommand = ["python3", "${dir}/writer.py"]'
    box.run(f"systemctl start --wait {write(box, 'raw', primary)}")
    lines = texts(box.journal("-t", "raw/primary", "STREAM=stdout"))
    assert lines[:6] == [
        b"first",
        b"",
        b"  spaces  ",
        b"A=B",
        b"MESSAGE=not a field",
        b"\xff\x00\x1b[31m",
    ]
    assert lines[6] == "Grüße".encode()
    assert b"".join(lines[7:-1]) == b"x" * 100_000
    assert lines[-1] == b"without a newline"
    told = box.journal("-t", "raw/primary", "STREAM=stderr")
    assert texts(told) == [b"Traceback:", b"  line 2"]


def test_no_line_is_lost_where_journald_restarts(box: Box) -> None:
    box.put("/etc/pairvisor/counter.py", COUNTER)
    primary = '[primary]\ncommand = ["python3", "${dir}/counter.py"]'
    unit = write(box, "steady", primary)
    box.run(f"systemctl start {unit}")
    said(box, "steady", "primary", 50)
    for _ in range(3):
        box.run("systemctl restart systemd-journald; journalctl --sync")
    box.put("/etc/pairvisor/enough", "")
    box.entries(1, "-t", "steady/primary", "MESSAGE=end")
    lines = [entry["MESSAGE"] for entry in box.journal("-t", "steady/primary")]
    assert lines == [*map(str, range(1, len(lines))), "end"]
