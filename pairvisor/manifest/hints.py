"""What was meant by a word that isn't known here. Imported only when there is such a word."""

import re
from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean "store"?)`, or nothing where no known word is near."""
    near = nearest(word, known)
    return f' (did you mean "{near}"?)' if near else ""


def nearest(word: str, known: Iterable[str]) -> str | None:
    by_plain = {_plain(each): each for each in known}
    found = get_close_matches(_plain(word)[:80], by_plain, n=1, cutoff=0.7)
    return by_plain[found[0]] if found else None


def _plain(word: str) -> str:
    return re.sub(r"[-_. ]", "", word).lower()
