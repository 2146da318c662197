"""A recogniser that hears what it is told to: words at given seconds of sound, in every stream the same."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from ivr.speech.ear import BYTES_PER_S, Ear, EarError, Hypothesis, Word
from ivr.speech.grammar import Grammar


@dataclass(frozen=True)
class Hears:
    """`text` is known from `at_s` on, as a partial result; it is final when the ear finishes."""

    text: str
    at_s: float
    confidence: float = 1.0
    ends_s: float | None = None
    """Here the engine itself ends the utterance: what was heard so far is final, and not said again."""


class ScriptedRecogniser:
    def __init__(self, *script: Hears, dictates: bool = False) -> None:
        self.dictates = dictates
        self.script: Sequence[Hears] = script
        self.opened: list[str] = []
        self.finished = 0
        self.heard_s = 0.0
        """Of sound, by all its ears."""
        self.threads: set[str] = set()
        self.fails_at_s: float | None = None
        self.slow_s = 0.0

    def open(self, grammar: Grammar) -> Ear:
        self.opened.append(grammar.name)
        return _ScriptedEar(self)


class _ScriptedEar:
    def __init__(self, recogniser: ScriptedRecogniser) -> None:
        self._of = recogniser
        self._fed = 0
        self._said_until_s = 0.0

    def feed(self, pcm: bytes) -> Hypothesis | None:
        self._of.threads.add(threading.current_thread().name)
        if self._of.slow_s:
            threading.Event().wait(self._of.slow_s)
        before_s = self._fed / BYTES_PER_S
        self._fed += len(pcm)
        self._of.heard_s += len(pcm) / BYTES_PER_S
        if self._of.fails_at_s is not None and self._fed / BYTES_PER_S >= self._of.fails_at_s:
            raise EarError("the recogniser refused a piece of sound")
        ends = [
            one.ends_s for one in self._of.script if one.ends_s and before_s < one.ends_s <= self._fed / BYTES_PER_S
        ]
        if ends:
            found = self._hypothesis(final=True)
            self._said_until_s = ends[-1]
            return found
        found = self._hypothesis(final=False)
        return None if found.empty else found

    def finish(self) -> Hypothesis:
        self._of.finished += 1
        return self._hypothesis(final=True)

    def _hypothesis(self, *, final: bool) -> Hypothesis:
        heard_s = self._fed / BYTES_PER_S
        words = tuple(
            Word(hears.text, hears.confidence, hears.at_s - 0.5, hears.at_s)
            for hears in self._of.script
            if self._said_until_s < hears.at_s <= heard_s
        )
        return Hypothesis("".join(word.text for word in words), words, final, heard_s, self._of.dictates)
