"""Puts the audio where one instance's Asterisk plays it, a centre's own recordings first."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

from .alaw import RATE
from .manifest import write_whole

HEADERLESS = (".alaw", ".ulaw", ".gsm", ".sln")
WAVE = ".wav"
RECORD = ".installed"
"""Names put here by the last installation; only these are ever removed again."""


@dataclass(frozen=True, slots=True)
class Installed:
    ours: tuple[str, ...]
    own: tuple[str, ...]
    """Prompts for which the centre's own recording is used."""
    refused: tuple[str, ...]
    """Own recordings that Asterisk could not play, each with the reason; ours stay in use."""


def install_prompts(audio_dir: Path, own_dir: Path | None, target_dir: Path) -> Installed:
    """Copy every prompt of `audio_dir`; the same name in `own_dir`, in any telephone format, wins.

    Copies, not links: an instance keeps speaking when a checkout or a USB stick goes away. Files
    that are already right are not touched, so this may run under a living Asterisk.
    """
    ours, own, refused = _recordings(audio_dir), {}, []
    for stem, path in _recordings(own_dir).items() if own_dir else ():
        if reason := unplayable(path):
            refused.append(f"{path.relative_to(own_dir or path)}: {reason}")
        else:
            own[stem] = path
    wanted = {f"{stem}{path.suffix.lower()}": path for stem, path in (ours | own).items()}
    target_dir.mkdir(parents=True, exist_ok=True)
    for name, path in wanted.items():
        _put(path, target_dir / name)
    record = target_dir / RECORD
    before = record.read_text(encoding="utf-8").splitlines() if record.is_file() else []
    for name in set(before) - wanted.keys():
        (target_dir / name).unlink(missing_ok=True)
    write_whole(record, "".join(f"{name}\n" for name in sorted(wanted)).encode())
    return Installed(tuple(sorted(ours.keys() - own.keys())), tuple(sorted(own)), tuple(refused))


def unplayable(path: Path) -> str:
    """Why Asterisk could not play this file; empty when it can. Nobody must hear silence instead."""
    if path.stat().st_size == 0:
        return "空文件 · empty file"
    if path.suffix.lower() != WAVE:
        return ""
    try:
        with wave.open(str(path)) as sound:
            found = (sound.getnchannels(), sound.getsampwidth() * 8, sound.getframerate())
            empty = sound.getnframes() == 0
    except (wave.Error, EOFError) as error:
        return f"不是 WAV 文件 · not a PCM WAV file ({error})"
    if found != (1, 16, RATE):
        return "需要单声道 16 位 8000 Hz，实为 · must be 1 channel, 16 bit, 8000 Hz, but is {}, {}, {}".format(*found)
    return "没有声音 · holds no sound" if empty else ""


def _recordings(folder: Path) -> dict[str, Path]:
    """Prompt id to file. Two formats of one prompt: the last by name, so `.wav` wins."""
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix.lower() in (*HEADERLESS, WAVE) and not path.name.startswith(".")
    }


def _put(source: Path, target: Path) -> None:
    data = source.read_bytes()
    if not target.is_file() or target.read_bytes() != data:
        write_whole(target, data)
