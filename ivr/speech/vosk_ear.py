"""The default ear: Vosk, with a closed grammar or dictating. The only module that imports vosk.

One model, loaded once, serves every stream of the process (Kaldi's decoding graph is read-only). A stream's calls
are serialised; different streams decode in parallel, for Vosk leaves Python's lock while it works.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import vosk

from ivr.errors import SetupError
from ivr.speech.ear import BYTES_PER_S, RATE, UNKNOWN, Ear, EarError, Hypothesis, Word
from ivr.speech.grammar import Grammar

log = logging.getLogger(__name__)

PARTIAL_EVERY_S = 0.2
"""A partial result with words costs a pass over the lattice: often enough to end a prompt, rare enough to be cheap."""
OWN_WEIGHT, DISTRESS_WEIGHT = 10, 3
"""How often an entry stands in Vosk's grammar, `[unk]` once. Of 73 short answers (unseen espeak voices, small model) at
1, 10 and 100 times 32, 44 and 50 were understood, and of 40 ordinary sentences 0, 0 and 17 were taken for an answer.
Distress stands in every turn, with more entries (315) than any turn has of its own, so it weighs less: at 3 none of 62
ordinary sentences was taken for distress, at 100 22 of 27 were. Between 3 and 100 nothing was measured."""
DENIALS = ("没有", "没", "不是", "不用", "不要")
"""In every grammar, so that what stands before a word of distress can be heard: 没有摔倒."""


class VoskRecogniser:
    """A loaded model. Raises SetupError when the folder holds none. `dictates`: the turns that it hears in its own
    language (dictation.py); all others get their grammar."""

    def __init__(self, model_dir: Path, dictates: Callable[[Grammar], bool] = lambda _grammar: False) -> None:
        if not (model_dir / "am" / "final.mdl").is_file() and not (model_dir / "final.mdl").is_file():
            raise SetupError(f"{model_dir} 不是 Vosk 语音模型", f"{model_dir} is not a Vosk model directory")
        vosk.SetLogLevel(-1)
        try:
            self._model = vosk.Model(str(model_dir))
        except Exception as error:  # vosk raises nothing narrower
            raise SetupError(f"语音模型 {model_dir} 打不开", f"the Vosk model {model_dir} cannot be loaded") from error
        self._dictates = dictates
        self._compiled: dict[tuple[str, int], str] = {}
        self._compiling = threading.Lock()

    def open(self, grammar: Grammar) -> Ear:
        if self._dictates(grammar):
            return self.open_dictation()
        compiled = self.grammar_json(grammar)
        try:
            engine = vosk.KaldiRecognizer(self._model, RATE, compiled)
        except Exception as error:
            raise EarError(f"no recogniser for grammar {grammar.name}") from error
        return _VoskEar(engine)

    def open_dictation(self) -> Ear:
        """The model's own language, no grammar. Raises EarError."""
        try:
            engine = vosk.KaldiRecognizer(self._model, RATE)
        except Exception as error:
            raise EarError("no recogniser for dictation") from error
        return _VoskEar(engine, dictates=True)

    def unspeakable(self, grammar: Grammar) -> tuple[str, ...]:
        """Entries that hold a character the model does not know; they can never be heard."""
        return tuple(text for text in grammar.phrases if self.split(text) is None)

    def split(self, text: str) -> str | None:
        """Into the model's words by longest match, spaces between; None when a character is unknown.

        Vosk splits a grammar on spaces only and drops unknown words without a word of its own.
        """
        words, at = [], 0
        while at < len(text):
            for end in range(len(text), at, -1):
                if self._known(text[at:end]):
                    words.append(text[at:end])
                    at = end
                    break
            else:
                return None
        return " ".join(words)

    def _split_all(self, texts: Iterable[str]) -> list[str]:
        return list(dict.fromkeys(entry for text in texts if (entry := self.split(text))))

    def _known(self, word: str) -> bool:
        return bool(self._model.vosk_model_find_word(word) >= 0)

    def grammar_json(self, grammar: Grammar) -> str:
        with self._compiling:
            key = (grammar.name, hash(frozenset(grammar.phrases.items())))
            if key not in self._compiled:
                if lost := self.unspeakable(grammar):
                    log.warning("grammar %s: the model does not know %s", grammar.name, "、".join(lost))
                own = self._split_all(grammar.own)
                distress = self._split_all(grammar.distress)
                beside = self._split_all([*sorted(grammar.harmless), *sorted(grammar.elsewhere), *DENIALS])
                entries = own * OWN_WEIGHT + distress * DISTRESS_WEIGHT + beside
                # Vosk's JSON reader does not know \uXXXX.
                self._compiled[key] = json.dumps([*entries, UNKNOWN], ensure_ascii=False)
            return self._compiled[key]


class _VoskEar:
    def __init__(self, engine: Any, *, dictates: bool = False) -> None:
        self._dictates = dictates
        engine.SetWords(True)
        engine.SetPartialWords(True)
        self._engine = engine
        self._one_at_a_time = threading.Lock()
        self._fed = 0
        self._partial_due = 0.0

    def feed(self, pcm: bytes) -> Hypothesis | None:
        with self._one_at_a_time:
            engine = self._alive()
            self._fed += len(pcm)
            heard_s = self._fed / BYTES_PER_S
            try:
                if engine.AcceptWaveform(pcm):
                    return self._hypothesis(engine.Result(), heard_s, final=True)
                if heard_s < self._partial_due:
                    return None
                self._partial_due = heard_s + PARTIAL_EVERY_S
                partial = self._hypothesis(engine.PartialResult(), heard_s, final=False)
            except EarError:
                raise
            except Exception as error:
                raise EarError("the recogniser refused a piece of sound") from error
            # The same words again are told too: that they have stood is what makes a partial decisive.
            return None if partial.empty else partial

    def finish(self) -> Hypothesis:
        with self._one_at_a_time:
            engine, self._engine = self._alive(), None
            return self._hypothesis(engine.FinalResult(), self._fed / BYTES_PER_S, final=True)

    def _alive(self) -> Any:
        if self._engine is None:
            raise EarError("this ear has finished")
        return self._engine

    def _hypothesis(self, said: str, heard_s: float, *, final: bool) -> Hypothesis:
        found = json.loads(said)
        words = tuple(
            Word(one["word"], float(one.get("conf", 1.0)), float(one["start"]), float(one["end"]))
            for one in found.get("result" if final else "partial_result", ())
        )
        text = found.get("text" if final else "partial", "").replace(" ", "")
        return Hypothesis(text, words, final, heard_s, self._dictates)


@lru_cache(maxsize=4)
def shared_recogniser(model_dir: Path) -> VoskRecogniser:
    """One model for a process, however many ask."""
    return VoskRecogniser(model_dir)
