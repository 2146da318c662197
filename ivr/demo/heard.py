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
SAME = 0.88
"""Correlation of loudness: measured, the same two seconds give 0.93 and more, others at most 0.84."""
PIECE = 2 * RATE // FRAME
"""Two seconds are compared, and if they were garbled (a busy machine), the next two."""
TIE = 0.02
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
        whole = _loudness(decode(phrase.read_bytes()[: 2 * PIECE * FRAME]))
        ear = [0.0] * LATE + list(self.loudness)
        for start in (0, PIECE):
            place = _place(ear, whole[start : start + PIECE])
            if place is not None:
                return max(0.0, (place - start - LATE) * FRAME / RATE)
        return None

    def speech_s(self, start_s: float, end_s: float) -> float:
        """Seconds in this stretch that were loud enough to be somebody speaking."""
        stretch = self.loudness[max(0, round(start_s * RATE / FRAME)) : max(0, round(end_s * RATE / FRAME))]
        return sum(rms > SPEECH_RMS for rms in stretch) * FRAME / RATE


def _place(ear: Sequence[float], piece: Sequence[float]) -> int | None:
    """Where the loudness of `piece` is found in `ear`, by Pearson's correlation."""
    size = len(piece)
    if size < PIECE // 2 or len(ear) < size:
        return None
    mean = sum(piece) / size
    shape = [value - mean for value in piece]
    norm = math.sqrt(sum(map(mul, shape, shape)))
    sums, squares = [0.0], [0.0]
    for value in ear:
        sums.append(sums[-1] + value)
        squares.append(squares[-1] + value * value)
    scores = []
    for at in range(len(ear) - size + 1):
        total = sums[at + size] - sums[at]
        spread = squares[at + size] - squares[at] - total * total / size
        flat = spread < size * 100
        scores.append(0.0 if flat else sum(map(mul, shape, ear[at : at + size])) / (norm * math.sqrt(spread)))
    best = max(scores)
    if best < SAME:
        return None
    return next(at for at, score in enumerate(scores) if score > best - TIE)  # a prompt may be repeated


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
