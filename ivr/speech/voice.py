"""Is somebody speaking? By loudness above the line's own noise, 20 ms at a time; for pauses, not for words.

The noise of a line may come and go: telephones with voice detection send it only around the words, and are dead silent
else. So what is steady is noise, as soon as it has been steady for a moment, however quiet it was before.
"""

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
STIRS_ABOVE_NOISE_DB, FAINTEST_STIR_DBFS = 6.0, -57.0
"""Whether there may be anything to hear at all: half as loud as what counts as speech. Noise by itself is within 5 dB
of its own quietest 20 ms."""
STEADY_S = 0.4
STEADY_DB = 6.0
"""Sound that stays within so little for so long is no speech: noise moves by 3 dB in 0.4 s, speech by 20."""
LOUDEST_STEADY_DBFS = -36.0
"""Louder and steady is a held cry or a tone: those count as somebody until NOISE_S has passed."""
EDGE_S = 0.04
"""The noise's first frames, which hold its beginning, are not steady."""
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
        self.stirred_s = -math.inf
        """When anything was last heard that may be somebody, however faint."""
        self._monologue_began_s = 0.0
        self._rest = b""
        self._levels: deque[float] = deque(maxlen=round(NOISE_S / FRAME_S))
        self._steady_from_s = 0.0
        self._steady_between = (0.0, 0.0)
        """Since when the level has hardly moved, and between what it has."""
        self._last_before_s = 0.0
        """`last_s` as it was then."""

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
        self._follow(level)
        self.now_s += FRAME_S
        noise = min(self._levels)
        if level >= max(FAINTEST_STIR_DBFS, noise + STIRS_ABOVE_NOISE_DB):
            self.stirred_s = self.now_s
        if level < max(FAINTEST_DBFS, noise + ABOVE_NOISE_DB):
            return
        if self.now_s - self.last_s > WAITS_S:
            self._monologue_began_s = self.now_s - FRAME_S
        if self.began_s is None:
            self.began_s = self.now_s - FRAME_S
        self.last_s = self.now_s
        if level <= LOUDEST_STEADY_DBFS and self.now_s - self._steady_from_s >= STEADY_S:
            self._forget_steady()

    def _follow(self, level: float) -> None:
        low, high = self._steady_between
        low, high = min(low, level), max(high, level)
        if high - low > STEADY_DB:
            low = high = level
            self._steady_from_s, self._last_before_s = self.now_s, self.last_s
        self._steady_between = low, high

    def _forget_steady(self) -> None:
        """Taken for speech so far, and it has only been noise that came on: as if it had always been there."""
        self._levels.clear()
        self._levels.append(self._steady_between[0])
        self.last_s = self._last_before_s
        if self.began_s is not None and self.began_s >= self._steady_from_s - EDGE_S:
            self.began_s = None
