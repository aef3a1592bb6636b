"""The program's entry: the guard first, for what runs a group, then the command line.

Nothing heavy is imported before the guard is forked.
"""

import gc
import os
import sys

SYSTEM = 71  # sysexits.h: EX_OSERR
OUTPUT = 74  # EX_IOERR
GARBAGE = 100_000  # objects that have come and not gone


def main() -> None:
    """Run the command that the arguments name, and exit."""
    try:
        _open_standard_descriptors()
        handed = os.environ.pop("PAIRVISOR_HANDOVER", "")
        if handed:
            _take_over(handed)
        else:
            _run(sys.argv[1:])
    except (OSError, ImportError, RuntimeError, MemoryError) as error:
        # No process, thread, descriptor or memory to be had: the system's word is all there is.
        # A module whose file can't be looked at is none to Python: it says ImportError then.
        _end(f"cannot run: {error}", SYSTEM)


def _run(arguments: list[str]) -> None:
    match arguments:
        case ["up"]:
            _up(None)
        case ["up", "-f", file]:
            _up(file)
        case ["up", "-f", file, "--detached"]:
            _up(file, detached=True)
        case ["run", manifest] if not manifest.startswith("-"):
            _serve(manifest)
        case _:
            _command()


def _up(file: str | None, *, detached: bool = False) -> None:
    """What click would call, 20 ms and 2 MB earlier; the guard is as small as it can be.

    Nothing that is made until the group runs is garbage; the supervisor collects from then on.
    """
    from pairvisor.runtime import guard  # noqa: PLC0415

    guard.fork()
    gc.disable()
    from pairvisor.cli import foreground  # noqa: PLC0415

    foreground.run(file, detached=detached)


def _serve(manifest: str) -> None:
    """The same for a service manager: what `pairvisor.cli.run` would do, without click."""
    gc.disable()
    from pairvisor.cli.service import serve  # noqa: PLC0415

    serve(manifest)


def _take_over(handed: str) -> None:
    """What this process has run till now, by a program that another one may have replaced; or only
    look whether that can be done: see `pairvisor.runtime.reexec`."""
    gc.disable()
    from pairvisor.runtime.handover import TAKES_OVER, HandoverError, read  # noqa: PLC0415

    try:
        if handed == "look":
            read(0)
            os.write(1, f"{TAKES_OVER}\n".encode())
        else:
            from pairvisor.cli import foreground  # noqa: PLC0415

            foreground.take_over(int(handed))
    except HandoverError as error:
        _end(str(error), OUTPUT)


def _command() -> None:
    """What click finds in the arguments.

    Most commands are over before there is garbage worth a look; and what an interpreter does at
    its end, taking apart what is left, takes longer than most commands do.
    """
    gc.set_threshold(GARBAGE)
    from pairvisor.cli.commands import pairvisor  # noqa: PLC0415

    try:
        try:
            pairvisor(prog_name="pairvisor")
        except SystemExit as end:
            _flush()
            if isinstance(end.code, int):
                os._exit(end.code)
            raise
        finally:
            _flush()
    except OSError as error:
        _end(f"cannot write to stdout: {error.strerror}", OUTPUT)


def _flush() -> None:
    """Whoever closes stdout gets what he wants: nothing is written, and nothing is wrong."""
    if sys.stdout is not None:
        sys.stdout.flush()


def _end(message: str, code: int) -> None:
    """One line, and out: an interpreter's own end would try to write what can't be written."""
    sys.stderr.write(f"pairvisor: {message}\n")
    sys.stderr.flush()
    os._exit(code)


def _open_standard_descriptors() -> None:
    """Where one of the first three is closed, the next file opened would be taken for it."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


if __name__ == "__main__":
    main()
