"""A grammar's entries inside free text: what a dictating engine wrote down of a whole sentence.

Such an engine writes homophones and near sounds (教命 for 救命, 胸闷 as 兄们), so entries are looked for by sound: the
shorter an entry, the closer it must be, and two syllables must be written as they are. Denial, harmless sayings and
other times and places are judged as in `understand`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from ivr.speech.denial import denied
from ivr.speech.grammar import Grammar, is_distress
from ivr.speech.sounds import Found, Syllable, find, syllables
from ivr.speech.understood import Understood

ALLOWED = {1: 0.0, 2: 0.0, 3: 0.08, 4: 0.14}
"""Cost per syllable by length: a third syllable tells words apart that two do not (失火, 生活)."""
ALLOWED_LONGER = 0.18
HOMOPHONES_FROM = 3
"""Syllables. 出事 and 厨师, 起火 and 期货 are one sound: shorter entries count only as they are written,
unless the grammar calls them unmistakable."""
GAP = 5
"""Characters between the two parts of an expression: 胸口(像针扎一样)疼."""
LONGEST_TEXT = 400
"""Characters of a text that are looked at: two minutes of quick talk. Bounds the work on a runaway transcript."""

_HAN = re.compile(r"[\u3400-\u9fff]")
_SIMPLE = str.maketrans(
    "沒別無見們電視聽說勝頭暈煤氣門話動麼過個來這裡誰員樂護", "没别无见们电视听说胜头晕煤气门话动么过个来这里谁员乐护"
)
"""Whisper now and then writes traditional characters; these stand in denials and in short entries."""


class Spot(NamedTuple):
    """An entry, and where it stands among the Chinese characters of the text."""

    understood: Understood
    start: int
    end: int


def spot(grammar: Grammar, text: str) -> Understood | None:
    """The surest entry of distress in the text; without one, the longest other entry; None when there is none."""
    found = spot_distress(grammar, text) or spot_wish(grammar, text)
    return found.understood if found else None


def spot_distress(grammar: Grammar, text: str) -> Spot | None:
    said, heard = _heard(text)
    return _best(grammar, said, heard, distress=True) or _apart(grammar, said, heard)


def spot_distress_exactly(grammar: Grammar, text: str) -> Spot | None:
    """As it is written or sounds, without near sounds and expressions of two parts: for results that change five times
    a second. 0.9 ms for thirty characters, where `spot_distress` takes 10."""
    return _best(grammar, *_heard(text), distress=True, exactly=True)


def spot_wish(grammar: Grammar, text: str) -> Spot | None:
    """What is not distress."""
    return _best(grammar, *_heard(text), distress=False)


def chinese(text: str) -> str:
    """Its Chinese characters, simplified: what entries are looked for in, and positions are told of."""
    return "".join(_HAN.findall(text.translate(_SIMPLE)))[:LONGEST_TEXT]


def _heard(text: str) -> tuple[str, tuple[Syllable, ...]]:
    said = chinese(text)
    heard = syllables(said)
    return said, heard if len(heard) == len(said) else ()  # a character without a sound: match what is written only


def _best(
    grammar: Grammar, written: str, heard: tuple[Syllable, ...], *, distress: bool, exactly: bool = False
) -> Spot | None:
    best: Spot | None = None
    spelt = _spelt(heard) if exactly else ""
    for entry, sounds, meant in _entries(grammar):
        if is_distress(meant) is not distress:
            continue
        found = (
            _exactly(grammar, entry, sounds, written, spelt)
            if exactly
            else _find(grammar, entry, sounds, written, heard)
        )
        if found is None or denied(grammar, written, found.start, found.end, distress=distress):
            continue
        one = Understood(meant, 1.0 - found.cost, entry)
        if best is None or (len(entry), one.score) > (len(best.understood.text), best.understood.score):
            best = Spot(one, found.start, found.end)
    return best


def _apart(grammar: Grammar, written: str, heard: tuple[Syllable, ...]) -> Spot | None:
    """Expressions of two parts: both close in sound, the second soon after the first."""
    for (first, second), meant in grammar.apart.items():
        one = _part(first, written, heard, 0, len(heard))
        while one is not None:
            end = min(len(heard), one.end + GAP + len(second))
            other = _part(second, written, heard, one.end, end)
            if other is not None and not denied(grammar, written, one.start, other.end, distress=True):
                score = 1.0 - (one.cost + other.cost) / 2
                return Spot(Understood(meant, score, f"{first}…{second}"), one.start, other.end)
            one = _part(first, written, heard, one.end, len(heard))
    return None


def _part(text: str, written: str, heard: tuple[Syllable, ...], start: int, end: int) -> Found | None:
    at = written.find(text, start, end)
    if at >= 0:
        return Found(0.0, at, at + len(text))
    if len(text) < 2:  # one syllable is found in every sentence
        return None
    sounds = syllables(text)
    found = find(sounds, heard[start:end], ALLOWED.get(len(sounds), ALLOWED_LONGER))
    return Found(found.cost, start + found.start, start + found.end) if found else None


def _find(
    grammar: Grammar, entry: str, sounds: tuple[Syllable, ...], written: str, heard: tuple[Syllable, ...]
) -> Found | None:
    at = written.find(entry)
    if at >= 0:
        return Found(0.0, at, at + len(entry))
    if not _by_sound(grammar, entry, sounds):
        return None
    return find(sounds, heard, ALLOWED.get(len(sounds), ALLOWED_LONGER))


def _exactly(grammar: Grammar, entry: str, sounds: tuple[Syllable, ...], written: str, spelt: str) -> Found | None:
    at = written.find(entry)
    if at < 0 and _by_sound(grammar, entry, sounds):
        before, is_in, _ = spelt.partition(_spelt(sounds))
        at = before.count(" ") // 2 if is_in else -1
    return Found(0.0, at, at + len(entry)) if at >= 0 else None


@lru_cache(maxsize=4096)
def _spelt(sounds: tuple[Syllable, ...]) -> str:
    """In one string, two spaces a syllable, so that a row of syllables is found as a piece of it."""
    return "".join(f" {initial}{final} " for initial, final in sounds)


def _by_sound(grammar: Grammar, entry: str, sounds: tuple[Syllable, ...]) -> bool:
    return len(sounds) >= HOMOPHONES_FROM or entry in grammar.unmistakable


@lru_cache(maxsize=32)
def _sounds(phrases: frozenset[tuple[str, str]]) -> tuple[tuple[str, tuple[Syllable, ...], str], ...]:
    return tuple((entry, syllables(entry), meant) for entry, meant in phrases)


def _entries(grammar: Grammar) -> tuple[tuple[str, tuple[Syllable, ...], str], ...]:
    return _sounds(frozenset(grammar.phrases.items()))
