"""A sidecar: counts the lines of the access log, and leaves the figure for whoever scrapes it."""

import os
import sys
import threading
from pathlib import Path

volume = Path(sys.argv[1])
stopped = threading.Event()

while True:
    count = len((volume / "access.log").read_text().splitlines())
    new = volume / "metrics.new"
    new.write_text(f"# TYPE hello_requests_total counter\nhello_requests_total {count}\n")
    os.replace(new, volume / "metrics.prom")
    stopped.wait(1)
