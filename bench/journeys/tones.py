"""Who is heard in whose ear: everybody says a tone of his own, and each RTP packet is looked at by itself.

All tones have whole periods in a packet of 20 ms, so that none leaks into another's place; they lie above most of what
prompts and music hold. Against all prompts and the music of this tree: see tests/unit/test_bench_tones.py.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tests.calls.harness.g711 import RATE, decode_alaw, encode_alaw
from tests.calls.harness.recording import Packet

ELDER, SEAT, ORDINARY = 2150, 2450, 2750
RELATIVES = (3150, 3250, 3450)
FRAME = 160
Test = Callable[[NDArray[np.float64]], NDArray[np.bool_]]
LOUDNESS = 8000.0
_LEAST = 2000.0  # a mixed room may make it quieter; a prompt's overtones are quieter than this
_SHARE = 0.12  # of the packet's energy: three others may say theirs at the same time
_AUDIBLE = 300.0


@cache
def tone(hertz: int, seconds: float) -> bytes:
    """Raw A-law."""
    wave = LOUDNESS * np.sin(2 * np.pi * hertz * np.arange(FRAME) / RATE)
    return encode_alaw(wave.astype(np.int16)) * round(seconds * RATE / FRAME)


def first(packets: Sequence[Packet], hertz: int, since: float) -> float | None:
    """When this tone was first heard from then on: the first of three packets in a row that hold it."""
    return _first(packets, since, lambda pcm: _holds(pcm, hertz))


def first_other(packets: Sequence[Packet], hertz: int, since: float) -> float | None:
    """When something else than this tone was first heard from then on."""
    return _first(packets, since, lambda pcm: (_level(pcm) > _AUDIBLE) & ~_holds(pcm, hertz))


def longest_gap(packets: Sequence[Packet], since: float, until: float) -> float:
    """The longest time without any packet."""
    times = [p.at for p in packets[_place(packets, since) : _place(packets, until)]]
    edges = [since, *times, until]
    return max(b - a for a, b in pairwise(edges))


def _first(packets: Sequence[Packet], since: float, test: Test) -> float | None:
    heard = [p for p in packets[_place(packets, since) :] if len(p.payload) == FRAME]
    if len(heard) < 3:
        return None
    pcm = decode_alaw(b"".join(p.payload for p in heard)).reshape(-1, FRAME).astype(np.float64)
    hits = test(pcm)
    rows = np.flatnonzero(hits[:-2] & hits[1:-1] & hits[2:])
    return heard[int(rows[0])].at if len(rows) else None


def _place(packets: Sequence[Packet], at: float) -> int:
    return bisect_left(packets, at, key=lambda p: p.at)


def _level(pcm: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(np.mean(pcm**2, axis=1)))


def _holds(pcm: NDArray[np.float64], hertz: int) -> NDArray[np.bool_]:
    amplitude = np.abs(pcm @ np.exp(-2j * np.pi * hertz * np.arange(FRAME) / RATE)) * 2 / FRAME
    energy = np.maximum(np.mean(pcm**2, axis=1), 1.0)
    return np.asarray((amplitude >= _LEAST) & (amplitude**2 / 2 >= _SHARE * energy))
