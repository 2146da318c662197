"""Telephone codecs, there and back: A-law and µ-law steps, and GSM 06.10 through the system's libgsm."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np

from ivr.prompts.alaw import decode

from .material import Sound

FULL_SCALE = 32768
MU = 255.0
GSM_FRAME = 160
GSM_BYTES = 33


class ToolsMissing(Exception):
    """The model cannot be made here; the text says in one sentence what is missing."""


@cache
def _alaw_levels() -> Sound:
    return np.sort(np.array(decode(bytes(range(256))), np.float64)) / FULL_SCALE


@cache
def _ulaw_levels() -> Sound:
    half = (np.power(1 + MU, np.arange(128) / 127) - 1) / MU
    return np.concatenate([-half[:0:-1], half])


def _nearest(sound: Sound, levels: Sound) -> Sound:
    at = np.searchsorted((levels[1:] + levels[:-1]) / 2, sound)
    return levels[at]


def alaw(sound: Sound) -> Sound:
    return _nearest(sound, _alaw_levels())


def ulaw(sound: Sound) -> Sound:
    return _nearest(sound, _ulaw_levels())


@cache
def _libgsm() -> Any:
    try:
        library = ctypes.CDLL("libgsm.so.1")
    except OSError as error:
        raise ToolsMissing("缺少 libgsm · libgsm is missing: apt-get install libgsm1") from error
    library.gsm_create.restype = ctypes.c_void_p
    for function in (library.gsm_encode, library.gsm_decode):
        function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    library.gsm_destroy.argtypes = [ctypes.c_void_p]
    return library


def gsm(sound: Sound) -> Sound:
    library = _libgsm()
    whole = -(-len(sound) // GSM_FRAME) * GSM_FRAME
    samples = np.zeros(whole, np.int16)
    samples[: len(sound)] = np.clip(sound * FULL_SCALE, -FULL_SCALE, FULL_SCALE - 1)
    heard = np.zeros_like(samples)
    frame = ctypes.create_string_buffer(GSM_BYTES)
    encoder, decoder = library.gsm_create(), library.gsm_create()
    try:
        for at in range(0, whole * 2, GSM_FRAME * 2):
            library.gsm_encode(encoder, samples.ctypes.data + at, frame)
            library.gsm_decode(decoder, frame, heard.ctypes.data + at)
    finally:
        library.gsm_destroy(encoder)
        library.gsm_destroy(decoder)
    return heard[: len(sound)].astype(np.float64) / FULL_SCALE
