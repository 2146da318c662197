"""What the recogniser sees: Kaldi's MFCC exactly as Vosk computes it from `conf/mfcc.conf`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .material import RATE, Sound

CEPSTRA = 40
LOW_HZ, HIGH_HZ = 120, -250
"""HIGH_HZ below half the sampling rate, as Kaldi writes it."""
FRAME_S = 0.01
FIRST_MIDDLE_S = 0.0125
"""Frames are 25 ms long: this is the middle of the first."""

MFCC_CONF = f"""--use-energy=false
--sample-frequency={RATE}
--num-mel-bins={CEPSTRA}
--num-ceps={CEPSTRA}
--low-freq={LOW_HZ}
--high-freq={HIGH_HZ}
--allow-upsample=true
--allow-downsample=true
"""

Frames = NDArray[np.float32]
"""One row of CEPSTRA numbers each 10 ms."""


def mfcc(sound: Sound) -> Frames:
    import kaldi_native_fbank as knf

    options: Any = knf.MfccOptions()
    options.frame_opts.samp_freq = RATE
    options.frame_opts.snip_edges = True
    options.frame_opts.dither = 1.0
    options.mel_opts.num_bins = CEPSTRA
    options.mel_opts.low_freq = LOW_HZ
    options.mel_opts.high_freq = HIGH_HZ
    options.num_ceps = CEPSTRA
    options.use_energy = False
    computer = knf.OnlineMfcc(options)
    computer.accept_waveform(RATE, (sound * 32768).astype(np.float32).tolist())
    computer.input_finished()
    rows = [computer.get_frame(number) for number in range(computer.num_frames_ready)]
    return np.array(rows, np.float32).reshape(-1, CEPSTRA)


def middles(frames: int) -> NDArray[np.float64]:
    """The moment in seconds that each frame stands for."""
    return np.arange(frames, dtype=np.float64) * FRAME_S + FIRST_MIDDLE_S
