"""像说话的声音：音节、停顿、起伏的基频。Sounds built like speech, each seed another sentence of the same voice."""

from __future__ import annotations

import numpy as np

from tests.calls.harness.g711 import RATE, encode_alaw


def speech(seed: int, seconds: float, hertz: float = 200.0) -> bytes:
    """Raw A-law: voiced syllables with formants, noisy consonants, short pauses."""
    chance = np.random.default_rng(seed)
    total = round(seconds * RATE)
    line = np.zeros(total)
    at = round(0.05 * RATE)
    while at < total:
        length = round(chance.uniform(0.12, 0.28) * RATE)
        noisy = round(chance.uniform(0.03, 0.08) * RATE)
        syllable = np.concatenate((_consonant(chance, noisy), _vowel(chance, length, hertz)))[: total - at]
        line[at : at + len(syllable)] += syllable * chance.uniform(0.6, 1.0)
        at += len(syllable) + round(chance.choice([0.01, 0.03, 0.25], p=[0.6, 0.25, 0.15]) * RATE)
    return encode_alaw((line / np.max(np.abs(line)) * 12000).astype(np.int16))


def _consonant(chance: np.random.Generator, length: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    noise = chance.normal(0, 0.2, length)
    return np.diff(noise, prepend=0.0) * np.hanning(length)


def _vowel(chance: np.random.Generator, length: int, hertz: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    time = np.arange(length) / RATE
    tone = hertz * (1 + chance.uniform(-0.2, 0.2) + chance.uniform(-0.3, 0.3) * time / time[-1])
    phase = 2 * np.pi * np.cumsum(tone) / RATE
    formants = chance.uniform((300, 900, 2200), (900, 2200, 3200))
    sound = np.zeros(length)
    for harmonic in range(1, int(3400 / hertz)):
        distance = np.min(np.abs(formants - harmonic * hertz) / 150)
        sound += np.exp(-distance) / harmonic**0.3 * np.sin(harmonic * phase)
    return sound * np.hanning(length) ** 0.5
