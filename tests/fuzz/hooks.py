"""For schemathesis: a stream would not end while the group lives."""

from typing import Any

import schemathesis


@schemathesis.hook  # type: ignore[untyped-decorator]
def map_query(context: Any, query: Any) -> Any:
    """Ask for all that is there, and not for what comes."""
    return {k: v for k, v in query.items() if k != "follow"} if isinstance(query, dict) else query
