"""Names by their sound in Latin letters: `wangxiuying`, `wxy`, `wangxy` and `xiuying` all find 王秀英."""

from __future__ import annotations

import re
from functools import lru_cache

FIRST, INSIDE = 2, 1
"""How well it fits: from the family name on, or from a later character."""
_LETTERS = re.compile(r"[a-z]+")
_BETWEEN = re.compile(r"[\s'’-]+")


def typed(text: str) -> str | None:
    """What was typed as pinyin, without gaps; None when it is not Latin letters alone."""
    letters = _BETWEEN.sub("", text.lower()).replace("ü", "v")
    return letters if _LETTERS.fullmatch(letters) else None


def fit(name: str, letters: str) -> int:
    """0 when the name does not sound like this. Every character gives a beginning of its syllable, at least its first
    letter; a character with several readings fits with each (曾, 单, 乐)."""
    syllables = _syllables(name)
    for start, first in enumerate(syllables):
        if not any(one.startswith(letters[0]) for one in first):
            continue  # as nearly always: a search goes through every name
        reached = {0}
        for readings in syllables[start:]:
            reached = {at + n for at in reached for one in readings for n in _shared(one, letters, at)}
            if len(letters) in reached:
                return FIRST if start == 0 else INSIDE
    return 0


def _shared(syllable: str, letters: str, at: int) -> range:
    """Lengths of the beginnings of this syllable that stand there."""
    most = 0
    while most < len(syllable) and letters[at + most : at + most + 1] == syllable[most]:
        most += 1
    return range(1, most + 1)


@lru_cache(100_000)
def _syllables(name: str) -> tuple[frozenset[str], ...]:
    from pypinyin import Style, pinyin  # its dictionary takes a while: read when somebody searches by sound

    readings = pinyin(name, style=Style.NORMAL, heteronym=True, errors="ignore")
    return tuple(frozenset(form for one in of for form in (one, one.replace("v", "u"))) for of in readings)
