"""A telephone line for files: 300-3400 Hz, noise 25 dB below the speech, A-law. The same seed is the same line."""

from __future__ import annotations

from array import array

import numpy as np

from ivr.prompts.alaw import RATE, decode, encode

SNR_DB = 25.0
PEAK = 0.35
"""Of full scale: a caller who speaks up, with room for the noise."""
LEAD_S, TAIL_S = 0.3, 0.6
_TAPS = 129


def telephone(samples: array[int], seed: int, *, snr_db: float = SNR_DB) -> bytes:
    """16-bit PCM as the centre's end of the line would deliver it."""
    chance = np.random.default_rng(seed)
    sound = np.asarray(samples, np.float64) / 32768
    sound = np.concatenate([np.zeros(int(LEAD_S * RATE)), sound, np.zeros(int(TAIL_S * RATE))])
    loud = np.abs(sound) > 0.02 * np.abs(sound).max()
    rms = float(np.sqrt(np.mean(sound[loud] ** 2))) + 1e-9
    sound = sound + chance.normal(0, rms * 10 ** (-snr_db / 20), len(sound))
    sound = np.convolve(sound, _band_pass(), "same")
    sound *= PEAK / (float(np.abs(sound).max()) + 1e-9)
    return decode(encode(np.rint(sound * 32768).astype(int).tolist())).tobytes()


def _band_pass() -> np.ndarray:
    n = np.arange(_TAPS) - _TAPS // 2
    low, high = (2 * f / RATE * np.sinc(2 * f / RATE * n) for f in (300, 3400))
    return (high - low) * np.hamming(_TAPS)
