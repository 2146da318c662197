"""One question to one speaker: from sound to a meaning, or to "something was said, and not understood".

The recogniser is given an utterance and a little before it, not the noise of the line between two: it takes that noise
for words. Of 83 short answers (espeak voices, the carried model) it understood 45 after 2 s of noise, 55 after 0.5 s
and 57 after 0.3 s.

Distress counts at once, in mid-word. Everything else counts when its utterance is over, and that is for this module to
say: the engine ends an utterance itself, after 0.5 s of silence where it is sure of its words (`rule2` of the carried
model's conf/model.conf), 1 s and 2 s where it is less (`rule3`, `rule4`). That is in the middle of a sentence of
somebody who looks for a word; what it has heard by then is kept, and judged together with what follows. The constants
are for slow, hesitant speech; they are design values, tried on synthetic voices: no recording of an elder was at hand.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass

from ivr.speech.ear import BYTES_PER_S, Ear, Hypothesis
from ivr.speech.grammar import Grammar, is_distress
from ivr.speech.understand import Understood, understand
from ivr.speech.voice import FRAME, Voice

UNKNOWN_SPEECH = "unknown"
"""What is reported for speech that is none of the grammar's phrases; no grammar has an id of this name."""

ANSWER_PAUSE_S = 0.6
"""A short answer (yes, accept) is over after this: longer than the gap inside 好…好的, and a person who waits for the
next word of ours begins to feel left alone after a second."""
SENTENCE_PAUSE_S = 1.1
"""A wish told in a sentence: somebody who looks for a word is silent for up to a second, and must not be cut. It is
longer than the engine's own 0.5 s, so what that ends meanwhile is kept (`_held`). To lengthen the engine's rule instead
would make distress later: it is believed at a lower confidence once the engine has ended it."""
LEAD_S = 0.3
"""What the recogniser is given from before the first sound: consonants are quieter than what opens the ear."""
STILL_S = 1.5
"""Nothing has stirred for so long: what was too faint to be an utterance is over too."""
DEAD = 16
"""From the lowest to the highest of 20 ms of samples: A-law's smallest step, and nothing else."""
LEAST_SPEECH_S = 0.24
"""Shorter is a click, a cough or a dropped spoon: no failure to understand."""
LONGEST_UTTERANCE_S = 12.0
"""Nobody answers for so long without a pause: a television, music, an announcement. It is cut here and judged."""
MONOLOGUE_S = 4.0
"""Who has spoken so long without waiting for an answer is an answering machine, or talks to somebody else: a short
answer in it does not count. The key always does."""
MACHINE_MAY_ANSWER = frozenset({"accept"})
"""Grammars of questions to telephones that we have dialled: here a machine's monologue is not believed in anything. The
small model heard a cry for help in a recorded greeting that it met in mid-word."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`meaning` is an id of the grammar or UNKNOWN_SPEECH; `score` 0 to 100; times are seconds of the turn's audio."""

    meaning: str
    score: int
    said_until_s: float
    decided_s: float


class Turn:
    """Fed from one thread at a time; the first verdict ends it."""

    def __init__(
        self, grammar: Grammar, open_ear: Callable[[], Ear], prompt_s: float | None = 0.0, voice: Voice | None = None
    ) -> None:
        """`prompt_s`: how long our own prompt plays; unknown speech that is over before its end is not reported, the
        prompt plays on. None: unknown speech is never reported. `voice`: of the same speaker's turns before."""
        self.grammar = grammar
        self._open = open_ear
        self._ear: Ear | None = None
        self._listens = False
        self._lead = b""
        self._voice = voice or Voice()
        self._voice.forget()
        self._prompt_end_s = None if prompt_s is None else self._voice.now_s + prompt_s
        self._words = False
        self._ended_s = -1.0
        """When the engine itself ended an utterance, and has heard no word since."""
        self._held: Hypothesis | None = None
        """An answer that the engine has ended and that nobody could believe yet: somebody still seemed to speak, or may
        only be looking for a word."""

    def feed(self, pcm: bytes) -> Verdict | None:
        """The next piece of sound. Raises EarError."""
        voice = self._voice
        before_s = voice.now_s
        voice.feed(pcm)
        if not self._listens:
            pcm = self._lead + pcm
            if voice.began_s is None and voice.stirred_s <= before_s:
                self._lead = pcm[-round(LEAD_S * BYTES_PER_S) :]
                return None
            pcm = _without_dead_start(pcm)
            self._listens, self._lead = True, b""
        self._ear = self._ear or self._open()
        hypothesis = self._ear.feed(pcm)
        if hypothesis is not None and hypothesis.final:
            self._ended_s = voice.now_s
        if hypothesis is not None and not hypothesis.empty:
            self._words = True
            if not hypothesis.final:
                self._ended_s = -1.0
            if verdict := self._judge(hypothesis, over=False):
                return verdict
        return self._end(self._ear) if self._over() else None

    def _end(self, ear: Ear) -> Verdict | None:
        """Of an utterance. An engine that has ended it itself, and for which nothing has stirred since, has
        nothing left to say, and takes the next one: asking it cost a seventh of all the decoding."""
        voice = self._voice
        last = Hypothesis("", (), final=True)
        if self._ended_s < voice.stirred_s:
            last, self._ear = ear.finish(), None
        if verdict := self._judge(last, over=True):
            return verdict
        spoken_s = voice.last_s - voice.began_s if voice.began_s is not None else 0.0
        heard_words = self._words or not last.empty
        self._listens, self._words, self._held = False, False, None
        voice.forget()
        if not heard_words or spoken_s < LEAST_SPEECH_S:
            return None
        if self._prompt_end_s is None or voice.now_s < self._prompt_end_s:
            return None
        return Verdict(UNKNOWN_SPEECH, 0, voice.last_s, voice.now_s)

    def _over(self) -> bool:
        voice = self._voice
        if voice.began_s is None:
            return voice.now_s - voice.stirred_s >= STILL_S
        pause = ANSWER_PAUSE_S if self.grammar.whole else SENTENCE_PAUSE_S
        return voice.pause_s >= pause or voice.now_s - voice.began_s > LONGEST_UTTERANCE_S

    def _judge(self, hypothesis: Hypothesis, *, over: bool) -> Verdict | None:
        meant = understand(self.grammar, hypothesis)
        if hypothesis.final and self._held is not None and not (meant and is_distress(meant.id)):
            # A cry for help is judged alone: what was said before a pause takes nothing from it.
            hypothesis = _joined(self._held, hypothesis)
            meant = understand(self.grammar, hypothesis)
        if meant is None or not self._believed(meant, over):
            if hypothesis.final:
                self._held = hypothesis if meant is not None else None
            return None
        return Verdict(meant.id, round(100 * meant.score), self._voice.last_s, self._voice.now_s)

    def _believed(self, meant: Understood, over: bool) -> bool:
        """A short answer only from somebody who has not talked all along, and who has fallen silent; a wish only when
        its utterance is over."""
        talks_on = self._voice.monologue_s > MONOLOGUE_S
        if is_distress(meant.id):
            return not (talks_on and self.grammar.name in MACHINE_MAY_ANSWER)
        if self.grammar.whole:
            return not talks_on and self._voice.pause_s >= ANSWER_PAUSE_S / 2
        return over


def _without_dead_start(pcm: bytes) -> bytes:
    """From the line's first noise on. Digital silence is no sound of any room, and no model was trained on it: with it
    before the noise 8 of 13 short answers were understood, without it 12, from a file that begins with the noise 13."""
    at = 0
    while at < len(pcm) - FRAME:
        samples = array("h", pcm[at : at + FRAME])
        if max(samples) - min(samples) > DEAD:
            break
        at += FRAME
    return pcm[at:]


def _joined(first: Hypothesis, then: Hypothesis) -> Hypothesis:
    """One utterance that the engine has ended in its middle."""
    dictated = first.dictated or then.dictated
    return Hypothesis(first.text + then.text, first.words + then.words, then.final, then.heard_s, dictated)
