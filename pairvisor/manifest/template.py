"""What is written in the files beside manifests: sidecar templates, and injections."""

from typing import Any, Literal

from msgspec import field

from pairvisor.manifest.model import Table


class Parameter(Table, frozen=True):
    description: str
    type: Literal["text", "integer", "boolean", "duration", "size", "path", "address", "list"] = (
        "text"
    )
    default: Any = None
    optional: bool = False
    choices: list[str] = field(default_factory=list)
    pattern: str | None = None
    example: Any = None
    host: str = "127.0.0.1"
    socket: bool = True
    format: str | None = None
    unix: str | None = None
    tcp: str | None = None
    formats: dict[str, str] = field(default_factory=dict)
    separator: str = " "


class Template(Table, frozen=True):
    summary: str
    program: str
    install: str
    sidecar: dict[str, Any]
    version: list[str] = field(default_factory=list)
    parameters: dict[str, Parameter] = field(default_factory=dict)


class Injection(Table, frozen=True):
    select: dict[str, str]
    optional: bool = False
    sidecars: dict[str, Any] = field(default_factory=dict)
    init: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)
    volumes: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, Any] = field(default_factory=dict)


INJECTED = ("init", "sidecars", "files", "volumes", "secrets")  # the tables that it brings
