"""Puts the audio where one instance's Asterisk plays it, a centre's own recordings first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from .manifest import digest, write_whole
from .recording import Unusable, inspect, to_alaw

HEADERLESS = (".alaw", ".ulaw", ".gsm", ".sln")
WAVE = ".wav"
KNOWN = (*HEADERLESS, WAVE, ".mp3", ".m4a", ".aac", ".wma", ".ogg", ".opus", ".flac", ".amr")
"""Sound files; those that cannot be played are refused aloud rather than passed over."""
RECORD = ".installed"
"""Names put here by the last installation; only these are ever removed again."""
OWN = ".own.json"
"""Own recording -> checksum of the file it was made from: what has not changed is not made again at every start."""


@dataclass(frozen=True, slots=True)
class Installed:
    ours: tuple[str, ...]
    own: tuple[str, ...]
    """Prompts for which the centre's own recording is used."""
    refused: tuple[str, ...]
    """Own recordings that Asterisk could not play, each with the reason; ours stay in use."""
    unknown: tuple[str, ...] = ()
    """Own recordings that are called like no prompt of ours: a slip, or sounds of a dialplan of their own."""


def install_prompts(audio_dir: Path, own_dir: Path | None, target_dir: Path) -> Installed:
    """Copy every prompt of `audio_dir`; the same name in `own_dir`, in any telephone format or as WAV, wins.

    Copies, not links: an instance keeps speaking when a checkout or a USB stick goes away. Files
    that are already right are not touched, so this may run under a living Asterisk.
    """
    ours, before = _recordings(audio_dir), _made_from(target_dir)
    own: dict[str, Path] = {}
    refused: list[str] = []
    made_from: dict[str, str] = {}
    wanted = {f"{stem}{path.suffix.lower()}": path.read_bytes() for stem, path in ours.items()}
    for stem, path in _recordings(own_dir).items() if own_dir else ():
        try:
            name, data = _playable(stem, path, target_dir, before)
        except Unusable as reason:
            refused.append(f"{path.relative_to(own_dir or path)}: {reason}")
            continue
        own[stem] = path
        made_from[stem] = digest(path.read_bytes())
        for suffix in HEADERLESS:  # Asterisk would choose between two formats by itself
            wanted.pop(f"{stem}{suffix}", None)
        wanted[name] = data
    target_dir.mkdir(parents=True, exist_ok=True)
    for name, data in wanted.items():
        _put(data, target_dir / name)
    record = target_dir / RECORD
    installed = record.read_text(encoding="utf-8").splitlines() if record.is_file() else []
    for name in set(installed) - wanted.keys():
        (target_dir / name).unlink(missing_ok=True)
    write_whole(record, "".join(f"{name}\n" for name in sorted(wanted)).encode())
    write_whole(target_dir / OWN, (json.dumps(made_from, indent=1) + "\n").encode())
    unknown = tuple(sorted(own.keys() - ours.keys()))
    return Installed(tuple(sorted(ours.keys() - own.keys())), tuple(sorted(own)), tuple(refused), unknown)


def review(audio_dir: Path, own_dir: Path) -> Installed:
    """What `install_prompts` would say, judged by names and headers alone; nothing is written."""
    ours, own, refused = _recordings(audio_dir), [], []
    for stem, path in _recordings(own_dir).items():
        try:
            _check(path)
            own.append(stem)
        except Unusable as reason:
            refused.append(f"{path.relative_to(own_dir)}: {reason}")
    unknown = tuple(stem for stem in own if stem not in ours)
    return Installed(tuple(sorted(ours.keys() - set(own))), tuple(own), tuple(refused), unknown)


def own_recordings(target_dir: Path) -> frozenset[str]:
    """Prompts that this instance plays from the centre's own recordings."""
    return frozenset(_made_from(target_dir))


def _made_from(target_dir: Path) -> dict[str, str]:
    try:
        made_from = json.loads((target_dir / OWN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return made_from if isinstance(made_from, dict) else {}


def _playable(stem: str, path: Path, target_dir: Path, before: dict[str, str]) -> tuple[str, bytes]:
    """File name and bytes that Asterisk plays: headerless formats as they are, WAV of any usual shape as A-law."""
    _check(path)
    if path.suffix.lower() != WAVE:
        return f"{stem}{path.suffix.lower()}", path.read_bytes()
    made = target_dir / f"{stem}.alaw"
    if before.get(stem) == digest(path.read_bytes()) and made.is_file():
        return f"{stem}.alaw", made.read_bytes()
    return f"{stem}.alaw", to_alaw(path)


def _check(path: Path) -> None:
    """Nobody must hear silence instead of a prompt."""
    if path.stat().st_size == 0:
        raise Unusable("空文件 · empty file")
    if path.suffix.lower() == WAVE:
        inspect(path)
    elif path.suffix.lower() not in HEADERLESS:
        raise Unusable("这种格式不能用，请存为 WAV · this format cannot be played: save as WAV")


def _recordings(folder: Path) -> dict[str, Path]:
    """Prompt id to file. Two formats of one prompt: the last by name, so `.wav` wins."""
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".") and path.suffix.lower() in KNOWN
    }


def _put(data: bytes, target: Path) -> None:
    if not target.is_file() or target.read_bytes() != data:
        write_whole(target, data)
