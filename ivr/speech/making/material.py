"""Utterances on disk: 8 kHz WAV files and one manifest line each."""

from __future__ import annotations

import json
import wave
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 8000
Sound = NDArray[np.float64]
"""Samples between -1 and 1, 8 kHz unless said otherwise."""


@dataclass(frozen=True, slots=True)
class Utterance:
    file: str
    """Name of the WAV file beside the manifest."""
    text: str
    reading: list[list[list[str]]]
    voice: str
    seconds: float
    spans: list[tuple[float, float, float]] | None = None
    """Per syllable: begin, begin of the final, end, in seconds; only where the synthesiser says so."""


class Corpus:
    """One folder of utterances; writing goes on where it was interrupted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._manifest = folder / "manifest.jsonl"

    def __iter__(self) -> Iterator[Utterance]:
        if self._manifest.is_file():
            for line in self._manifest.read_text(encoding="utf-8").splitlines():
                yield Utterance(**json.loads(line))

    def add(self, utterance: Utterance, sound: Sound) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_wav(self.folder / utterance.file, sound)
        with self._manifest.open("a", encoding="utf-8") as out:
            out.write(json.dumps(asdict(utterance), ensure_ascii=False) + "\n")

    def sound(self, utterance: Utterance) -> Sound:
        return read_wav(self.folder / utterance.file)


def write_wav(path: Path, sound: Sound) -> None:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(to_pcm(sound).tobytes())


def read_wav(path: Path) -> Sound:
    with wave.open(str(path), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float64) / 32768


def to_pcm(sound: Sound) -> NDArray[Any]:
    return np.clip(np.rint(sound * 32767), -32768, 32767).astype(np.int16)
