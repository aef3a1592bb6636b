"""Not a byte is lost or comes twice, whoever is killed when, while files are rotated.

`python -m tests.process.test_exactly_once [RUNS [SEED]]` does it as often as you like.
"""

import random
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from tests.process.programs.numbered import pieces
from tests.support import Up, eventually, is_alive, up

PROGRAMS = Path(__file__).parent / "programs"
MANIFEST = """
    [restart]
    initial = "1ms"
    max = "1ms"

    [primary]
    command = ["{python}", "{programs}/numbered.py", "{seed}", "accounts"]
    on_failure = "restart"
    log.file = "{folder}/app.log"
    log.format = "raw"
    log.max_size = "{size}KiB"
    log.keep = 1000
    log.buffer = "64KiB"

    [sidecars.moving]
    command = ["{python}", "{programs}/moving.py", "moved"]
    stdin = {{ from = ["primary"], format = "raw" }}
    on_failure = "restart"
"""


def one_life(folder: Path, seed: int) -> None:
    """Kill both a few times, stop the group, and compare."""
    chance = random.Random(seed)
    (folder / "accounts").mkdir()
    manifest = MANIFEST.format(
        python=sys.executable,
        programs=PROGRAMS,
        folder=folder,
        seed=seed,
        size=chance.choice([2, 8, 64]),
    )
    moved = folder / "moved"
    with up(folder, manifest) as group:
        for _ in range(chance.randint(1, 6)):
            eventually(moved.exists)
            further = moved.stat().st_size + chance.randint(0, 100_000)
            eventually(lambda further=further: moved.stat().st_size >= further)  # type: ignore[misc]
            kill(group, chance.choice(["primary", "moving"]))
        further = moved.stat().st_size + 1  # who is to read the rest runs again
        eventually(lambda: moved.stat().st_size >= further)
        group.signal(signal.SIGTERM)
        group.wait()
        assert group.popen.returncode in (0, 143), group.said
        assert "did not get to" not in group.said
    compare(folder, seed)


def kill(group: Up, member: str) -> None:
    pid = group.main(member)
    group.kill(member)
    eventually(lambda: not is_alive(pid))


def compare(folder: Path, seed: int) -> None:
    logged = b"".join(file.read_bytes() for file in files(folder))
    assert (folder / "moved").read_bytes() == logged, "the reader has something else"
    rest = logged
    for account in sorted((folder / "accounts").iterdir(), key=lambda path: int(path.name)):
        rest = rest[length(rest, account, seed) :]
    assert not rest, f"{len(rest)} bytes too many"


def files(folder: Path) -> list[Path]:
    older = folder.glob("app.log.*")
    return [
        *sorted(older, key=lambda path: -int(path.suffix[1:])),
        folder / "app.log",
    ]


def length(logged: bytes, account: Path, seed: int) -> int:
    """How much of it one run has written: what it knows of, and maybe its very last write."""
    taken = int(account.read_bytes() or b"0")
    known, wrote = b"", pieces(str(seed), account.name)
    while len(known) < taken:
        known += next(wrote)
    assert logged.startswith(known), f"run {account.name} wrote something else"
    last = known + next(wrote)
    return len(last) if logged.startswith(last) else len(known)


@pytest.mark.parametrize("seed", range(8))
def test_what_was_written_is_in_the_files_and_with_the_reader(tmp_path: Path, seed: int) -> None:
    one_life(tmp_path, seed)


def main() -> None:
    runs, first = (int(word) for word in (*sys.argv[1:], *"10 0".split()[len(sys.argv) - 1 :]))
    for seed in range(first, first + runs):
        with tempfile.TemporaryDirectory() as folder:
            try:
                one_life(Path(folder), seed)
            except BaseException:
                sys.stdout.write(f"seed {seed}\n")
                raise
    sys.stdout.write(f"{runs} lives from seed {first}: nothing lost, nothing twice\n")


if __name__ == "__main__":
    main()
