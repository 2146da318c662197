"""The way from a mouth to our ear: other throats, rooms, noise, telephones, codecs; and one fixed test channel."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve, firwin2, lfilter, resample_poly

from .codecs import alaw, gsm, ulaw
from .material import RATE, Sound

SPEECH_RMS = 0.08
RESAMPLED = 20
"""Played at 20/n of the speed, n within RESAMPLED_FROM..RESAMPLED_TO: other pitch, throat and pace at once."""
RESAMPLED_FROM, RESAMPLED_TO = 17, 24
HUM_HZ = 50.0


@dataclass(frozen=True, slots=True)
class Heard:
    sound: Sound
    begin_s: float
    """Where the spoken sound begins in what is heard."""
    stretch: float
    """A moment t of the spoken sound is heard at begin_s + t * stretch."""


def disturb(spoken: Sound, rng: random.Random, babble: Sequence[Sound] = ()) -> Heard:
    """One random telephone call with this sound in it."""
    rate = rng.randint(RESAMPLED_FROM, RESAMPLED_TO)
    sound = resample_poly(spoken, RESAMPLED, rate) if rate != RESAMPLED else spoken
    stretch = len(sound) / len(spoken)
    sound = sound / _rms(sound) * SPEECH_RMS
    before, after = round(rng.uniform(0.05, 0.6) * RATE), round(rng.uniform(0.1, 0.7) * RATE)
    sound = np.concatenate([np.zeros(before), sound, np.zeros(after)])
    if rng.random() < 0.35:
        sound = fftconvolve(sound, _room(rng))[: len(sound)]
    if rng.random() < 0.5:
        sound = sound + noise(len(sound), rng, babble) * SPEECH_RMS * 10 ** (-rng.uniform(3, 30) / 20)
    if rng.random() < 0.9:
        sound = fftconvolve(sound, _telephone(rng), "same")
    sound = sound + noise(len(sound), rng) * SPEECH_RMS * 10 ** (-rng.uniform(25, 60) / 20)
    sound = sound / (np.abs(sound).max() + 1e-9) * 10 ** (-rng.uniform(0, 28) / 20)
    if rng.random() < 0.07:
        sound = np.clip(sound * rng.uniform(1.5, 4), -0.98, 0.98)
    codec = rng.choices([alaw, ulaw, gsm, None], [30, 20, 22, 28])[0]
    return Heard(codec(sound) if codec else sound, before / RATE, stretch)


def noise(length: int, rng: random.Random, babble: Sequence[Sound] = ()) -> Sound:
    """White, coloured, mains hum or several voices at once, sometimes coming and going; RMS 1."""
    numbers = np.random.default_rng(rng.randrange(1 << 30))
    white = numbers.standard_normal(length)
    kind = rng.random()
    if kind < 0.25:
        sound = white
    elif kind < 0.5:
        sound = lfilter([0.05], [1, -0.95], white)
    elif kind < 0.62:
        sound = lfilter([0.01], [1, -0.99], white)
    elif kind < 0.7:
        turns = 2 * np.pi * HUM_HZ * rng.uniform(0.99, 1.01) * np.arange(length) / RATE
        sound = 0.05 * white
        for harmonic in (1, 2, 3, 5, 7):
            sound = sound + rng.random() * np.sin(turns * harmonic + rng.random() * 6)
    elif babble:
        sound = np.zeros(length)
        for _ in range(rng.randint(1, 5)):
            voice = rng.choice(babble)
            voice = np.tile(voice, length // len(voice) + 2)
            at = rng.randrange(len(voice) - length)
            sound += voice[at : at + length] * rng.uniform(0.3, 1)
    else:
        sound = white
    if rng.random() < 0.3:
        sound = sound * np.interp(np.arange(length), np.linspace(0, length, 6), [rng.uniform(0.1, 1) for _ in range(6)])
    return sound / _rms(sound)


def _room(rng: random.Random) -> Sound:
    length = round(rng.uniform(0.06, 0.45) * RATE)
    response = np.random.default_rng(rng.randrange(1 << 30)).standard_normal(length)
    response *= np.exp(-6.9 * np.arange(length) / length)
    response *= rng.uniform(0.02, 0.35) / (np.sqrt(np.sum(response**2)) + 1e-9)
    response[0] = 1
    return response


def _telephone(rng: random.Random) -> Sound:
    low, high = rng.uniform(80, 330), rng.uniform(3150, 3850)
    corners = np.array([0, low * 0.6, low, 600, 1200, 1900, 2600, high - 50, min(high + 120, 3990), 4000])
    tilt = rng.uniform(-4, 4) * np.log2(np.maximum(corners, 150) / 1000)
    gains = 10 ** ((np.array([rng.uniform(-5, 5) for _ in corners]) + tilt) / 20)
    gains[0] *= 0.05
    gains[1] *= 0.25
    gains[-2:] *= 0.05
    return np.asarray(firwin2(129, corners, gains, fs=RATE))


TEST_BAND = firwin2(129, [0, 200, 320, 3350, 3600, 4000], [0, 0.02, 1, 1, 0.03, 0], fs=RATE)
TEST_SNR_DB = 20.0
TEST_PEAK_DBFS = -9.0


def test_channel(spoken: Sound, seed: int) -> Sound:
    """Always the same for the same seed: 300 to 3400 Hz, noise 20 dB below, A-law (2 of 3) or GSM."""
    rng = random.Random(seed)
    sound = np.concatenate([np.zeros(round(0.3 * RATE)), spoken, np.zeros(round(0.6 * RATE))])
    loud = sound[np.abs(sound) > 0.02 * np.abs(sound).max()]
    sound = sound / _rms(loud) * 0.1
    sound = sound + noise(len(sound), rng) * 0.1 * 10 ** (-TEST_SNR_DB / 20)
    sound = fftconvolve(sound, TEST_BAND, "same")
    sound = sound / (np.abs(sound).max() + 1e-9) * 10 ** (TEST_PEAK_DBFS / 20)
    return rng.choice([alaw, alaw, gsm])(sound)


def _rms(sound: Sound) -> float:
    return float(np.sqrt(np.mean(sound**2)) + 1e-9)
