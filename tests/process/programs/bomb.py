"""bomb.py LEASH WIDTH SECONDS: WIDTH processes that replace themselves until the time is over.

Each forks its successor, in a session of its own, and ends; the last ones stay.
"""

import os
import signal
import sys
from time import monotonic

leash, width, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
os.dup2(os.open(leash, os.O_WRONLY), 9)
end = monotonic() + seconds
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.write(1, b"boom\n")
for _ in range(width):
    if not os.fork():
        while monotonic() < end:
            if os.fork():
                os._exit(0)
            os.setsid()
        break
signal.pause()
