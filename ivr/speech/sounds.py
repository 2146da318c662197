"""How alike two Chinese texts sound on a telephone: toneless syllables, and the confusions that dialect and line make.

Homophones are one sound (按错 and 暗错). Costs are between 0 (the same) and 1 (nothing in common), per syllable.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from pypinyin import Style, lazy_pinyin

Syllable = tuple[str, str]
"""Initial (empty when there is none) and final."""

INSERTED = 0.6
"""One syllable too many inside a phrase."""
INSERTED_LIGHT = 0.3
"""The same for one that people put anywhere: 胸口有点疼, 起都起不来."""
LOST = 0.8
"""One syllable of the phrase not heard; dearer, for it is evidence that is missing."""

# Sounds that southern and central Mandarin do not keep apart, or that 300-3400 Hz takes the difference from.
_INITIALS = {
    0.15: "zh-z ch-c sh-s n-l f-h r-l",
    0.35: "b-p d-t g-k j-q zh-ch z-c j-zh q-ch x-sh m-n x-s h-k f-s f-sh j-z q-c",
}
_FINALS = {
    0.1: "en-eng in-ing an-ang ian-iang uan-uang un-ong i-ii",
    0.3: "o-uo e-uo e-o ie-ian ai-ei ao-ou u-ou u-v i-v ia-a ua-a ong-eng iong-ong iu-iao ui-ei ei-i an-ai en-in un-en "
    "ue-ie uan-an uang-ang uai-ai ian-in iang-ang iao-ao van-ian vn-in",
}
_INITIAL_WEIGHT, _FINAL_WEIGHT = 0.45, 0.55
"""Of a syllable the final is louder and longer, and survives the line better."""
_INITIALS_BY_LENGTH = ("zh", "ch", "sh", *"bpmfdtnlgkhjqxrzcs")
_SPELT = dict(  # syllables that begin with y or w, and their finals as they sound
    one.split("-")
    for one in (
        "ya-ia yan-ian yang-iang yao-iao ye-ie yi-i yin-in ying-ing yo-o yong-iong you-iu yu-v yuan-van yue-ue yun-vn "
        "wa-ua wai-uai wan-uan wang-uang wei-ui wen-un weng-ong wo-uo wu-u"
    ).split()
)


def _costs(groups: dict[float, str]) -> dict[tuple[str, str], float]:
    costs: dict[tuple[str, str], float] = {}
    for cost, pairs in groups.items():
        for pair in pairs.split():
            one, other = pair.split("-")
            costs[one, other] = costs[other, one] = cost
    return costs


_INITIAL_COST, _FINAL_COST = _costs(_INITIALS), _costs(_FINALS)


@lru_cache(maxsize=4096)
def syllables(text: str) -> tuple[Syllable, ...]:
    """Toneless syllables of the Chinese characters in a text; anything else is left out."""
    spelt = lazy_pinyin(text, style=Style.NORMAL, errors="ignore", v_to_u=False)
    return tuple(_split(one) for one in spelt if one)


def _split(spelt: str) -> Syllable:
    if spelt in _SPELT:
        return "", _SPELT[spelt]
    initial = next((one for one in _INITIALS_BY_LENGTH if spelt.startswith(one)), "")
    final = spelt.removeprefix(initial)
    if initial in ("j", "q", "x"):
        final = {"u": "v", "uan": "van", "un": "vn"}.get(final, final)
    if final == "i" and initial in ("zh", "ch", "sh", "r", "z", "c", "s"):
        final = "ii"
    return initial, final


@lru_cache(maxsize=200_000)
def unlike(one: Syllable, other: Syllable) -> float:
    """0 for the same syllable, 1 for nothing in common."""
    if one == other:
        return 0.0
    initial = 0.0 if one[0] == other[0] else _INITIAL_COST.get((one[0], other[0]), 1.0)
    final = 0.0 if one[1] == other[1] else _FINAL_COST.get((one[1], other[1]), 1.0)
    return _INITIAL_WEIGHT * initial + _FINAL_WEIGHT * final


def _extra(sound: Syllable) -> float:
    return INSERTED_LIGHT if sound in _light() else INSERTED


@lru_cache(maxsize=1)
def _light() -> frozenset[Syllable]:
    return frozenset(syllables("都也有点好太很真又了啊呀这里得的在"))


class Found(NamedTuple):
    """Where a phrase sounds best inside a longer text."""

    cost: float
    """Per syllable of the phrase."""
    start: int
    end: int
    """Syllables of the text, the last exclusive."""


def distance(phrase: Sequence[Syllable], heard: Sequence[Syllable]) -> float:
    """Of two whole texts, per syllable of the longer; 0 to 1."""
    if not phrase or not heard:
        return 0.0 if len(phrase) == len(heard) else 1.0
    extra = [0.0, *(_extra(other) for other in heard)]
    row = [0.0]
    for cost in extra[1:]:
        row.append(row[-1] + cost)
    for sound in phrase:
        above, row[0] = row[0], row[0] + LOST
        for at, other in enumerate(heard, 1):
            above, row[at] = row[at], min(above + unlike(sound, other), row[at] + LOST, row[at - 1] + extra[at])
    return min(1.0, row[-1] / max(len(phrase), len(heard)))


def find(phrase: Sequence[Syllable], heard: Sequence[Syllable], give_up: float = 1.0) -> Found | None:
    """Where the phrase fits best inside what was heard; None when it costs more than `give_up` everywhere."""
    if not phrase or not heard:
        return None
    extra = [0.0, *(_extra(other) for other in heard)]
    row = [0.0] * (len(heard) + 1)  # a fit may begin anywhere
    begun = list(range(len(heard) + 1))
    limit = give_up * len(phrase)
    for sound in phrase:
        above, above_begun = row[0], begun[0]
        row[0] += LOST
        for at, other in enumerate(heard, 1):
            same, lost, more = above + unlike(sound, other), row[at] + LOST, row[at - 1] + extra[at]
            above, next_begun = row[at], begun[at]
            if same <= lost and same <= more:
                row[at], begun[at] = same, above_begun
            elif lost <= more:
                row[at] = lost
            else:
                row[at], begun[at] = more, begun[at - 1]
            above_begun = next_begun
        if min(row) > limit:
            return None
    end = min(range(len(row)), key=row.__getitem__)
    return Found(row[end] / len(phrase), begun[end], end) if row[end] <= limit else None
