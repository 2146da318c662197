"""A centre's own recording, as any telephone, phone app or sound card writes it, made into the trunk's A-law.

Standard library only. Resampling by windowed sinc, one short filter per phase: 0.02 to 0.07 s of work per second.
"""

from __future__ import annotations

import math
import operator
import sys
import wave
from array import array
from dataclasses import dataclass
from pathlib import Path

from .alaw import FULL_SCALE, RATE, encode, measure

RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
LONGEST_S = 120
SHORTEST_S = 0.3
LOBES = 12
"""Zero crossings of the sinc on each side: 3.4 kHz is 0.9 dB down, all that would fold back (from 4 kHz) over 50 dB."""
PASS_HZ = 3700.0
SPEECH_DBFS = -19.0
"""Like our own prompts: two voices in one call must be equally loud."""
CEILING_DBFS = -1.5
QUIETEST_DBFS = -50.0
"""Active level below which a file holds no speech but the noise of its own room."""


class Unusable(Exception):
    """This recording cannot be played; the text says why in one sentence, Chinese · English."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the header of a WAV file says."""

    channels: int
    bits: int
    rate: int
    frames: int


def inspect(path: Path) -> Shape:
    """Read the header and judge it; the sound itself is not read.

    Raises:
        Unusable: not a WAV file of plain numbers, or of a shape that nobody records speech in.
    """
    try:
        with wave.open(str(path)) as sound:
            shape = Shape(sound.getnchannels(), sound.getsampwidth() * 8, sound.getframerate(), sound.getnframes())
    except (wave.Error, EOFError, OSError) as error:
        raise Unusable(
            f"不是未压缩的 PCM WAV 文件 · not an uncompressed PCM WAV file ({str(error) or 'ends early'})"
        ) from error
    if shape.rate not in RATES or shape.channels not in (1, 2) or shape.bits not in (8, 16, 24, 32):
        raise Unusable(
            f"{shape.rate} Hz、{shape.channels} 声道、{shape.bits} 位不能用，请存为 8000 至 48000 Hz、16 位 · "
            f"{shape.rate} Hz, {shape.channels} channels, {shape.bits} bit is not possible: save as 16 bit, 8 to 48 kHz"
        )
    if not shape.frames:
        raise Unusable("没有声音 · holds no sound")
    seconds = shape.frames / shape.rate
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise Unusable(
            f"长 {seconds:.1f} 秒，应为 {SHORTEST_S} 至 {LONGEST_S} 秒 · "
            f"{seconds:.1f} s long, but {SHORTEST_S} to {LONGEST_S} s are possible"
        )
    return shape


def to_alaw(path: Path) -> bytes:
    """The recording at 8 kHz, one channel, as loud as our own prompts.

    Raises:
        Unusable: it cannot be read, or nobody speaks in it.
    """
    shape = inspect(path)
    with wave.open(str(path)) as sound:
        samples = _mono(sound.readframes(shape.frames), shape)
    if len(samples) < SHORTEST_S * shape.rate:
        raise Unusable("文件不完整 · the file ends early")
    return encode(round(value) for value in _levelled(resample(samples, shape.rate)))


def _mono(data: bytes, shape: Shape) -> array[float]:
    """One channel, as numbers of 16-bit size."""
    width = shape.bits // 8
    data = data[: len(data) // (width * shape.channels) * width * shape.channels]
    if width == 1:
        values = array("f", ((byte - 128) * 256.0 for byte in data))
    elif width == 3:
        values = array(
            "f", (int.from_bytes(data[at : at + 3], "little", signed=True) / 256 for at in range(0, len(data), 3))
        )
    else:
        whole = array("h" if width == 2 else "i", data)
        if sys.byteorder == "big":
            whole.byteswap()
        values = array("f", (value if width == 2 else value / 65536 for value in whole))
    if shape.channels == 2:
        values = array("f", ((left + right) / 2 for left, right in zip(values[::2], values[1::2], strict=True)))
    return values


def resample(samples: array[float], rate: int) -> array[float]:
    """To 8 kHz, cutting off at 3.7 kHz; the same length in time."""
    if rate == RATE:
        return samples
    common = math.gcd(rate, RATE)
    up, down = RATE // common, rate // common
    half = math.ceil(LOBES * rate / RATE)
    filters = [_filter(phase / up, half, rate) for phase in range(up)]
    padded = array("f", bytes(4 * half)) + samples + array("f", bytes(4 * (half + 1)))
    out = array("f")
    for number in range(len(samples) * up // down):
        at, phase = divmod(number * down, up)
        out.append(sum(map(operator.mul, filters[phase], padded[at : at + 2 * half + 1])))
    return out


def _filter(offset: float, half: int, rate: int) -> array[float]:
    """A low pass for a point `offset` of a sample after a sample; its weights add up to one."""
    cut = 2 * PASS_HZ / rate
    weights = []
    for tap in range(-half, half + 1):
        x = tap - offset
        window = 0.54 + 0.46 * math.cos(math.pi * x / (half + 1))
        weights.append(window * (cut if x == 0 else math.sin(math.pi * cut * x) / (math.pi * x)))
    total = sum(weights)
    return array("f", (weight / total for weight in weights))


def _levelled(samples: array[float]) -> array[float]:
    clean = array("h", (round(min(max(value, -FULL_SCALE), FULL_SCALE - 1)) for value in samples))
    found = measure(clean)
    if found.speech_dbfs < QUIETEST_DBFS:
        raise Unusable("听不到说话声 · nobody is heard speaking")
    gain_db = min(SPEECH_DBFS - found.speech_dbfs, CEILING_DBFS - found.peak_dbfs)
    return array("f", (value * 10 ** (gain_db / 20) for value in samples))
