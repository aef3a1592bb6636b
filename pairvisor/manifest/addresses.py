"""Addresses as a manifest has them: `127.0.0.1:8080`, `[::1]:8080`. No name is looked up."""

import re

HOST = r"(\[[^\]]*\]|[^:\[\]/]+)"
_ADDRESS = re.compile(rf"{HOST}:(\d{{1,5}})")


def split_address(text: str) -> tuple[str, str]:
    """Host, in brackets if it is written so, and port. Raises ValueError, with what to write."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError(_why_no_address(text))
    if not 1 <= int(match[2]) <= 65535:
        raise ValueError(f"port {match[2]} is not between 1 and 65535")
    return match[1], match[2]


def _why_no_address(text: str) -> str:
    if text.strip(":").isdecimal():
        return f'the host is missing: write "127.0.0.1:{text.strip(":")}"'
    if text.count(":") > 1 and "[" not in text:
        return f'an IPv6 address is written in brackets, "[::1]:8080", got "{text}"'
    return f'expected "127.0.0.1:8080" or "[::1]:8080", got "{text}"'


def packed(host: str) -> bytes:
    """The address in the network's form; empty for what is none."""
    # Not at the top: `socket` takes a while to import, and few manifests have an address.
    from socket import AF_INET, AF_INET6, inet_pton  # noqa: PLC0415

    try:
        return inet_pton(AF_INET6 if host.startswith("[") else AF_INET, host.strip("[]"))
    except (OSError, ValueError):  # the latter for a NUL
        return b""


def is_loopback(address: bytes) -> bool:
    """Whether a packed address is one that no other machine reaches: 127/8, ::1."""
    return address == bytes(15) + b"\1" if len(address) == 16 else address[:1] == b"\x7f"
