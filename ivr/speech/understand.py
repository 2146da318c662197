"""From what an engine heard to what was meant: the id of a grammar's entry, or nothing.

Nothing is the answer to unknown speech, never the nearest phrase. Distress counts wherever it stands in an utterance,
unless it is denied (没有摔倒) or told of another time and place (电视里有人摔倒了). A short answer counts only when
it is all that was said, so that a voicemail which happens to hold 好 accepts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ivr.speech.clauses import clauses
from ivr.speech.denial import denied
from ivr.speech.ear import UNKNOWN, Hypothesis, Word
from ivr.speech.grammar import Grammar, is_distress
from ivr.speech.sounds import distance, syllables
from ivr.speech.spotting import spot
from ivr.speech.understood import Understood

__all__ = ["Understood", "understand"]

LEAST_CONFIDENCE = 0.6
"""Mean over the words of a phrase. Below it, what a small model heard was as often wrong as right."""
LEAST_DISTRESS_CONFIDENCE = 0.5
"""Lower for distress: a false alarm costs a person a question, a missed one may cost a life."""
PARTIAL_CONFIDENCE = 0.9
"""For acting before the end of speech: partial results at 0.55 and 0.73 were taken back by the final one, which was
unknown speech (2 of 20 ordinary sentences, small model)."""
LONGEST_ANSWER_S = 4.0
"""From first word to last. 对对对，好的好的 takes two; a voicemail takes six and more."""
LONGEST_ANSWER = 10
"""Characters of a written answer."""
STANDS_S = 0.3
"""A partial distress word is acted on when so much was heard after it and it is still there: partial results change."""
MAY_GO_ON_S = 0.6
"""The same for a word that may still become a harmless one: 急救 may go on to 急救箱."""
NEAR = 0.2
"""A text this close in sound to an entry is that entry: a lost 了, zh for z, one filler."""

HAN = re.compile(r"[\u3400-\u9fff]")
PADDING = re.compile(r"[嗯呃啊哦噢唉哎诶喂那个这就呀吧呢嘛了的哈]|你好|您好")
"""Said around an answer without changing it."""


def understand(grammar: Grammar, heard: Hypothesis) -> Understood | None:
    """What was meant; a partial hypothesis yields something only when it is decisive, and that is distress."""
    if heard.text and not heard.words:  # from an engine that writes free text
        return _written(grammar, heard.text) if heard.final else None
    if found := _distress(grammar, heard):
        return found
    if not heard.final or grammar.name == "distress":
        return None
    if grammar.sequence:
        return _sequence(grammar, heard)
    return _answer(grammar, heard) if grammar.whole else _inside(grammar, heard)


def _written(grammar: Grammar, text: str) -> Understood | None:
    """Free text: distress anywhere; the rest as the grammar wants it, a short answer only when it is all of it."""
    found = spot(grammar, text)
    if (found and is_distress(found.id)) or not (grammar.whole or grammar.sequence):
        return found
    plain = "".join(HAN.findall(text))
    if len(plain) > LONGEST_ANSWER or (grammar.sequence and found is None):
        return None
    if grammar.sequence and found:
        return Understood(found.id, found.score, plain)
    return _said(grammar, plain, 1.0, dictated=True)


# ---- distress


def _distress(grammar: Grammar, heard: Hypothesis) -> Understood | None:
    best: Understood | None = None
    for words in _runs(heard.words):
        text = "".join(word.text for word in words)
        for entry, meant in grammar.distress.items():
            for start, end in _spans(entry, text):
                score = _confidence(words, start, end)
                if (
                    score < (LEAST_DISTRESS_CONFIDENCE if heard.final else PARTIAL_CONFIDENCE)
                    or denied(grammar, text, start, end, distress=True)
                    or not (heard.final or _decisive(grammar, entry, words, heard))
                ):
                    continue
                if best is None or (len(entry), score) > (len(best.text), best.score):
                    best = Understood(meant, score, entry)
    return best


def _decisive(grammar: Grammar, entry: str, words: list[Word], heard: Hypothesis) -> bool:
    """May a partial result be acted on? Not while the word may still become part of a harmless one."""
    goes_on = any(entry in saying and not saying.endswith(entry) for saying in grammar.harmless)
    return heard.heard_s - words[-1].end_s >= (MAY_GO_ON_S if goes_on else STANDS_S)


# ---- answers


def _answer(grammar: Grammar, heard: Hypothesis) -> Understood | None:
    """The whole utterance is one entry, or sounds like one and like no other."""
    known = [word for word in heard.words if word.text != UNKNOWN]
    if not known or len(known) != len(heard.words):
        return None
    if known[-1].end_s - known[0].start_s > LONGEST_ANSWER_S:
        return None
    score = sum(word.confidence for word in known) / len(known)
    return (
        _said(grammar, "".join(word.text for word in known), score, dictated=False)
        if score >= LEAST_CONFIDENCE
        else None
    )


def _said(grammar: Grammar, text: str, score: float, *, dictated: bool) -> Understood | None:
    plain = PADDING.sub("", text)
    for said in (text, plain):
        if said in grammar.own:
            return Understood(grammar.own[said], score, said)
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
    said = syllables(text)
    if len(said) < 2:  # one syllable is near to too many
        return None
    ranked = sorted((distance(syllables(entry), said), entry) for entry in grammar.own)
    cost, entry = ranked[0]
    rival = next((other for other, text in ranked if grammar.own[text] != grammar.own[entry]), 1.0)
    if cost > NEAR or rival - cost < NEAR / 2 or _negated(text) != _negated(entry):
        return None
    return Understood(grammar.own[entry], score * (1 - cost), entry)


def _negated(text: str) -> bool:
    return any(sign in text for sign in "不没别")


def _inside(grammar: Grammar, heard: Hypothesis) -> Understood | None:
    """An entry somewhere in the utterance: what service was asked for. Of two with a pause between them the later: it
    corrects the first or adds to it, and only one can be told."""
    for clause in reversed(clauses(heard.words)):
        if found := _longest(grammar, clause):
            return found
    return _longest(grammar, heard.words)  # an entry with a pause in its middle


def _longest(grammar: Grammar, said: Sequence[Word]) -> Understood | None:
    """The longest wins, then the surest."""
    best: Understood | None = None
    for words in _runs(said):
        text = "".join(word.text for word in words)
        for entry, meant in grammar.own.items():
            for start, end in _spans(entry, text):
                score = _confidence(words, start, end)
                if score < LEAST_CONFIDENCE or denied(grammar, text, start, end, distress=False):
                    continue
                if best is None or (len(entry), score) > (len(best.text), best.score):
                    best = Understood(meant, score, entry)
    return best


def _sequence(grammar: Grammar, heard: Hypothesis) -> Understood | None:
    """Digits or a time: every word must be an entry; the id tells the first, the text the whole."""
    known = [word for word in heard.words if word.text != UNKNOWN]
    if not known or len(known) != len(heard.words):
        return None
    score = sum(word.confidence for word in known) / len(known)
    if score < LEAST_CONFIDENCE:
        return None
    text = "".join(word.text for word in known)
    first = next((grammar.own[text[:end]] for end in range(len(text), 0, -1) if text[:end] in grammar.own), None)
    return Understood(first, score, text) if first else None


# ---- texts and words


def _runs(said: Sequence[Word]) -> Iterator[list[Word]]:
    """Known words that follow one another without unknown speech between."""
    run: list[Word] = []
    for word in said:
        if word.text == UNKNOWN:
            if run:
                yield run
            run = []
        else:
            run.append(word)
    if run:
        yield run


def _spans(entry: str, text: str) -> Iterator[tuple[int, int]]:
    at = text.find(entry)
    while at >= 0:
        yield at, at + len(entry)
        at = text.find(entry, at + 1)


def _confidence(words: list[Word], start: int, end: int) -> float:
    """Mean over the characters from start to end."""
    at, total = 0, 0.0
    for word in words:
        overlap = min(end, at + len(word.text)) - max(start, at)
        if overlap > 0:
            total += overlap * word.confidence
        at += len(word.text)
    return total / (end - start)
