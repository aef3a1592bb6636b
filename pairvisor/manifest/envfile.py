"""Env files, in the syntax of systemd's EnvironmentFile= (systemd.exec(5), env-file.c).

`KEY=value` lines; `#` and `;` start a comment line. A value may be made of 'single' (all is
literal) and "double" quoted parts (a backslash escapes `"`, `\\`, `` ` `` and `$`), which may
span lines; unquoted, it goes to the line's end, less blanks around it. A backslash at a line's
end continues it. Where systemd skips a line that it can't read, this says so.
"""

import re

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SKIPPED = re.compile(r"(?:[ \t\r\n]+|[#;][^\n]*)*")
_KEY = re.compile(r"([^=\n]*)=")
_BLANKS = re.compile(r"[ \t\r]*")
_SINGLE = re.compile(r"'([^']*)'")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_PLAIN = re.compile(r"(?:[^\\\n]|\\.)*\\?", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class EnvFileError(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def parse_env(text: str) -> dict[str, str]:
    """The variables in a file's text, the last of a name winning. Raise EnvFileError."""
    variables: dict[str, str] = {}
    position = _end(_SKIPPED, text, 0)
    while position < len(text):
        name, position = _name(text, position)
        variables[name], position = _value(text, position)
        position = _end(_SKIPPED, text, position)
    return variables


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _name(text: str, position: int) -> tuple[str, int]:
    match = _KEY.match(text, position)
    if match is None:
        raise _error(text, position, "expected KEY=value")
    name = match[1].strip()
    if name.startswith("export "):
        raise _error(text, position, 'expected KEY=value, without "export": no shell reads this')
    if not NAME.fullmatch(name):
        raise _error(text, position, f'"{name[:40]}" is not a variable\'s name')
    return name, match.end()


def _value(text: str, position: int) -> tuple[str, int]:
    parts: list[str] = []
    while True:
        position = _end(_BLANKS, text, position)
        if text.startswith(("'", '"'), position):
            part, position = _quoted(text, position)
            parts.append(part)
        else:
            match = _PLAIN.match(text, position)
            assert match is not None  # noqa: S101 - it matches the empty text too
            value = "".join([*parts, _unescaped(match[0])])
            return _without_nul(text, position, value), match.end()


def _quoted(text: str, position: int) -> tuple[str, int]:
    single = text[position] == "'"
    match = (_SINGLE if single else _DOUBLE).match(text, position)
    if match is None:
        raise _error(text, position, "a quote is never closed")
    return match[1] if single else _ESCAPED.sub(_in_double_quotes, match[1]), match.end()


def _in_double_quotes(match: re.Match[str]) -> str:
    if match[1] == "\n":
        return ""
    return match[1] if match[1] in '"\\`$' else match[0]


def _unescaped(plain: str) -> str:
    return _ESCAPED.sub(lambda m: "" if m[1] == "\n" else m[1], plain.rstrip(" \t\r"))


def _without_nul(text: str, position: int, value: str) -> str:
    if "\0" in value:
        raise _error(text, position, "a value can't have a NUL character")
    return value


def _error(text: str, position: int, message: str) -> EnvFileError:
    return EnvFileError(text.count("\n", 0, position) + 1, message)
