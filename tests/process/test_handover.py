"""What a supervisor hands over is what the next one expects."""

import hashlib
import os

import msgspec
import pytest

from pairvisor.runtime import handover
from pairvisor.runtime.handover import Handover, HandoverError, read

# Of the version that stands beside it: another schema needs another version.
SCHEMAS = {2: "d8ce9db856ff01df"}


def fingerprint() -> str:
    schema = msgspec.json.schema(Handover)
    text = msgspec.json.encode(without_words(schema), order="sorted")
    return hashlib.sha256(text).hexdigest()[:16]


def without_words(schema: object) -> object:
    """What is only said of it may change."""
    if isinstance(schema, dict):
        return {k: without_words(v) for k, v in schema.items() if k != "description"}
    return [without_words(each) for each in schema] if isinstance(schema, list) else schema


def test_another_schema_has_another_version() -> None:
    """Let `VERSION` be one more, and note this one's here."""
    assert SCHEMAS[handover.VERSION] == fingerprint()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "nobody has handed anything over"),
        (b"something else\n", "nobody has handed anything over"),
        (b"pairvisor-handover 0 0.0.1\nx", "pairvisor 0.0.1 hands over version 0"),
        (b"pairvisor-handover %d 0.0.1\n\xc1" % handover.VERSION, "can't be understood"),
        (b"pairvisor-handover %d 0.0.1\n\x80" % handover.VERSION, "can't be understood"),
    ],
)
def test_what_is_no_handover_is_refused(content: bytes, why: str) -> None:
    descriptor = os.memfd_create("test")
    try:
        os.write(descriptor, content)
        with pytest.raises(HandoverError, match=why):
            read(descriptor)
    finally:
        os.close(descriptor)
