"""Kokoro-82M speaking Mandarin (Apache-2.0), with the times of every syllable.

The network predicts how long each phoneme lasts: so speech comes aligned, and nothing else is needed
to begin with.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from misaki.zh import ZHG2P
from scipy.signal import resample_poly

from ivr.prompts.tools import KokoroFiles

from .material import RATE, Sound
from .phones import sounds
from .reading import Reading, toneless

KOKORO_RATE = 24000
DURATIONS = "/encoder/Clip_output_0"
"""Inside the network, per token: how many frames it lasts."""
FRAME_S = 0.025
"""One unit of predicted duration: 600 samples at 24 kHz."""

LATE_S = 0.03
"""The sound of a phoneme begins up to 50 ms before its predicted time (seen on bursts and fricatives)."""


@dataclass(frozen=True, slots=True)
class Spoken:
    sound: Sound
    spans: list[tuple[float, float, float]]


class KokoroVoice:
    def __init__(self, files: KokoroFiles, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            _with_durations(files.model), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._tokens: dict[str, int] = json.loads(files.vocabulary.read_text(encoding="utf-8"))["vocab"]
        self._files = files
        self._styles: dict[str, Any] = {}

    def style(self, voice: str) -> Any:
        """`name`, or `name*0.6+other` for a mixture."""
        if voice not in self._styles:
            first, _, second = voice.partition("+")
            name, _, weight = first.partition("*")
            own = self._vectors(name)
            share = float(weight or 1)
            self._styles[voice] = own if not second else share * own + (1 - share) * self._vectors(second)
        return self._styles[voice]

    def _vectors(self, name: str) -> Any:
        return np.frombuffer(self._files.voice(name), np.float32).reshape(-1, 256)

    def say(self, reading: Reading, voice: str, speed: float) -> Spoken:
        signs, places = _signs(reading, self._tokens)
        style = self.style(voice)
        inputs = {
            "tokens": np.array([[0, *(self._tokens[sign] for sign in signs), 0]], np.int64),
            "style": style[min(len(signs), len(style)) - 1].reshape(1, 256).astype(np.float32),
            "speed": np.array([speed], np.float32),
        }
        sound, durations = self._session.run(None, inputs)
        ends = np.cumsum(np.asarray(durations, np.float64).ravel()) * FRAME_S
        # Token 0 is the padding before, so the token at place p begins where token p (padding counted) ends.
        spans = [(float(ends[a]) - LATE_S, float(ends[b]) - LATE_S, float(ends[c]) - LATE_S) for a, b, c in places]
        return Spoken(resample_poly(np.asarray(sound, np.float64).ravel(), RATE, KOKORO_RATE), spans)


def _signs(reading: Reading, known: dict[str, int]) -> tuple[list[str], list[tuple[int, int, int]]]:
    """Phoneme signs of a text, and per syllable the places of its begin, its final and its end."""
    signs: list[str] = []
    places: list[tuple[int, int, int]] = []
    for number, run in enumerate(reading):
        signs += [",", " "] if number else []
        for index, word in enumerate(run):
            signs += [" "] if index else []
            for syllable in word:
                spelled = [sign for sign in ZHG2P.py2ipa(syllable).replace(chr(815), "") if sign in known]
                begin = len(signs)
                parts = sounds(toneless(syllable)) or ()
                lead = 0 if len(parts) < 2 else 2 if spelled[1:2] == ["ʰ"] else 1
                signs += spelled
                places.append((begin, begin + lead, len(signs)))
    return signs, places


def _with_durations(model: Path) -> bytes:
    """The network with one output more; computing is the same."""
    import onnx

    whole = onnx.load(str(model))
    whole.graph.output.append(onnx.helper.make_empty_tensor_value_info(DURATIONS))
    return bytes(whole.SerializeToString())
