"""G.711 A-law as Asterisk's headerless `.alaw` files hold it, and the measures of telephone speech.

Standard library only (`audioop` leaves Python with 3.13), so that tests and `ivr doctor` can
judge every prompt without the synthesis tools. Samples are 16-bit integers at 8 kHz; dBFS is
relative to 32768.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

RATE = 8000
FULL_SCALE = 32768
FRAME = 80
"""10 ms: short enough to place the first sound, long enough to hold a voice period."""
HANGOVER_FRAMES = 20
MARGIN_DB = 15.9
"""Hangover (200 ms) and margin of ITU-T P.56: short pauses belong to speech, long ones do not."""
SILENCE_BELOW_SPEECH_DB = 30.0


def _decode_byte(code: int) -> int:
    code ^= 0x55
    exponent, mantissa = (code & 0x70) >> 4, code & 0x0F
    size = (mantissa << 4) + 8 if exponent == 0 else ((mantissa << 4) + 0x108) << (exponent - 1)
    return size if code & 0x80 else -size


_LINEAR = [_decode_byte(code) for code in range(256)]
_ORDERED = sorted(range(256), key=_LINEAR.__getitem__)
_BORDERS = [(_LINEAR[low] + _LINEAR[high]) / 2 for low, high in pairwise(_ORDERED)]
_CODES = bytes(_ORDERED[bisect_right(_BORDERS, sample)] for sample in range(-FULL_SCALE, FULL_SCALE))
SILENCE = _CODES[FULL_SCALE]


def encode(samples: Iterable[int]) -> bytes:
    """Samples to A-law, each to the nearest step."""
    return bytes(_CODES[min(max(sample, -FULL_SCALE), FULL_SCALE - 1) + FULL_SCALE] for sample in samples)


def decode(data: bytes) -> array[int]:
    return array("h", (_LINEAR[code] for code in data))


def decibels(ratio: float) -> float:
    return 20 * math.log10(ratio) if ratio > 0 else -math.inf


@dataclass(frozen=True, slots=True)
class Measured:
    """What a telephone listener gets, in numbers."""

    seconds: float
    speech_dbfs: float
    """RMS while somebody speaks (after ITU-T P.56)."""
    peak_dbfs: float
    lead_ms: int
    """Silence before the first sound."""
    tail_ms: int
    """Silence after the last sound."""
    longest_gap_ms: int
    clipped: int
    """Samples at the last step of A-law."""


def measure(samples: array[int]) -> Measured:
    frames = [
        math.sqrt(sum(s * s for s in samples[at : at + FRAME]) / FRAME) / FULL_SCALE
        for at in range(0, len(samples) - FRAME + 1, FRAME)
    ]
    level = active_level(frames)
    loud = [at for at, rms in enumerate(frames) if rms > level * 10 ** (-SILENCE_BELOW_SPEECH_DB / 20)]
    first, last = (loud[0], loud[-1]) if loud else (len(frames), -1)
    gap = max((after - before - 1 for before, after in pairwise(loud)), default=0)
    peak = max((abs(s) for s in samples), default=0)
    top = max(_LINEAR)
    return Measured(
        seconds=len(samples) / RATE,
        speech_dbfs=decibels(level),
        peak_dbfs=decibels(peak / FULL_SCALE),
        lead_ms=first * 10,
        tail_ms=(len(frames) - 1 - last) * 10,
        longest_gap_ms=gap * 10,
        clipped=sum(abs(s) >= top for s in samples),
    )


def active_level(frames: list[float]) -> float:
    """RMS over the active part only: the threshold follows the level it yields until both agree."""
    level = math.sqrt(sum(rms * rms for rms in frames) / max(len(frames), 1))
    for _ in range(12):
        threshold = level * 10 ** (-MARGIN_DB / 20)
        energy, active, hangover = 0.0, 0, 0
        for rms in frames:
            hangover = HANGOVER_FRAMES if rms > threshold else hangover - 1
            if hangover > 0:
                energy += rms * rms
                active += 1
        risen = math.sqrt(energy / active) if active else 0.0
        if abs(risen - level) < 1e-6:
            break
        level = risen
    return level
