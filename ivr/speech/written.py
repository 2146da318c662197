"""What was meant by dictated text: entries by sound anywhere in it, a short answer only when it is all of it.

Of an engine that also tells its words and how sure it is of each, more is asked before a partial result is acted on or
an answer taken. For distress at the end of an utterance nothing more is asked: where several characters have one sound
the engine divides its confidence among them, and it is the sound that counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from ivr.speech.answers import in_sequence, said
from ivr.speech.clauses import clauses
from ivr.speech.ear import Hypothesis, Word
from ivr.speech.grammar import Grammar
from ivr.speech.spotting import chinese, spot_distress, spot_distress_exactly, spot_wish
from ivr.speech.sureness import (
    LEAST_CONFIDENCE,
    LONGEST_ANSWER,
    LONGEST_ANSWER_S,
    MAY_GO_ON_S,
    PARTIAL_CONFIDENCE,
)
from ivr.speech.understood import Understood
from ivr.speech.words import confidence, joined, spoken_until_s


def written(grammar: Grammar, heard: Hypothesis) -> Understood | None:
    words = [word._replace(text=text) for word in heard.words if (text := chinese(word.text))]
    if not heard.final:
        return _early(grammar, words, heard.heard_s)
    text = chinese(heard.text)
    if found := spot_distress(grammar, text):
        return found.understood
    if grammar.name == "distress":
        return None
    if grammar.whole or grammar.sequence:
        return _answer(grammar, text, words)
    for clause in reversed(clauses(words)):
        if wish := _wish(grammar, joined(clause), clause):
            return wish
    return _wish(grammar, text, words)


def _early(grammar: Grammar, words: Sequence[Word], heard_s: float) -> Understood | None:
    """Distress in a partial result: written or sounding as it should, surely, and with so much heard after it that the
    sentence has not gone on to make it harmless. A word that counts only alone waits for the end."""
    found = spot_distress_exactly(grammar, joined(words))
    if found is None or found.understood.text in grammar.alone:
        return None
    sure = confidence(words, found.start, found.end)
    stands_s = heard_s - spoken_until_s(words, found.end)
    return found.understood if sure >= PARTIAL_CONFIDENCE and stands_s >= MAY_GO_ON_S else None


def _answer(grammar: Grammar, text: str, words: Sequence[Word]) -> Understood | None:
    if not text or len(text) > LONGEST_ANSWER:
        return None
    if words and words[-1].end_s - words[0].start_s > LONGEST_ANSWER_S:
        return None
    score = confidence(words, 0, len(text)) if words else 1.0
    if score < LEAST_CONFIDENCE:
        return None
    if grammar.sequence:
        return in_sequence(grammar, text, score)
    return said(grammar, text, score, dictated=True)


def _wish(grammar: Grammar, text: str, words: Sequence[Word]) -> Understood | None:
    found = spot_wish(grammar, text)
    if found is None:
        return None
    sure = confidence(words, found.start, found.end) if words else 1.0
    understood = found.understood
    return Understood(understood.id, understood.score * sure, understood.text) if sure >= LEAST_CONFIDENCE else None
