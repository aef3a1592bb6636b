"""The event loop, at the cost of what is used of it."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


def new_loop() -> "asyncio.AbstractEventLoop":
    """An asyncio loop, imported without its TLS: 8 ms and 4 MB that a supervisor never uses.

    asyncio itself copes with a Python that has no ssl; whoever imports ssl later gets it.
    """
    is_new = "ssl" not in sys.modules
    if is_new:
        sys.modules["ssl"] = None  # type: ignore[assignment]
    try:
        import asyncio  # noqa: PLC0415 - late: the first members are started before
    finally:
        if is_new:
            del sys.modules["ssl"]
    try:
        return asyncio.new_event_loop()
    except OSError:
        # What is half made would complain of that as it goes; the error says all there is.
        sys.unraisablehook = lambda _: None
        raise
