"""Is somebody speaking? By loudness above the line's own noise, 20 ms at a time; for pauses, not for words."""

from __future__ import annotations

import math
from array import array
from collections import deque

RATE = 8000
FRAME = 320
"""Bytes of 20 ms."""
FRAME_S = 0.02
ABOVE_NOISE_DB = 9.0
"""Speech on a telephone line stands 15 to 30 dB above its noise; breath and hum stay below this."""
FAINTEST_DBFS = -48.0
"""Below this it is nobody, however quiet the line: A-law's own steps are at -66."""
NOISE_S = 3.0
"""The quietest 20 ms of so long a stretch are the line's noise: nobody speaks 3 s without a gap between syllables."""
SYLLABLE_GAP_S = 0.1
"""A gap this short is inside a word (the closure of p, t, k)."""


class Voice:
    """All times are seconds of audio since the beginning."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.began_s: float | None = None
        """Of the present stretch of speech; None while nobody has spoken since `forget`."""
        self.last_s = 0.0
        """When somebody was last heard."""
        self.total_s = 0.0
        """All speech so far."""
        self._rest = b""
        self._levels: deque[float] = deque(maxlen=round(NOISE_S / FRAME_S))

    @property
    def pause_s(self) -> float:
        return self.now_s - self.last_s

    def feed(self, pcm: bytes) -> None:
        """Any number of bytes of 16 bit little endian audio at 8 kHz."""
        data = self._rest + pcm
        whole = len(data) // FRAME * FRAME
        self._rest = data[whole:]
        for at in range(0, whole, FRAME):
            self._frame(data[at : at + FRAME])

    def forget(self) -> None:
        """What was spoken has been dealt with; `total_s` and the noise are kept."""
        self.began_s = None

    def _frame(self, frame: bytes) -> None:
        # Each second sample is enough to tell loud from quiet, and costs half.
        samples = array("h", frame)[::2]
        power = sum(sample * sample for sample in samples) / len(samples)
        level = 10 * math.log10(power / 2**30) if power else -96.0
        self._levels.append(level)
        self.now_s += FRAME_S
        if level >= max(FAINTEST_DBFS, min(self._levels) + ABOVE_NOISE_DB):
            if self.began_s is None:
                self.began_s = self.now_s - FRAME_S
                self.last_s = self.now_s - FRAME_S
            self.total_s += min(self.now_s - self.last_s, SYLLABLE_GAP_S + FRAME_S)
            self.last_s = self.now_s
