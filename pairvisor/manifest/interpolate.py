"""`${…}`: what the manifest may say about things that are known only where it runs.

Replaced once, not recursively, and after a command has been split, so that a path with a space
stays one word. A `$` that doesn't start `${` or `$$` is an ordinary character: no shell runs.
"""

import re
from collections.abc import Mapping

from pairvisor.manifest.report import Report

_REFERENCE = re.compile(r"\$\$|\$\{([^}]*)(\}?)")
_NOT_YET = ("sockets.",)


class _UnknownError(Exception):
    pass


class Interpolator:
    """`values` are the fixed names; `env` is what `${env.NAME}` sees."""

    __slots__ = ("env", "values")

    def __init__(self, values: Mapping[str, str], env: Mapping[str, str]) -> None:
        self.values = values
        self.env = env

    def seeing(self, env: Mapping[str, str]) -> "Interpolator":
        return Interpolator(self.values, env)

    def knowing(self, values: Mapping[str, str]) -> "Interpolator":
        """One that has these names, too."""
        return Interpolator({**self.values, **values}, self.env) if values else self

    def fill(self, text: str, report: Report) -> str:
        """The text with its references replaced; as it was when one of them is wrong."""
        if "$" not in text:
            return text
        try:
            return _REFERENCE.sub(self._replacement, text)
        except _UnknownError as error:
            report.error(str(error))
            return text

    def _replacement(self, match: re.Match[str]) -> str:
        name, closed = match.groups()
        if name is None:
            return "$"
        if not closed:
            raise _UnknownError(f'"${{{name}" has no closing brace')
        if name.startswith("env."):
            return self._variable(name.removeprefix("env."))
        if name not in self.values:
            raise _UnknownError(self._unknown(name))
        return self.values[name]

    def _variable(self, name: str) -> str:
        if name not in self.env:
            raise _UnknownError(f"${{env.{name}}}: the environment has no {name}")
        return self.env[name]

    def _unknown(self, name: str) -> str:
        if name.startswith(_NOT_YET):
            return f"${{{name}}} is not supported yet"
        if name.startswith("secrets."):
            secret = name.removeprefix("secrets.")
            return f'${{{name}}}: only members that read it know it: secrets = ["{secret}"]'
        if name.startswith("files."):
            file = name.removeprefix("files.")
            return f'${{{name}}}: no file is called so: write a [files."{file}"] table'
        if name.startswith("with."):
            return f"${{{name}}}: only in a sidecar template"
        if name == "instance":
            return '${instance}: the group\'s name has no "@instance" part'
        from pairvisor.manifest.hints import did_you_mean  # noqa: PLC0415 - costs time, seldom needed

        known = [*self.values, "env.NAME"]
        return f"${{{name}}} is not known here; known are {', '.join(known)}" + did_you_mean(
            name, self.values
        )
