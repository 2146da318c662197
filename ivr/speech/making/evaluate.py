"""The tests of `ivr/speech/model/README.md`: phrases in voices kept back, through one telephone channel.

Grammars of forty phrases, digits in a grammar of digits; "strict" is the exact phrase, "nearest" after taking the
closest phrase of the grammar by edit distance. Unknown speech: the unseen phrases in a grammar that has none of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .channel import test_channel
from .material import RATE, Corpus, Sound, Utterance, to_pcm
from .nearest import nearest
from .synthesis import DOMAIN, ESPEAK, KOKORO, UNSEEN
from .texts import DIGITS, texts

GRAMMAR_SIZE = 40
UNKNOWN = "[unk]"
TESTS = tuple((synthesiser, group) for synthesiser in (KOKORO, ESPEAK) for group in (DOMAIN, UNSEEN))


@dataclass(frozen=True, slots=True)
class Score:
    utterances: int
    strict: int
    nearest: int
    false_accepts: int | None
    """Of the unseen phrases, with `[unk]` and forty others in the grammar: how many were taken for one of these."""

    def __str__(self) -> str:
        return f"{self.utterances:4d} utterances: " + ", ".join(
            f"{name} {100 * part / max(1, self.utterances):.1f} %"
            for name, part in (
                ("strict", self.strict),
                ("nearest", self.nearest),
                ("false accepts", self.false_accepts),
            )
            if part is not None
        )


class Recogniser:
    def __init__(self, model: Path) -> None:
        import vosk

        vosk.SetLogLevel(-1)
        self._vosk, self._model = vosk, vosk.Model(str(model))

    def open(self, phrases: Iterable[str]) -> Any:
        words = [spelt if (spelt := self.spell(phrase)) else phrase for phrase in phrases]
        # Vosk's parser does not know \\u escapes: the grammar must hold the characters themselves.
        return self._vosk.KaldiRecognizer(self._model, RATE, json.dumps(words, ensure_ascii=False))

    def spell(self, phrase: str) -> str:
        """The phrase in words the model knows, longest first; empty when a character is unknown to it."""
        words: list[str] = []
        while phrase:
            for length in range(len(phrase), 0, -1):
                if self._model.vosk_model_find_word(phrase[:length]) >= 0:
                    words.append(phrase[:length])
                    phrase = phrase[length:]
                    break
            else:
                return ""
        return " ".join(words)


def hear(ear: Any, sound: Sound) -> str:
    ear.AcceptWaveform(to_pcm(sound).tobytes())
    return str(json.loads(ear.FinalResult())["text"]).replace(" ", "")


def evaluate(model: Path, tests: Path) -> dict[str, Score]:
    recogniser = Recogniser(model)
    return {
        f"{synthesiser}-{group}": _score(recogniser, Corpus(tests / f"{synthesiser}-{group}"), group)
        for synthesiser, group in TESTS
    }


def _score(recogniser: Recogniser, corpus: Corpus, group: str) -> Score:
    utterances = list(corpus)
    strict = near = false = 0
    for phrases, wanted in _grammars(utterances, group):
        ear = recogniser.open(phrases)
        others = [phrase for phrase in texts().more if phrase not in phrases and len(phrase) > 1][:GRAMMAR_SIZE]
        stranger = recogniser.open([*others, UNKNOWN])
        for utterance in wanted:
            seed = int(hashlib.sha256(f"{utterance.voice}|{utterance.text}".encode()).hexdigest()[:6], 16)
            sound = test_channel(corpus.sound(utterance), seed)
            said = hear(ear, sound).replace(UNKNOWN, "")
            strict += said == utterance.text
            near += nearest(said, phrases) == utterance.text
            if group == UNSEEN:
                false += bool(hear(stranger, sound).replace(UNKNOWN, ""))
    return Score(len(utterances), strict, near, false if group == UNSEEN else None)


def _grammars(utterances: list[Utterance], group: str) -> list[tuple[list[str], list[Utterance]]]:
    if group == UNSEEN:
        return [(list(texts().unseen), utterances)]
    phrases = [phrase for phrase in texts().domain if phrase not in DIGITS]
    first, last = phrases[:GRAMMAR_SIZE], phrases[-GRAMMAR_SIZE:]
    return [
        (first, [u for u in utterances if u.text in first]),
        (last, [u for u in utterances if u.text in last and u.text not in first]),
        (list(DIGITS), [u for u in utterances if u.text in DIGITS]),
    ]
