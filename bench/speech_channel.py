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
    sound, scale, _ = _line(samples, seed, snr_db)
    return _through(sound * scale)


def line_noise(samples: array[int], seed: int, seconds: float, *, snr_db: float = SNR_DB) -> bytes:
    """The same line, as loud as while these samples are spoken, and nobody speaks."""
    _, scale, noise_rms = _line(samples, seed, snr_db)
    noise = np.random.default_rng(seed + 1).normal(0, noise_rms, round(seconds * RATE))
    return _through(np.convolve(noise, _band_pass(), "same") * scale)


def _line(samples: array[int], seed: int, snr_db: float) -> tuple[np.ndarray, float, float]:
    """Sound with its noise, what it is multiplied by, and how loud the noise was before both."""
    chance = np.random.default_rng(seed)
    sound = np.asarray(samples, np.float64) / 32768
    sound = np.concatenate([np.zeros(int(LEAD_S * RATE)), sound, np.zeros(int(TAIL_S * RATE))])
    loud = np.abs(sound) > 0.02 * np.abs(sound).max()
    noise_rms = (float(np.sqrt(np.mean(sound[loud] ** 2))) + 1e-9) * 10 ** (-snr_db / 20)
    sound = sound + chance.normal(0, noise_rms, len(sound))
    sound = np.convolve(sound, _band_pass(), "same")
    return sound, PEAK / (float(np.abs(sound).max()) + 1e-9), noise_rms


def _through(sound: np.ndarray) -> bytes:
    return decode(encode(np.rint(sound * 32768).astype(int).tolist())).tobytes()


def _band_pass() -> np.ndarray:
    n = np.arange(_TAPS) - _TAPS // 2
    low, high = (2 * f / RATE * np.sinc(2 * f / RATE * n) for f in (300, 3400))
    return (high - low) * np.hamming(_TAPS)
