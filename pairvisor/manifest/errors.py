"""What is wrong with a manifest, in a form that a person can act on."""

from msgspec import Struct


class Problem(Struct, frozen=True, order=True):
    """One thing that is wrong (or, among `Group.warnings`, odd), and where.

    `str()` gives `pairvisor.toml:14: sidecars.tls.after: no member is called "db" (did you mean
    "store"?)`; line and key are left out where they aren't known.
    """

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (where, self.key, self.message) if part)


class ManifestError(Exception):
    """The manifest can't be used. `problems` has all that is wrong with it, by line."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
