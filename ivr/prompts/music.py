"""Music on hold, made here so that no rights are owed: 茉莉花 (traditional) on soft bells, with voice.

`queue.alaw`: music, then a spoken word, in turn. `emergency.alaw`: mostly voice, a bell between, so
that an elder alone in an emergency room never takes silence for a dead line. Standard library only.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Sequence
from pathlib import Path

from .alaw import FULL_SCALE, RATE, decode, encode
from .manifest import digest, write_whole

RECIPE = 1
MUSIC_DBFS = -26.0
BEAT_S = 1.0
DOH_HZ = 466.16
"""B flat: the tune lies between 350 and 930 Hz, inside the telephone band, where old ears hear best."""
SEMITONES = {"5,": -5, "6,": -3, "1": 0, "2": 2, "3": 4, "5": 7, "6": 9, "1'": 12}
PARTIALS = ((1.0, 1.0, 1.1), (2.0, 0.32, 0.6), (3.0, 0.10, 0.35), (4.2, 0.04, 0.18))
"""Frequency ratio, strength, decay in seconds: a soft bell."""
RING_S = 2.4
ATTACK_S = 0.012
BREATH_S = 0.5

# 简谱 · numbered notation: degree, beats.
JASMINE = (
    "3:1 3:.5 5:.5 6:.5 1':.5 1':.5 6:.5 5:1 5:.5 6:.5 5:2 " * 2,
    "5:1 5:1 5:1 3:.5 5:.5 6:1 6:1 5:2 3:1 2:.5 3:.5 5:1 3:.5 2:.5 1:1 1:.5 2:.5 1:2",
    "3:.5 2:.5 1:.5 3:.5 2:1.5 3:.5 5:1 6:.5 1':.5 5:2 2:1 3:.5 5:.5 2:.5 3:.5 1:.5 6,:.5 5,:2",
)
QUEUE = (
    (JASMINE[0], "queue/all_busy"),
    (JASMINE[1], "queue/still_waiting"),
    (JASMINE[2], "queue/danger_say_so"),
)
EMERGENCY = (
    ("5:1 3:1", "room/please_wait"),
    ("3:1 5:1 6:1 5:1", "room/stay_calm"),
    ("5:1 3:1 2:1 3:1", "room/please_wait"),
    ("3:1 5:1 3:1 1:1", "room/stay_calm"),
)
FILES = {"queue": QUEUE, "emergency": EMERGENCY}

Score = Sequence[tuple[str, str]]


def build_music(prompts_dir: Path) -> list[Path]:
    """Make both files from the tune and the spoken prompts as they are now."""
    made = []
    for name, score in FILES.items():
        path = prompts_dir / "moh" / f"{name}.alaw"
        write_whole(path, compose(score, prompts_dir))
        made.append(path)
    manifest = {name: sources(score, prompts_dir) for name, score in FILES.items()}
    write_whole(prompts_dir / "moh" / "manifest.json", (json.dumps(manifest, indent=1) + "\n").encode())
    return made


def own_music(sounds_dir: Path, target_dir: Path, own: frozenset[str]) -> dict[str, Path]:
    """Where a centre has recorded a prompt anew, the music speaks it too. Name of the file -> where it was made.

    `sounds_dir` holds the audio that this instance plays (`zh_CN/` inside). Made once (about 3 s), then only after a
    change. A recording in a format other than A-law stays out of the music.
    """
    made = {}
    for name, score in FILES.items():
        if not own.intersection(prompt for _, prompt in score):
            continue
        path, note = target_dir / f"{name}.alaw", target_dir / f"{name}.json"
        try:
            made_from = sources(score, sounds_dir)
        except OSError:
            continue
        try:
            current = path.is_file() and json.loads(note.read_text(encoding="utf-8")) == made_from
        except (OSError, ValueError):
            current = False
        if not current:
            write_whole(path, compose(score, sounds_dir))
            write_whole(note, json.dumps(made_from).encode())
        made[name] = path
    return made


def music_is_current(prompts_dir: Path) -> bool:
    """Both files are there and speak the prompts as they are now."""
    folder = prompts_dir / "moh"
    if not all((folder / f"{name}.alaw").is_file() for name in FILES):
        return False
    try:
        made_from = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(made_from == {name: sources(score, prompts_dir) for name, score in FILES.items()})


def sources(score: Score, prompts_dir: Path) -> dict[str, str | int]:
    """What a file was made from: each spoken prompt's audio, and the recipe."""
    spoken = {prompt: digest(_audio(prompt, prompts_dir)) for _, prompt in score}
    return {"recipe": RECIPE, **spoken}


def compose(score: Score, prompts_dir: Path) -> bytes:
    breath = array("h", bytes(2 * round(BREATH_S * RATE)))
    whole = array("h")
    for tune, prompt in score:
        whole += play(tune) + decode(_audio(prompt, prompts_dir)) + breath
    return encode(whole)


def play(tune: str) -> array[int]:
    """One line of the tune, its last bell fading out, at the level of music behind a telephone."""
    notes = [(degree, float(beats)) for degree, _, beats in (note.partition(":") for note in tune.split())]
    length = round((sum(beats for _, beats in notes) * BEAT_S + BREATH_S) * RATE)
    mix = [0.0] * length
    at = 0.0
    for degree, beats in notes:
        _strike(mix, round(at * RATE), DOH_HZ * 2 ** (SEMITONES[degree] / 12))
        at += beats * BEAT_S
    fade = round(BREATH_S * RATE)
    for back in range(fade):
        mix[length - 1 - back] *= back / fade
    rms = math.sqrt(sum(value * value for value in mix) / length)
    gain = 10 ** (MUSIC_DBFS / 20) * FULL_SCALE / rms
    return array("h", (round(value * gain) for value in mix))


def _strike(mix: list[float], at: int, frequency: float) -> None:
    attack = ATTACK_S * RATE
    for ratio, strength, decay_s in PARTIALS:
        step = 2 * math.pi * frequency * ratio / RATE
        fall = math.exp(-1 / (decay_s * RATE))
        loudness = strength
        for n in range(min(round(RING_S * RATE), len(mix) - at)):
            mix[at + n] += loudness * min(1.0, n / attack) * math.sin(step * n)
            loudness *= fall


def _audio(prompt: str, prompts_dir: Path) -> bytes:
    return (prompts_dir / "zh_CN" / f"{prompt}.alaw").read_bytes()
