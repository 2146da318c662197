"""Cuts a stream of telephone sound into utterances, for an engine that needs them whole. Standard library only."""

from __future__ import annotations

import math
from array import array

from ivr.speech.ear import BYTES_PER_S

FRAME_BYTES = BYTES_PER_S * 30 // 1000
PAUSE_S = 0.9
"""Ends an utterance. Old people pause for breath inside a sentence; 0.5 s cut it in two."""
LONGEST_S = 12.0
"""Is cut even without a pause: a word of distress must not wait for the end of a long story."""
SHORTEST_S = 0.3
"""Of speech; less is a click or a cough."""
BEFORE_S = 0.3
"""Kept from before the first loud frame: consonants are quiet."""
ABOVE_FLOOR = 2.5
"""A frame is speech when so many times louder than the line's noise."""
LEAST_RMS = 120.0
"""And louder than this (−49 dBFS), whatever the line's noise."""
FLOOR_RISES = 1.01
"""A frame: the noise's estimate doubles in 2 s, so that a line that becomes noisy is not speech for ever."""


class Utterances:
    def __init__(self) -> None:
        self._rest = b""
        self._kept: list[bytes] = []
        self._floor = LEAST_RMS
        self._loud = 0
        self._quiet = 0

    def feed(self, pcm: bytes) -> bytes | None:
        """A whole utterance when one has just ended (at most one for each piece of sound up to a second)."""
        data = self._rest + pcm
        whole: bytes | None = None
        for at in range(0, len(data) - FRAME_BYTES + 1, FRAME_BYTES):
            whole = self._frame(data[at : at + FRAME_BYTES]) or whole
        used = len(data) // FRAME_BYTES * FRAME_BYTES
        self._rest = data[used:]
        return whole

    def finish(self) -> bytes | None:
        return self._cut()

    def _frame(self, frame: bytes) -> bytes | None:
        samples = array("h", frame)
        rms = math.sqrt(sum(s * s for s in samples) / len(samples))
        loud = rms > max(LEAST_RMS, ABOVE_FLOOR * self._floor)
        self._floor = min(rms, self._floor * FLOOR_RISES) if rms < self._floor or not loud else self._floor * 1.001
        self._kept.append(frame)
        if loud:
            self._loud += 1
            self._quiet = 0
        elif self._loud:
            self._quiet += 1
        else:
            del self._kept[: -_frames(BEFORE_S)]
        if self._loud and (self._quiet >= _frames(PAUSE_S) or len(self._kept) >= _frames(LONGEST_S)):
            return self._cut()
        return None

    def _cut(self) -> bytes | None:
        whole = b"".join(self._kept) if self._loud >= _frames(SHORTEST_S) else None
        self._kept, self._loud, self._quiet = [], 0, 0
        return whole


def _frames(seconds: float) -> int:
    return round(seconds * BYTES_PER_S / FRAME_BYTES)
