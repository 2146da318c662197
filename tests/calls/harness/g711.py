"""G.711 for numpy: A-law both ways, µ-law decoding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]

RATE = 8000
ALAW_SILENCE = b"\xd5"


def _alaw_table() -> Pcm:
    code = np.arange(256) ^ 0x55
    segment = (code >> 4) & 7
    step = (code & 0x0F) << 4
    magnitude = np.where(segment == 0, step + 8, (step + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _ulaw_table() -> Pcm:
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


_ALAW = _alaw_table()
_ULAW = _ulaw_table()
_ORDER = np.argsort(_ALAW).astype(np.uint8)
_SORTED = _ALAW[_ORDER].astype(np.int32)
_EDGES = (_SORTED[1:] + _SORTED[:-1]) / 2  # nearest code wins


def decode_alaw(audio: bytes) -> Pcm:
    return _ALAW[np.frombuffer(audio, np.uint8)]


def decode_ulaw(audio: bytes) -> Pcm:
    return _ULAW[np.frombuffer(audio, np.uint8)]


def encode_alaw(pcm: Pcm) -> bytes:
    return _ORDER[np.searchsorted(_EDGES, pcm)].tobytes()
