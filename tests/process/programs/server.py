"""server.py MODE WHERE [LEASH]: answers probes in one of many ways, and prints `up` before.

WHERE is a TCP port or a Unix socket's path.
"""

import contextlib
import os
import socket
import sys
import time

mode, where = sys.argv[1:3]


def answer(connection: socket.socket) -> None:
    if mode == "accepts":
        return
    connection.recv(1 << 16)
    if mode == "drips":
        for byte in b"HTTP/1.1 200 OK\r\n\r\n" * 100:
            connection.send(bytes([byte]))
            time.sleep(1)
    elif mode == "floods":
        while connection.send(b"x" * 65536):
            pass
    elif mode == "silent":
        connection.recv(1)
    else:
        location = "http://203.0.113.1/" if mode.startswith("3") else ""
        lines = f"HTTP/1.1 {mode} Word\r\nLocation: {location}\r\nContent-Length: 2\r\n\r\nok"
        connection.sendall(lines.encode())


if where.isdecimal():
    listener = socket.create_server(("127.0.0.1", int(where)))
else:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(where)
    listener.listen(0 if mode == "full" else 100)
if mode == "full":
    held = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    for one in held:
        one.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            one.connect(where)
os.write(1, b"up\n")
while True:
    if mode == "full":
        time.sleep(1000)
    with listener.accept()[0] as one, contextlib.suppress(OSError):
        answer(one)
