"""The primary: a web application on a Unix socket."""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer

SOCKET, VOLUME = sys.argv[1], Path(sys.argv[2])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer any path with the greeting; the health check is not an access."""
        if self.path == "/healthz":
            self.reply("ok\n")
            return
        with (VOLUME / "access.log").open("a") as log:
            log.write(f"GET {self.path}\n")
        restarts = os.environ["PAIRVISOR_RESTARTS"]
        greeting = (VOLUME / "greeting.txt").read_text()
        self.reply(f"{greeting}I am process {os.getpid()}, restarted {restarts} times.\n")

    def reply(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def address_string(self) -> str:
        """A Unix socket's client has no address."""
        return "-"

    def log_message(self, *_: object) -> None:
        """The access log is in the volume."""


signal.signal(signal.SIGTERM, lambda *_: sys.exit())
with ThreadingUnixStreamServer(SOCKET, Handler) as server:
    print(f"serving on {SOCKET}", flush=True)
    server.serve_forever()
