"""What did this side hear? Known phrases found in a recording by the shape of their loudness; standard library only."""

from __future__ import annotations

import math
import wave
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul
from pathlib import Path

from ivr.prompts.alaw import RATE, decode

FRAME = 160
SAME = 0.85
"""Correlation of loudness: measured, the same phrase gives 0.92 and more, another one at most 0.77."""
FIRST_S = 3.0
"""Only so much of a phrase is compared: on a busy machine a recording may slip by a packet later on."""
LATE = 15
"""A recording may begin so many frames after the phrase did."""
SPEECH_RMS = 300.0  # -41 dBFS


@dataclass(frozen=True)
class Recording:
    """One far end's WAV file."""

    path: Path
    loudness: Sequence[float]
    """RMS of each 20 ms."""

    @property
    def seconds(self) -> float:
        return len(self.loudness) * FRAME / RATE

    def find(self, phrase: Path) -> float | None:
        """Seconds into the recording at which this phrase (raw A-law) begins; None when it was not heard."""
        piece = _loudness(decode(phrase.read_bytes()[: round(FIRST_S * RATE)]))
        ear = [0.0] * LATE + list(self.loudness)
        size = len(piece)
        if size < 10 or len(ear) < size:
            return None
        mean = sum(piece) / size
        shape = [value - mean for value in piece]
        norm = math.sqrt(sum(map(mul, shape, shape)))
        sums, squares = [0.0], [0.0]
        for value in ear:
            sums.append(sums[-1] + value)
            squares.append(squares[-1] + value * value)
        best, place = 0.0, 0
        for at in range(len(ear) - size + 1):
            total = sums[at + size] - sums[at]
            spread = squares[at + size] - squares[at] - total * total / size
            if spread < size * 100:
                continue
            score = sum(map(mul, shape, ear[at : at + size])) / (norm * math.sqrt(spread))
            if score > best:
                best, place = score, at
        return max(0.0, (place - LATE) * FRAME / RATE) if best >= SAME else None

    def speech_s(self, start_s: float, end_s: float) -> float:
        """Seconds in this stretch that were loud enough to be somebody speaking."""
        stretch = self.loudness[max(0, round(start_s * RATE / FRAME)) : max(0, round(end_s * RATE / FRAME))]
        return sum(rms > SPEECH_RMS for rms in stretch) * FRAME / RATE


def read_recording(path: Path) -> Recording | None:
    """None while there is nothing in it."""
    try:
        with wave.open(str(path)) as sound:
            samples = array("h", sound.readframes(sound.getnframes()))
    except (OSError, EOFError, wave.Error):
        return None
    return Recording(path, _loudness(samples)) if samples else None


def _loudness(samples: array[int]) -> list[float]:
    whole = range(0, len(samples) - FRAME + 1, FRAME)
    return [math.sqrt(sum(map(mul, piece, piece)) / FRAME) for piece in (samples[at : at + FRAME] for at in whole)]
