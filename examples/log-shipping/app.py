"""Stands for an application: a numbered line every few milliseconds, until it is told to stop."""

import itertools
import signal
import sys
import threading

over = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: over.set())
for number in itertools.count(1):
    print(f"line {number}", flush=True)
    if over.wait(0.002):
        break
print(f"the last of {number}", flush=True)
sys.exit(0)
