"""The recogniser port: sound goes in, hypotheses come out. No engine is named here.

PCM is 8 kHz, 16 bit, little endian, mono. Texts hold no spaces; `UNKNOWN` stands where the engine heard speech
that is none of the grammar's words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ivr.speech.grammar import Grammar

RATE = 8000
BYTES_PER_S = RATE * 2
UNKNOWN = "[unk]"


class Word(NamedTuple):
    text: str
    confidence: float
    """0 to 1; 1 from an engine that tells none."""
    start_s: float
    """From the beginning of the stream."""
    end_s: float


@dataclass(frozen=True, slots=True)
class Hypothesis:
    text: str
    words: tuple[Word, ...]
    final: bool
    """The engine heard the end of an utterance, or the stream ended. False: more may follow."""
    heard_s: float = 0.0
    """How much of the stream had been heard when this was said: how long a partial result has stood."""
    dictated: bool = False
    """Written in the engine's own language, not a grammar's: other characters of the same sound, whole sentences."""

    @property
    def empty(self) -> bool:
        return not self.words and not self.text


class EarError(Exception):
    """The engine failed. The caller is heard by keys and people; the text holds nothing of what was said."""


class Ear(Protocol):
    """One stream. Calls come one at a time, from any thread."""

    def feed(self, pcm: bytes) -> Hypothesis | None:
        """The next piece of sound; a hypothesis when there is a new one. Raises EarError."""
        ...

    def finish(self) -> Hypothesis:
        """What was heard since the last final hypothesis; the ear takes no more sound. Raises EarError."""
        ...


class Recogniser(Protocol):
    """An engine with its model loaded, shared by many streams."""

    def open(self, grammar: Grammar) -> Ear:
        """Raises EarError."""
        ...
