"""Makes the prompts' audio with Kokoro, ahead of time; a call never waits for synthesis.

The only module that knows Kokoro, onnxruntime, numpy and scipy. One thread, no randomness: the
same text gives the same file on the same kind of machine.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Collection, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from .alaw import RATE, active_level, decibels, encode
from .catalogue import Prompt
from .manifest import Entry, digest, entry_for, read_manifest, write_manifest, write_whole
from .tools import KokoroFiles, Progress, kokoro_files, missing_packages

try:
    import numpy as np
    import onnxruntime
    from misaki.zh import ZHG2P
    from numpy.typing import NDArray
    from scipy.ndimage import minimum_filter1d
    from scipy.signal import butter, fftconvolve, firwin, sosfiltfilt
except ImportError as error:
    raise missing_packages(error) from error

Sound = NDArray[np.float64]

KOKORO_RATE = 24000
CLAUSE = re.compile(r"(?:[^，。！？]|，(?=请))+[，。！？]?")
"""Spoken one by one: Kokoro itself leaves 0 to 0.1 s at most commas, too little to follow on a bad line.
A clause that begins with 请 stays with the one before it: spoken alone it was misheard (听, 心)."""
SENTENCE_PAUSE_S = 0.6
VOICED = frozenset("mnlɻɥjwiuyaəɤeoɛɚʊœ")
"""Sounds that a clause may begin with in full voice; before all others a hum is not speech."""
BLIP_FRAMES = 11
COMMA_FRAMES = 6
COMMA_WITHIN_S = 0.4
VOICE_BELOW_HZ = 800.0
QUIET_DB = 30.0
LEAD_S, TAIL_S = 0.04, 0.15
BAND_HZ = (280.0, 3450.0)
SPEECH_DBFS = -19.0
CEILING_DBFS = -1.8


class Kokoro:
    def __init__(self, files: KokoroFiles) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(files.model), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._vocabulary: dict[str, int] = json.loads(files.vocabulary.read_text(encoding="utf-8"))["vocab"]
        self._files = files
        logging.getLogger("jieba").setLevel(logging.WARNING)
        self._phonemes = ZHG2P()

    def style(self, voice: str) -> Any:
        styles = [np.frombuffer(self._files.voice(name), np.float32).reshape(-1, 256) for name in voice.split("+")]
        return np.mean(styles, axis=0, dtype=np.float32)

    def say(self, text: str, style: Any, speed: float) -> Sound:
        phonemes, _ = self._phonemes(text)
        tokens = [self._vocabulary[sign] for sign in phonemes if sign in self._vocabulary]
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": style[min(len(tokens), len(style)) - 1].reshape(1, 256),
            "speed": np.array([speed], np.float32),
        }
        sound = np.asarray(self._session.run(None, inputs)[0], np.float64).ravel()
        return sound if phonemes[0] in VOICED else without_blip(sound)


def build(
    catalogue: Mapping[str, Prompt],
    prompts_dir: Path,
    tools_dir: Path,
    *,
    only: Collection[str] | None = None,
    progress: Progress = print,
) -> list[str]:
    """Make what changed (or what `only` names); returns the ids made."""
    entries = {name: entry for name, entry in read_manifest(prompts_dir).items() if name in catalogue}
    wanted = [
        prompt
        for prompt in catalogue.values()
        if (prompt.id in only if only is not None else _outdated(prompt, entries.get(prompt.id), prompts_dir))
    ]
    if wanted:
        kokoro = Kokoro(kokoro_files(tools_dir, progress))
        for number, prompt in enumerate(wanted, 1):
            audio = render(kokoro, prompt)
            entries[prompt.id] = entry = entry_for(prompt, audio)
            write_whole(prompt.audio_path(prompts_dir), audio)
            write_manifest(prompts_dir, entries)
            progress(f"{number}/{len(wanted)} {prompt.id} {entry.seconds:.1f} s {entry.speech_dbfs:.1f} dBFS")
    write_manifest(prompts_dir, entries)
    return [prompt.id for prompt in wanted]


def _outdated(prompt: Prompt, entry: Entry | None, prompts_dir: Path) -> bool:
    path = prompt.audio_path(prompts_dir)
    if entry is None or not entry.agrees_with(prompt) or not path.is_file():
        return True
    return digest(path.read_bytes()) != entry.audio_sha256


def render(kokoro: Kokoro, prompt: Prompt) -> bytes:
    """One prompt as A-law: sentences with real pauses, telephone band, even loudness."""
    style = kokoro.style(prompt.voice)
    joined: list[Sound] = []
    for clause in CLAUSE.findall(prompt.text):
        pause_s = prompt.pause_s if clause.endswith("，") else SENTENCE_PAUSE_S
        spoken = kokoro.say(clause, style, prompt.speed)
        joined += [
            widen_comma(trim(spoken, KOKORO_RATE, 0.01, 0.04), clause, prompt.pause_s),
            np.zeros(round(pause_s * KOKORO_RATE)),
        ]
    sound = telephone_band(np.concatenate(joined[:-1]))
    sound = level(trim(sound, RATE, LEAD_S, TAIL_S))
    return encode(np.rint(sound * 32768).astype(int).tolist())


def _loud(sound: Sound, rate: int) -> NDArray[np.bool_]:
    """Per 10 ms: is there speech?"""
    size = rate // 100
    frames = sound[: len(sound) // size * size].reshape(-1, size)
    rms = np.sqrt(np.mean(frames**2, axis=1))
    return np.asarray(rms > active_level(rms.tolist()) * 10 ** (-QUIET_DB / 20))


def without_blip(sound: Sound) -> Sound:
    """Cut the hum of 50 to 100 ms that slow Kokoro puts before a voiceless sound (请 was heard as 也请).

    The hum stands apart: low voice, then none (the sound itself), then the vowel.
    """
    size = KOKORO_RATE // 100
    low = sosfiltfilt(butter(4, VOICE_BELOW_HZ, fs=KOKORO_RATE, output="sos"), sound)
    frames = low[: len(low) // size * size].reshape(-1, size)
    voice_db = 20 * np.log10(np.sqrt(np.mean(frames**2, axis=1)) + 1e-9)
    voiced = (voice_db > np.max(voice_db) - 18).tolist()
    begin = voiced.index(True)
    if all(voiced[begin : begin + BLIP_FRAMES]):
        return sound
    end = voiced.index(False, begin)
    return sound[end * size :] if any(voiced[end : end + 30]) else sound


def trim(sound: Sound, rate: int, lead_s: float, tail_s: float) -> Sound:
    """Silence before and after cut or padded to exactly this much, with soft edges."""
    places = np.flatnonzero(_loud(sound, rate))
    lead, tail, size = round(lead_s * rate), round(tail_s * rate), rate // 100
    padded = np.pad(sound, (lead, tail))
    cut = padded[places[0] * size : (places[-1] + 1) * size + lead + tail].copy()
    fade = np.linspace(0.0, 1.0, size // 2)
    cut[: len(fade)] *= fade
    cut[-len(fade) :] *= fade[::-1]
    return cut


def widen_comma(sound: Sound, clause: str, pause_s: float) -> Sound:
    """The comma left inside a clause (before 请): its quiet moment, near where the text says, gets longer."""
    before, comma, after = clause.rstrip("，。！？").partition("，")
    if not comma:
        return sound
    expected = len(before) / len(before + after) * len(sound) / KOKORO_RATE
    places = np.flatnonzero(_loud(sound, KOKORO_RATE)).tolist()
    quiet = [
        (end - start - 1, (start + end + 1) // 2)
        for start, end in pairwise(places)
        if end - start > COMMA_FRAMES and abs((start + end) / 200 - expected) < COMMA_WITHIN_S
    ]
    if not quiet:
        return sound
    frames, middle = max(quiet)
    at = middle * (KOKORO_RATE // 100)
    rest = np.zeros(max(0, round((pause_s - frames / 100) * KOKORO_RATE)))
    return np.concatenate([sound[:at], rest, sound[at:]])


def telephone_band(sound: Sound) -> Sound:
    taps = firwin(601, BAND_HZ, pass_zero=False, fs=KOKORO_RATE)
    return np.asarray(fftconvolve(sound, taps, "same")[:: KOKORO_RATE // RATE])


def level(sound: Sound) -> Sound:
    """Bring speech to its level; a limiter with look-ahead keeps the peaks below the ceiling."""
    for _ in range(4):
        size = RATE // 100
        frames = sound[: len(sound) // size * size].reshape(-1, size)
        now = decibels(active_level(np.sqrt(np.mean(frames**2, axis=1)).tolist()))
        sound = limit(sound * 10 ** ((SPEECH_DBFS - now) / 20))
    return sound


def limit(sound: Sound) -> Sound:
    reach = RATE // 200
    ceiling = 10 ** (CEILING_DBFS / 20)
    gain = np.minimum(1.0, ceiling / np.maximum(np.abs(sound), 1e-9))
    held = minimum_filter1d(gain, 2 * reach + 1, mode="nearest")
    window = np.hanning(2 * reach + 1)
    smooth = np.convolve(np.pad(held, reach, mode="edge"), window / window.sum(), "valid")
    return np.asarray(sound * smooth)
