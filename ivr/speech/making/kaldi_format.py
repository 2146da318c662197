"""Kaldi's binary notation: tokens, numbers, vectors and matrices as `am/final.mdl` holds them.

After Kaldi's sources (base/io-funcs, matrix/kaldi-matrix); little endian.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

BINARY = b"\0B"
"""How a binary file begins."""
EMPTY_DOUBLE = b"\x08" + struct.pack("<d", 0.0)


def token(text: str) -> bytes:
    return text.encode() + b" "


def integer(value: int) -> bytes:
    return b"\x04" + struct.pack("<i", value)


def real(value: float) -> bytes:
    return b"\x04" + struct.pack("<f", value)


def integers(values: Sequence[int]) -> bytes:
    return b"\x04" + struct.pack("<i", len(values)) + np.asarray(values, "<i4").tobytes()


def vector(values: ArrayLike) -> bytes:
    row = np.asarray(values, "<f4")
    return token("FV") + integer(len(row)) + row.tobytes()


def matrix(values: ArrayLike) -> bytes:
    rows = np.ascontiguousarray(values, "<f4")
    return token("FM") + integer(rows.shape[0]) + integer(rows.shape[1]) + rows.tobytes()


def read_integer(data: bytes, at: int) -> tuple[int, int]:
    """The number at this place, and where the next thing begins."""
    if data[at] != 4:
        raise ValueError(f"no 32-bit number at byte {at}")
    return struct.unpack_from("<i", data, at + 1)[0], at + 5
