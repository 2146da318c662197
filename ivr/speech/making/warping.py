"""Other throats and lines made while training: one affine map of the cepstra per chunk of frames.

MFCC are a fixed linear map of log mel energies, so a moved spectrum (vocal-tract length), an equaliser
and a missing band can be computed on them directly; against the real computation the error was 7e-5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .front_end import CEPSTRA, HIGH_HZ, LOW_HZ
from .material import RATE

Matrix = NDArray[np.float32]
LIFTER = 22
FACTORS = np.linspace(0.82, 1.22, 17)
LINEAR_BELOW_HZ, TOP_HZ = 2800.0, 3850.0


def _mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1127 * np.log(1 + hertz / 700))


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(700 * (np.exp(mel / 1127) - 1))


def _to_cepstra() -> NDArray[np.float64]:
    """log mel energies (a row) @ this = MFCC: DCT-II and Kaldi's lifter."""
    number, place = np.arange(CEPSTRA)[:, None], np.arange(CEPSTRA)[None]
    transform = np.sqrt(2 / CEPSTRA) * np.cos(np.pi / CEPSTRA * (place + 0.5) * number)
    transform[0] = np.sqrt(1 / CEPSTRA)
    return np.asarray(transform.T * (1 + LIFTER / 2 * np.sin(np.pi * np.arange(CEPSTRA) / LIFTER)))


TO_CEPSTRA = _to_cepstra().astype(np.float32)
TO_MEL = np.linalg.inv(_to_cepstra()).astype(np.float32)
_LOW, _HIGH = _mel(np.array([float(LOW_HZ), RATE / 2 + HIGH_HZ]))
CENTRES = _LOW + (np.arange(CEPSTRA) + 1) * (_HIGH - _LOW) / (CEPSTRA + 1)


def warp(factor: float) -> Matrix:
    """Bin j takes what was heard at `factor` times its frequency."""
    hertz = _hertz(CENTRES)
    above = (TOP_HZ - LINEAR_BELOW_HZ * factor) / (TOP_HZ - LINEAR_BELOW_HZ)
    bent = LINEAR_BELOW_HZ * factor + (hertz - LINEAR_BELOW_HZ) * above
    source = np.where(hertz < LINEAR_BELOW_HZ, hertz * factor, bent)
    places = np.clip((_mel(source) - CENTRES[0]) / (CENTRES[1] - CENTRES[0]), 0, CEPSTRA - 1.001)
    lower = places.astype(int)
    matrix = np.zeros((CEPSTRA, CEPSTRA), np.float32)
    matrix[lower, np.arange(CEPSTRA)] += 1 - (places - lower)
    matrix[lower + 1, np.arange(CEPSTRA)] += places - lower
    return matrix


WARPS = np.stack([warp(float(factor)) for factor in FACTORS])


def random_maps(count: int, rng: np.random.RandomState, mean_mel: Matrix) -> tuple[Matrix, Matrix]:
    """`count` matrices and offsets: cepstra @ matrix + offset; masked bands become the mean energy."""
    plain = np.eye(CEPSTRA, dtype=np.float32)[None]
    warps = np.where((rng.rand(count) < 0.75)[:, None, None], WARPS[rng.randint(0, len(WARPS), count)], plain)
    knots = rng.uniform(-1.2, 1.2, (count, 6)) * (rng.rand(count, 1) < 0.7)
    places, corners = np.arange(CEPSTRA), np.linspace(0, CEPSTRA - 1, 6)
    equaliser = np.stack([np.interp(places, corners, row) for row in knots])
    equaliser += rng.uniform(-2, 1, (count, 1)) * (rng.rand(count, 1) < 0.5)
    kept = np.ones((count, CEPSTRA), np.float32)
    for row in kept:
        for _ in range(rng.randint(1, 3) if rng.rand() < 0.6 else 0):
            width = rng.randint(1, 7)
            start = rng.randint(0, CEPSTRA - width)
            row[start : start + width] = 0
    matrices = (TO_MEL[None] @ warps * kept[:, None, :]) @ TO_CEPSTRA[None]
    offsets = (equaliser * kept + (1 - kept) * mean_mel[None]) @ TO_CEPSTRA
    return matrices.astype(np.float32), offsets.astype(np.float32)
