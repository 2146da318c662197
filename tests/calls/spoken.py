"""What callers say in the tests, and when they were heard."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from tests.calls.harness import Leg
from tests.calls.harness.g711 import RATE, decode_alaw, encode_alaw

CLIPS = Path(__file__).parents[1] / "data" / "speech" / "calls"


def clip(name: str) -> bytes:
    """Raw A-law; see tests/data/speech/calls/make.py for who says what."""
    return (CLIPS / f"{name}.alaw").read_bytes()


def together(*names: str) -> bytes:
    """Several people at once."""
    lines = [decode_alaw(clip(name)).astype(np.float64) for name in names]
    mixed = np.zeros(max(len(line) for line in lines))
    for line in lines:
        mixed[: len(line)] += line
    return encode_alaw((mixed / np.max(np.abs(mixed)) * 14000).astype(np.int16))


def noise(seconds: float, dbfs: float = -30.0) -> bytes:
    """Hiss over the whole band."""
    level = 32768 * 10 ** (dbfs / 20)
    return encode_alaw((np.random.default_rng(7).normal(0, level, round(seconds * RATE))).astype(np.int16))


def with_its_noise(audio: bytes, dbfs: float = -46.0) -> bytes:
    """As from a telephone that sends its noise only around the words: 0.3 s before them and 0.6 s after."""
    words = decode_alaw(audio).astype(np.float64)
    around = np.concatenate((np.zeros(round(0.3 * RATE)), words, np.zeros(round(0.6 * RATE))))
    hiss = decode_alaw(noise(len(around) / RATE, dbfs))
    return encode_alaw((around + hiss[: len(around)]).clip(-32000, 32000).astype(np.int16))


def bursts(seconds: float) -> bytes:
    """A crying voice's stand-in: a wavering tone with breath, half a second on, a third off."""
    time = np.arange(round(seconds * RATE)) / RATE
    chance = np.random.default_rng(11)
    pitch = 420 + 90 * np.sin(2 * np.pi * 5.5 * time) + 60 * np.sin(2 * np.pi * 0.7 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    cry = sum(np.sin(k * phase) / k for k in range(1, 7)) + chance.normal(0, 0.4, len(time))
    on = (time % 0.83) < 0.5
    return encode_alaw((cry * on * 5000).clip(-32000, 32000).astype(np.int16))


async def babbles(leg: Leg) -> float:
    """Say what answers no question, and return when it began. Half a sentence: who speaks on until the time for an
    answer is over is taken for silent."""
    began = asyncio.get_running_loop().time()
    leg.say(clip("smalltalk")[: round(1.9 * RATE)])
    await leg.said()
    return began


async def says(leg: Leg, audio: bytes) -> float:
    """Speak, wait until it has been sent, and return when the last of it went out (`time.monotonic()`)."""
    leg.say(audio)
    await leg.said()
    return asyncio.get_running_loop().time()
