"""One stream as the second ear hears it: its utterances, numbered, and which of the late answers still count.

An answer comes one to several seconds after the sentence. Meanwhile the recogniser may have told something of the same
sentence and the next RECOGNIZE may have begun. So of one utterance only one service counts, whoever is first; distress
counts always, also in the round after: it is the same caller, he is as badly off as before, and it can only raise.
"""

from __future__ import annotations

from dataclasses import dataclass

from ivr.speech.grammar import is_distress
from ivr.speech.second_line import SecondLine
from ivr.speech.utterances import Utterances

GRAMMAR = "listen"
"""The only turns in which nobody waits for an answer."""


@dataclass(frozen=True, slots=True)
class Late:
    meaning: str
    score: int

    @property
    def is_distress(self) -> bool:
        return is_distress(self.meaning)


class Beside:
    def __init__(self, line: SecondLine, stream: int) -> None:
        self._line = line
        self._stream = stream
        self._utterances = Utterances()
        self._number = 0
        self._settled = 0
        """The last utterance of which something was told."""
        self._late: Late | None = None
        line.enter(stream, self._told)

    def cut(self, pcm: bytes) -> bytes | None:
        """In a thread: the utterance that has ended in this piece, to be given to `send`. 0.06 % of a core a stream."""
        return self._utterances.feed(pcm)

    def send(self, utterance: bytes) -> None:
        self._number += 1
        self._line.send(self._stream, self._number, utterance)

    def settle(self) -> None:
        """The recogniser told something: of what was said so far, only distress is still news."""
        self._settled = self._number
        if self._late is not None and not self._late.is_distress:
            self._late = None

    def keep(self, meaning: str, score: int) -> None:
        """Something that came when it could not be told."""
        if self._late is None or not self._late.is_distress:
            self._late = Late(meaning, score)

    def take(self, *, speaking: bool) -> Late | None:
        """What is to be told now. A service waits until nobody speaks: telling it ends the turn, and with it a word
        that the recogniser has half heard, which may be a cry for help."""
        late = self._late
        if late is None or (speaking and not late.is_distress):
            return None
        self._late = None
        self._line.counts.second_told += 1
        return late

    def end(self) -> None:
        self._late = None
        self._line.leave(self._stream)

    def _told(self, number: int, meaning: str, score: int) -> None:
        if number > self._settled or is_distress(meaning):
            self._settled = max(self._settled, number)
            self.keep(meaning, score)
