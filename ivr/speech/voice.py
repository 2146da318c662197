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
WAITS_S = 1.5
"""Who pauses so long waits for an answer; a machine's greeting has shorter ones between its sentences."""


class Voice:
    """All times are seconds of audio since the beginning."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.began_s: float | None = None
        """Of the present stretch of speech; None while nobody has spoken since `forget`."""
        self.last_s = 0.0
        """When somebody was last heard."""
        self._monologue_began_s = 0.0
        self._rest = b""
        self._levels: deque[float] = deque(maxlen=round(NOISE_S / FRAME_S))

    @property
    def pause_s(self) -> float:
        return self.now_s - self.last_s

    @property
    def monologue_s(self) -> float:
        """How long somebody has been speaking without waiting for an answer, up to when he was last heard."""
        return self.last_s - self._monologue_began_s

    def feed(self, pcm: bytes) -> None:
        """Any number of bytes of 16 bit little endian audio at 8 kHz."""
        data = self._rest + pcm
        whole = len(data) // FRAME * FRAME
        self._rest = data[whole:]
        for at in range(0, whole, FRAME):
            self._frame(data[at : at + FRAME])

    def forget(self) -> None:
        """What was spoken has been dealt with; the monologue goes on, and the noise is what it was."""
        self.began_s = None

    def _frame(self, frame: bytes) -> None:
        # Each second sample is enough to tell loud from quiet, and costs half.
        samples = array("h", frame)[::2]
        power = sum(sample * sample for sample in samples) / len(samples)
        level = 10 * math.log10(power / 2**30) if power else -96.0
        self._levels.append(level)
        self.now_s += FRAME_S
        if level >= max(FAINTEST_DBFS, min(self._levels) + ABOVE_NOISE_DB):
            if self.now_s - self.last_s > WAITS_S:
                self._monologue_began_s = self.now_s - FRAME_S
            if self.began_s is None:
                self.began_s = self.now_s - FRAME_S
            self.last_s = self.now_s
