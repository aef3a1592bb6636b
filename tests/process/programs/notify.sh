#!/bin/sh
# notify.sh WATCHDOGS: says READY=1, so many WATCHDOG=1, one each tenth of a second, then nothing.
exec python3 -c '
import os, select, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
    s.connect(os.environ["NOTIFY_SOCKET"])
    s.send(b"STATUS=well\nREADY=1\n")
    for _ in range(int(sys.argv[1])):
        s.send(b"WATCHDOG=1")
        select.select([], [], [], 0.1)
select.select([], [], [])
' "$1"
