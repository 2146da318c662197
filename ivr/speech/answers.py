"""A short answer as text: the entry that it is, or that it sounds like and no other; or the number or time it tells."""

from __future__ import annotations

import re
from datetime import datetime

from ivr.speech.grammar import Grammar
from ivr.speech.numerals import meaning_of
from ivr.speech.sounds import distance, syllables
from ivr.speech.understood import Understood

NEAR = 0.2
"""A text this close in sound to an entry is that entry: a lost 了, zh for z, one filler."""

PADDING = re.compile(r"[嗯呃啊哦噢唉哎诶喂那个这就呀吧呢嘛了的哈]|你好|您好")
"""Said around an answer without changing it."""


def said(grammar: Grammar, text: str, score: float, *, dictated: bool) -> Understood | None:
    plain = PADDING.sub("", text)
    for whole in (text, plain):
        if whole in grammar.own:
            return Understood(grammar.own[whole], score, whole)
    if made_of := _repeated(grammar, text):
        # Two meanings in one breath (是不是, 满意不满意) are none.
        agreed = len({grammar.own[entry] for entry in made_of}) == 1
        return Understood(grammar.own[made_of[0]], score, made_of[0]) if agreed else None
    found = _nearest(grammar, plain or text, score)
    # A closed grammar writes its own words: one that the entry does not hold is a piece of another entry (好多 of
    # 流了好多血 was taken for 好的, and accepted a call).
    if found and not dictated and not set(plain or text) <= set(found.text):
        return None
    return found


def in_sequence(grammar: Grammar, text: str, score: float) -> Understood | None:
    """Entries that follow one another; the id is the number or the time that they make (`digits.13800`)."""
    first = next((grammar.own[text[:end]] for end in range(len(text), 0, -1) if text[:end] in grammar.own), None)
    if first is None:
        return None
    meaning = meaning_of(first, text, datetime.now().astimezone().date())
    return Understood(meaning, score, text) if meaning else None


def _repeated(grammar: Grammar, text: str) -> list[str]:
    """好的好的，对对: the entries that the text is made of; empty when anything else is in it."""
    rest, made_of = PADDING.sub("", text), list[str]()
    entries = sorted(grammar.own, key=len, reverse=True)
    while rest:
        entry = next((one for one in entries if rest.startswith(one)), None)
        if entry is None:
            return []
        made_of.append(entry)
        rest = rest[len(entry) :]
    return made_of


def _nearest(grammar: Grammar, text: str, score: float) -> Understood | None:
    heard = syllables(text)
    if len(heard) < 2:  # one syllable is near to too many
        return None
    ranked = sorted((distance(syllables(entry), heard), entry) for entry in grammar.own)
    cost, entry = ranked[0]
    rival = next((other for other, text in ranked if grammar.own[text] != grammar.own[entry]), 1.0)
    if cost > NEAR or rival - cost < NEAR / 2 or _negated(text) != _negated(entry):
        return None
    return Understood(grammar.own[entry], score * (1 - cost), entry)


def _negated(text: str) -> bool:
    return any(sign in text for sign in "不没别")
