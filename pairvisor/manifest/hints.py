"""What was meant by a word that isn't known here. Imported only when there is such a word."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from msgspec import Struct

from pairvisor.manifest import model
from pairvisor.manifest.neighbours import NEIGHBOURS

_TABLES: dict[str, type] = {
    "at the top of the file": model.Manifest,
    "in [init.NAME]": model.Init,
    "in [sidecars.NAME]": model.Sidecar,
    "in [primary]": model.Primary,
    "in [restart]": model.Restart,
    "in stop = { … }": model.Stop,
    "in hooks = { … }": model.Hooks,
    "in a probe (startup, ready or live)": model.Probe,
}
_SERVING_ONLY = {
    "startup": "an init has no readiness: what waits for it waits until it has succeeded",
    "ready": "an init has no readiness: what waits for it waits until it has succeeded",
    "live": "an init isn't probed: limit its time by timeout",
    "start_timeout": "an init has no readiness: limit its time by timeout",
    "on_success": "an init's success lets the start go on, always",
    "reload": "an init doesn't stay, so it isn't reloaded",
    "watch": "an init doesn't stay, so no change restarts it",
}


class Explanation(Struct, frozen=True):
    """What to say of an unknown key; `meant` are the keys of the same table that it speaks of."""

    message: str
    meant: frozenset[str] = frozenset()


def explain_unknown(key: str, table: str, known: set[str]) -> Explanation:
    """`table` is the name of the type, as in `model`."""
    hint = _hint(key, table, known)
    meant = known.intersection(re.findall(r'"([a-z_]+)"', hint))
    return Explanation(f"unknown key{hint}", frozenset(meant))


def _hint(key: str, table: str, known: set[str]) -> str:
    if table == "Init" and key in _SERVING_ONLY:
        return f": {_SERVING_ONLY[key]}"
    same = next((each for each in known if plain(each) == plain(key)), None)
    if same:
        return f' (did you mean "{same}"?)'
    if neighbour := NEIGHBOURS.get(plain(key)):
        return f": {neighbour}"
    return _elsewhere(key) or did_you_mean(key, known)


def _elsewhere(key: str) -> str:
    places = [place for place, table in _TABLES.items() if key in _keys(table)]
    return f": it belongs {' or '.join(places)}" if places else ""


def _keys(table: type) -> tuple[str, ...]:
    keys: tuple[str, ...] = table.__struct_encode_fields__  # type: ignore[attr-defined]
    return keys


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean "store"?)`, or nothing where no known word is near."""
    by_plain = {plain(each): each for each in known}
    near = get_close_matches(plain(word)[:80], by_plain, n=1, cutoff=0.7)
    return f' (did you mean "{by_plain[near[0]]}"?)' if near else ""


def plain(word: str) -> str:
    """A word without the differences of spelling between `onFailure`, `on_failure`, `OnFailure`."""
    return re.sub(r"[-_. ]", "", word).lower()
