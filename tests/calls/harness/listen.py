"""这段提示音有没有被听到。Was this prompt heard, when, and how much of it?

Normalised cross-correlation by FFT of the prompt's first seconds with everything heard. Both sides are
pre-emphasised first: speech of one voice is alike in its low, loud tones and differs above.
What the scores look like: see `SAME` and tests/unit/test_harness_listen.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.calls.harness.g711 import RATE, Pcm, decode_alaw

SAME = 0.7
"""Threshold between "this prompt" and "another one". Measured on the 27 prompts of zh_CN and on 25 pretended ones:
the same prompt scores >= 0.96 (quieter by 18 dB, noise at -45 dBFS, 2 % lost packets, music below it, barge-in,
recording begun late), another one <= 0.37. Prompts that share words score what they share (0.55 and more), and those
that begin with the same sentence 0.9 and more: tell those apart by `Match.whole` or `best_prompt`."""

_Signal = NDArray[np.float64]
_CHUNK = RATE // 2
_SAME_CHUNK = 0.6
_SLIPPED = 0.45
"""From here on it is looked at in pieces: on a busy machine a mixer misses a frame now and then, what follows comes
20 ms later, and a prompt heard to its end scored 0.64 to 0.74 as a whole. Another prompt has at most 0.37."""
_SLACK = RATE * 60 // 1000
_LEAST = RATE * 3 // 4  # less than this says little
_AUDIBLE = 10 ** (-55 / 20) * 32768  # quieter stretches are no evidence of anything


@dataclass(frozen=True)
class Match:
    """`score` 1.0 is the same audio; `at_s` where the prompt's first sample lies in what was heard (negative when
    the recording began later); `heard_s` how much of the prompt was heard, of `prompt_s`."""

    score: float
    at_s: float
    heard_s: float
    prompt_s: float

    @property
    def found(self) -> bool:
        return self.score >= SAME

    @property
    def whole(self) -> bool:
        """From beginning to end; half a second may be missing."""
        return self.found and self.heard_s >= self.prompt_s - 0.6


def find_prompt(
    heard: Pcm, prompt: Path | bytes, *, first_s: float = 2.5, late_s: float = 0.5, from_s: float = 0.0
) -> Match:
    """Look for a prompt (raw A-law) in what was heard.

    Only its first `first_s` seconds count, because a caller may barge in. The recording may have begun up to
    `late_s` after the prompt did. `from_s` skips the beginning of what was heard.
    """
    raw = prompt if isinstance(prompt, bytes) else prompt.read_bytes()
    spoken, lead = _trimmed(decode_alaw(raw))
    skipped = round(from_s * RATE)
    ear = _emphasised(heard[skipped:])
    if len(spoken) < RATE // 5 or not len(ear):
        return Match(0.0, 0.0, 0.0, len(spoken) / RATE)
    whole = _emphasised(spoken)
    size = min(round(first_s * RATE), len(whole))
    score, place = _best_lag(ear, whole[:size])
    late = round(late_s * RATE)
    rest = whole[late : late + size]
    if late and len(rest) >= _LEAST:
        late_score, late_place = _best_lag(ear, rest)
        if late_score > score and late_place < late:  # only a recording that begins inside the prompt
            score, place = late_score, late_place - late
    if _SLIPPED <= score < SAME:
        score = max(score, _in_pieces(ear, whole[:size], place))
    heard_s = _coverage(ear, whole, place) if score >= SAME else 0.0
    return Match(score, (place + skipped - lead) / RATE, heard_s, len(spoken) / RATE)


def best_prompt(heard: Pcm, prompts: Mapping[str, Path | bytes], *, first_s: float = 2.5) -> tuple[str, Match]:
    """Which of these prompts was heard? Of those that begin alike, the one heard furthest."""
    matches = {name: find_prompt(heard, prompt, first_s=first_s) for name, prompt in prompts.items()}
    name = max(matches, key=lambda key: (matches[key].found, matches[key].heard_s, matches[key].score))
    return name, matches[name]


def _trimmed(pcm: Pcm) -> tuple[Pcm, int]:
    """Without the silence before and after; and how many samples went before."""
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > 4 * _AUDIBLE)
    if not len(loud):
        return pcm[:0], 0
    return pcm[loud[0] : loud[-1] + 1], int(loud[0])


def _emphasised(pcm: Pcm) -> _Signal:
    signal = pcm.astype(np.float64)
    return np.diff(signal, prepend=0.0) + 0.05 * signal


def _best_lag(ear: _Signal, piece: _Signal) -> tuple[float, int]:
    """Highest normalised correlation of the piece with any stretch of the ear, and where that stretch begins."""
    padded = np.concatenate((ear, np.zeros(len(piece))))
    size = 1 << (len(padded) + len(piece) - 1).bit_length()
    product = np.fft.rfft(padded, size) * np.conj(np.fft.rfft(piece, size))
    correlation = np.fft.irfft(product, size)[: len(ear)]
    energy = np.concatenate(([0.0], np.cumsum(padded**2)))
    stretch = energy[len(piece) : len(piece) + len(ear)] - energy[: len(ear)]
    floor = _AUDIBLE**2 * len(piece) * 0.1  # pre-emphasis takes some of the level away
    norm = np.sqrt(np.maximum(stretch, floor) * float(np.sum(piece**2)))
    ratio = correlation / norm
    place = int(np.argmax(ratio))
    return float(ratio[place]), place


def _in_pieces(ear: _Signal, prompt: _Signal, place: int) -> float:
    """The share of its sound that is there, in half-second pieces that each lie where they fit best."""
    there = total = 0.0
    for start in range(0, len(prompt), _CHUNK):
        piece = prompt[start : start + _CHUNK]
        here = ear[max(0, place + start - _SLACK) : max(0, place + start + len(piece) + _SLACK)]
        sound = float(np.sum(piece**2))
        total += sound
        if len(here) >= len(piece) // 2 and _best_lag(here, piece)[0] >= _SAME_CHUNK:
            there += sound
    return there / total if total else 0.0


def _coverage(ear: _Signal, whole: _Signal, place: int) -> float:
    """Seconds of the prompt found where they belong; half-second pieces may have slipped by 60 ms."""
    heard = 0
    for start in range(0, len(whole), _CHUNK):
        piece = whole[start : start + _CHUNK]
        here = ear[max(0, place + start - _SLACK) : max(0, place + start + len(piece) + _SLACK)]
        silent = float(np.mean(piece**2)) < _AUDIBLE**2 * 0.1
        if silent:
            found = place + start + len(piece) <= len(ear)
        else:
            found = len(here) >= len(piece) // 2 and _best_lag(here, piece)[0] >= _SAME_CHUNK
        heard += len(piece) if found else 0
    return heard / RATE
