"""What each audio file was made from, so that text and audio cannot drift apart unseen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from .alaw import decode, measure
from .catalogue import Prompt

RECIPE = 3
"""Raised when the sound of an unchanged text changes (filter, level, pauses): then all is made anew."""


@dataclass(frozen=True, slots=True)
class Entry:
    text_sha256: str
    voice: str
    speed: float
    pause_s: float
    recipe: int
    audio_sha256: str
    seconds: float
    speech_dbfs: float
    peak_dbfs: float

    def agrees_with(self, prompt: Prompt) -> bool:
        """The audio was made from this text, in this voice, at this pace."""
        made_from = (self.text_sha256, self.voice, self.speed, self.pause_s, self.recipe)
        return made_from == (digest(prompt.text.encode()), prompt.voice, prompt.speed, prompt.pause_s, RECIPE)


def entry_for(prompt: Prompt, audio: bytes) -> Entry:
    measured = measure(decode(audio))
    return Entry(
        text_sha256=digest(prompt.text.encode()),
        voice=prompt.voice,
        speed=prompt.speed,
        pause_s=prompt.pause_s,
        recipe=RECIPE,
        audio_sha256=digest(audio),
        seconds=round(measured.seconds, 2),
        speech_dbfs=round(measured.speech_dbfs, 1),
        peak_dbfs=round(measured.peak_dbfs, 1),
    )


def manifest_path(prompts_dir: Path) -> Path:
    return prompts_dir / "zh_CN" / "manifest.json"


def read_manifest(prompts_dir: Path) -> dict[str, Entry]:
    """Empty when there is none, or when it was written by another version."""
    try:
        data = json.loads(manifest_path(prompts_dir).read_text(encoding="utf-8"))
        return {prompt_id: Entry(**entry) for prompt_id, entry in data.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write_manifest(prompts_dir: Path, entries: dict[str, Entry]) -> None:
    path = manifest_path(prompts_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {prompt_id: asdict(entries[prompt_id]) for prompt_id in sorted(entries)}
    write_whole(path, (json.dumps(data, indent=1) + "\n").encode())


def write_whole(path: Path, data: bytes) -> None:
    """A file is there whole or not at all, also when the machine stops in between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(data)
    temporary.replace(path)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
