"""What a request may say: a type for each query and each body. What is not in it is refused."""

from typing import Annotated

from msgspec import Meta, Struct

Name = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,62}$", description="A member's name.")]
Word = Annotated[str, Meta(max_length=32768, pattern="^[^\0]*$")]
Variable = Annotated[str, Meta(min_length=1, max_length=256, pattern="^[^=\0]+$")]
Count = Annotated[int, Meta(ge=0, le=100_000)]
Follow = Annotated[
    bool, Meta(description="Go on with what comes, as server-sent events, until the group ends.")
]


class Asked(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all of them have in common."""


class Nothing(Asked, frozen=True):
    """A request without a query."""


class AboutEvents(Asked, frozen=True):
    since: Annotated[int, Meta(ge=0, description="Only events with a larger id than this.")] = 0
    n: Annotated[Count | None, Meta(description="At most the last so many.")] = None
    follow: Follow = False


class AboutLogs(Asked, frozen=True):
    member: Annotated[list[Name], Meta(description="Only of these members; none: of all.")] = []
    n: Annotated[Count | None, Meta(description="At most the last so many lines.")] = None
    since: Annotated[
        str, Meta(description="Only lines from this time on (RFC 3339, with a time zone).")
    ] = ""
    previous: Annotated[bool, Meta(description="Of the run before the present one.")] = False
    follow: Follow = False


class AboutMember(Asked, frozen=True):
    member: Annotated[Name | None, Meta(description="None: the group.")] = None


class Members(Asked, frozen=True):
    members: Annotated[list[Name], Meta(description="None named: the group.")] = []


class SignalTo(Asked, frozen=True):
    member: Name
    signal: Annotated[str, Meta(description="Its name (SIGHUP, HUP) or its number.")]


class Reloading(Asked, frozen=True):
    dry_run: Annotated[bool, Meta(description="Only say what would be done.")] = False


class Execution(Asked, frozen=True):
    member: Name
    command: Annotated[list[Word], Meta(min_length=1, max_length=4096)]
    terminal: Annotated[
        bool, Meta(description="The descriptor that was sent is a terminal for the command.")
    ] = False
    env: Annotated[dict[Variable, Word], Meta(description="On top of the member's own.")] = {}
