"""Where somebody has begun anew inside one utterance: after a pause, or after a 不 that stands by itself.

我想洗澡……不，买菜 asks for shopping. Without the pauses it reads 不买菜, and only the bath would be left of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ivr.speech.ear import Word

PAUSE_S = 0.5
"""Between two words. So long a silence is also where the engine ends an utterance by itself (conf/model.conf); the
gaps between the words of a slow speaker are shorter."""
BREATH_S = 0.2
"""Before and after a 不 that takes back what was said: one that denies (不要洗澡) hangs on to its word, and a decoder
leaves 0.0 to 0.1 s between two words of one breath."""
TAKES_BACK = frozenset({"不", "不是", "不对", "没", "没有", "错了", "说错了"})


def clauses(words: Sequence[Word]) -> list[list[Word]]:
    """In order; a 不 that stands by itself belongs to none of them, unless nothing was said before it."""
    found: list[list[Word]] = [[]]
    for at, word in enumerate(words):
        before_s = word.start_s - words[at - 1].end_s if at else 0.0
        after_s = words[at + 1].start_s - word.end_s if at + 1 < len(words) else 0.0
        if found[-1] and before_s >= PAUSE_S:
            found.append([])
        if at and word.text in TAKES_BACK and before_s >= BREATH_S <= after_s:
            if found[-1]:
                found.append([])
            continue
        found[-1].append(word)
    return [clause for clause in found if clause]
