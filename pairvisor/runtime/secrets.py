"""Secrets: each a file that the members which read it find in their $CREDENTIALS_DIRECTORY, as
systemd's credentials are (systemd.exec(5)), and nobody else does.

Their files are in a tmpfs of their own, where we may mount one. Else they are in a folder that only
this user can enter, below the runtime folder; then the members, which are this user too, could
read one another's.

While there are some, no core is written of the supervisor's memory, and where it repeats what a
member said (a probe's detail, an event, a last line), they are left out.
"""

import os
import select
import signal
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from time import monotonic

from pairvisor.core.events import Exit
from pairvisor.manifest.group import Group, ProcessLimits, Secret, SecretSource
from pairvisor.runtime import kernel, mounts
from pairvisor.runtime.children import Children, Command, SpawnError
from pairvisor.runtime.sharing import give

LARGEST = 1 << 20  # bytes, as systemd has it for credentials
ROOM = 64 << 20  # bytes for all of them
PATIENCE = 10.0  # seconds for a command that prints one
SHORTEST = 4  # bytes: what is shorter stands in many a text by chance
INSTEAD = "[secret]"
FOLDER, FILE = 0o500, 0o400
PASSABLE = 0o711


class SecretError(Exception):
    """Why a secret can't be had: `secrets.NAME: reason`."""


class Secrets:
    """The contents, by name, from `fetch` on."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._words: list[str] = []

    def differing(self, values: Mapping[str, bytes]) -> set[str]:
        """The names of those that are other than they were."""
        return {name for name, value in values.items() if value != self._values.get(name)}

    def adopt(self, values: Mapping[str, bytes]) -> None:
        """These are the contents from now on."""
        old = self._words
        self._values = dict(values)
        texts = {value.decode(errors="replace") for value in values.values()}
        lines = {line for text in texts for line in (text, *text.splitlines())}
        words = {line.strip() for line in lines if len(line.strip()) >= SHORTEST}
        self._words = sorted(words | set(old), key=len, reverse=True)
        if values:
            kernel.forbid_dumps()

    @property
    def values(self) -> Mapping[str, bytes]:
        return self._values

    @property
    def words(self) -> list[str]:
        """What is left out of all texts."""
        return self._words

    def take_over(self, values: Mapping[str, bytes], words: list[str]) -> None:
        """Another one's."""
        self._words = words
        self.adopt(values)

    def redact(self, text: str) -> str:
        """The text without any of them, or of those that they were before."""
        for word in self._words:
            text = text.replace(word, INSTEAD)
        return text

    def write(self, group: Group) -> None:
        """Each where its readers find it, at one stroke each. Raises OSError."""
        top = group.places.secrets
        if not os.path.isdir(top) and any(m.secrets for m in group.members.values()):
            os.mkdir(top, 0o700)
            if mounts.may_mount():
                mounts.mount_secret_memory(top, f"mode=0700,size={ROOM}")
            os.chmod(top, PASSABLE)
        readers = [member for member in group.members.values() if member.secrets]
        for member in readers:
            folder = group.places.secrets_of(member.name)
            self._write(folder, member.secrets, member.identity.uid)
        if os.path.isdir(top):
            for name in set(os.listdir(top)) - {member.name for member in readers}:
                _remove(f"{top}/{name}")

    def _write(self, folder: str, names: Collection[str], uid: int | None) -> None:
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        os.chmod(folder, 0o700)
        for name in names:
            fresh = f"{folder}/.{name}"
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(self._values[name])
                os.fchmod(descriptor, FILE)
                give(descriptor, uid)
            os.rename(fresh, f"{folder}/{name}")
        for name in set(os.listdir(folder)) - set(names):
            os.unlink(f"{folder}/{name}")
        os.chmod(folder, FOLDER)
        give(folder, uid)


def _remove(folder: str) -> None:
    """Of one that reads none any more."""
    os.chmod(folder, 0o700)
    for name in os.listdir(folder):
        os.unlink(f"{folder}/{name}")
    os.rmdir(folder)


def read(secrets: Mapping[str, Secret], environ: Mapping[str, str]) -> dict[str, bytes]:
    """The contents of those that need no command. Raises SecretError."""
    return {
        name: _read(name, secret, environ)
        for name, secret in secrets.items()
        if secret.source is not SecretSource.COMMAND
    }


def _read(name: str, secret: Secret, environ: Mapping[str, str]) -> bytes:
    value = secret.value[0]
    if secret.source is SecretSource.ENV:
        if value not in environ:
            raise SecretError(f"secrets.{name}: the environment has no {value}")
        return os.fsencode(environ[value])
    if secret.source is SecretSource.FILE:
        return _content(name, value)
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if folder is None:
        raise SecretError(
            f"secrets.{name}: no credentials here: LoadCredential={value}:PATH in the unit"
        )
    return _content(name, f"{folder}/{value}")


def _content(name: str, path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise SecretError(f"secrets.{name}: cannot read {path}: {error.strerror}") from None
    return _checked(name, content)


def _checked(name: str, content: bytes) -> bytes:
    if len(content) > LARGEST:
        raise SecretError(f"secrets.{name}: more than {LARGEST >> 20} MiB")
    if not content:
        raise SecretError(f"secrets.{name}: it is empty")
    return content


class Printing:
    """A command that prints a secret, from its start. Raises SecretError."""

    def __init__(
        self, children: Children, name: str, secret: Secret, env: Mapping[str, str], folder: str
    ) -> None:
        self._children = children
        self._name = name
        self._owner = f"pairvisor/secret-{name}"
        self._end: Exit | None = None
        self.on_exit: Callable[[], None] = lambda: None
        self._file = os.memfd_create(name)
        silence = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        limits = ProcessLimits(resources={"fsize": LARGEST + 1, "core": 0})
        command = Command(secret.value, env, folder, 0o077, limits=limits)
        try:
            children.spawn(self._owner, command, (self._file, silence), self._ended)
        except SpawnError as error:
            os.close(self._file)
            raise SecretError(f"secrets.{name}: {error}") from None
        finally:
            os.close(silence)

    def _ended(self, end: Exit) -> None:
        self._end = end
        self.on_exit()

    def wait(self) -> bytes:
        """Until it has ended, or we are to: before there is a loop. Raises SecretError."""
        deadline = monotonic() + PATIENCE
        stop = kernel.signal_descriptor({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
        try:
            while self._end is None and (left := deadline - monotonic()) > 0:
                ended = self._children.pidfd(self._owner)
                if stop in select.select([ended, stop], [], [], left)[0]:
                    self._children.kill(self._owner, lambda _: None)
                    raise SecretError(f"secrets.{self._name}: stopped before its command had ended")
                self._children.reap()
        finally:
            os.close(stop)
        return self.take()

    async def ended(self) -> bytes:
        """The same in the loop, which goes on meanwhile. Raises SecretError."""
        import asyncio  # noqa: PLC0415 - not before the first members

        over = asyncio.Event()
        self.on_exit = over.set
        if self._end is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await over.wait()
        return self.take()

    def take(self) -> bytes:
        """What it has printed; one that still runs is killed. Raises SecretError."""
        self._children.kill(self._owner, lambda _: None)
        try:
            content = os.pread(self._file, LARGEST + 1, 0)
        finally:
            os.close(self._file)
        if self._end is None:
            raise SecretError(f"secrets.{self._name}: no answer within {PATIENCE:g} s")
        if self._end.code != 0:
            raise SecretError(f"secrets.{self._name}: its command ended with {self._end.status}")
        return _checked(self._name, content.removesuffix(b"\n"))
