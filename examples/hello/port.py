"""A sidecar: the application on a TCP port, and the metrics beside it."""

import asyncio
import signal
import sys
from pathlib import Path

PORT, APP, VOLUME = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request: /metrics is a file in the volume, anything else is the application's."""
    request = await reader.readuntil(b"\r\n\r\n")
    if request.startswith(b"GET /metrics "):
        body = (VOLUME / "metrics.prom").read_bytes()
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + body)
    else:
        from_app, to_app = await asyncio.open_unix_connection(APP)
        to_app.write(request)
        writer.write(await from_app.read())
        to_app.close()
    await writer.drain()
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", PORT)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.close)
    print(f"serving on http://127.0.0.1:{PORT}/", flush=True)
    await server.wait_closed()


asyncio.run(main())
