"""From what an engine heard to what was meant: the id of a grammar's entry, or nothing.

Nothing is the answer to unknown speech, never the nearest phrase. Distress counts wherever it stands in an utterance,
unless it is denied (没有摔倒) or told of another time and place (电视里有人摔倒了). A short answer counts only when
it is all that was said, so that a voicemail which happens to hold 好 accepts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from ivr.speech.answers import in_sequence, said
from ivr.speech.clauses import clauses
from ivr.speech.denial import denied
from ivr.speech.ear import UNKNOWN, Hypothesis, Word
from ivr.speech.grammar import Grammar
from ivr.speech.sureness import (
    LEAST_CONFIDENCE,
    LEAST_DISTRESS_CONFIDENCE,
    LONGEST_ANSWER_S,
    MAY_GO_ON_S,
    PARTIAL_CONFIDENCE,
    STANDS_S,
)
from ivr.speech.understood import Understood
from ivr.speech.words import confidence, joined, runs, spans
from ivr.speech.written import written

__all__ = ["Understood", "understand"]


def understand(grammar: Grammar, heard: Hypothesis) -> Understood | None:
    """What was meant; a partial hypothesis yields something only when it is decisive, and that is distress."""
    if heard.dictated or (heard.text and not heard.words):
        return written(grammar, heard)
    if found := _distress(grammar, heard):
        return found
    if not heard.final or grammar.name == "distress":
        return None
    if grammar.sequence:
        return _sequence(grammar, heard)
    return _answer(grammar, heard) if grammar.whole else _inside(grammar, heard)


# ---- distress


def _distress(grammar: Grammar, heard: Hypothesis) -> Understood | None:
    best: Understood | None = None
    for words in runs(heard.words):
        text = joined(words)
        for entry, meant in grammar.distress.items():
            for start, end in spans(entry, text):
                score = confidence(words, start, end)
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
    return said(grammar, joined(known), score, dictated=False) if score >= LEAST_CONFIDENCE else None


def _inside(grammar: Grammar, heard: Hypothesis) -> Understood | None:
    """An entry somewhere in the utterance: what service was asked for. Of two with a pause between them the later: it
    corrects the first or adds to it, and only one can be told."""
    for clause in reversed(clauses(heard.words)):
        if found := _longest(grammar, clause):
            return found
    return _longest(grammar, heard.words)  # an entry with a pause in its middle


def _longest(grammar: Grammar, clause: Sequence[Word]) -> Understood | None:
    """The longest wins, then the surest."""
    best: Understood | None = None
    for words in runs(clause):
        text = joined(words)
        for entry, meant in grammar.own.items():
            for start, end in spans(entry, text):
                score = confidence(words, start, end)
                if score < LEAST_CONFIDENCE or denied(grammar, text, start, end, distress=False):
                    continue
                if best is None or (len(entry), score) > (len(best.text), best.score):
                    best = Understood(meant, score, entry)
    return best


def _sequence(grammar: Grammar, heard: Hypothesis) -> Understood | None:
    """Digits or a time: every word must be an entry; the id tells the whole."""
    known = [word for word in heard.words if word.text != UNKNOWN]
    if not known or len(known) != len(heard.words):
        return None
    score = sum(word.confidence for word in known) / len(known)
    return in_sequence(grammar, joined(known), score) if score >= LEAST_CONFIDENCE else None
