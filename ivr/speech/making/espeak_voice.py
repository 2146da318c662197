"""espeak-ng speaking Mandarin from numbered Pinyin: a formant synthesiser, nearly free, many throats.

The program is GPL; what it says is its output.
"""

from __future__ import annotations

import io
import subprocess
import wave

import numpy as np
from scipy.signal import resample_poly

from .material import RATE, Sound
from .reading import Reading

FULL_SCALE = 32768


def say(reading: Reading, variant: str, *, pitch: int = 50, words_per_minute: int = 150) -> Sound:
    text = " , ".join(" ".join(syllable for word in run for syllable in word) for run in reading)
    voice = f"cmn-latn-pinyin+{variant}"
    command = ["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(words_per_minute), "--stdout", text]
    spoken = subprocess.run(command, check=True, capture_output=True).stdout
    with wave.open(io.BytesIO(spoken)) as file:
        rate = file.getframerate()
        # Written to a pipe, the header's length is a guess: what is there is read.
        samples = np.frombuffer(spoken[44:][: (len(spoken) - 44) // 2 * 2], np.int16)
    return np.asarray(resample_poly(samples.astype(np.float64) / FULL_SCALE, RATE // 50, rate // 50))
