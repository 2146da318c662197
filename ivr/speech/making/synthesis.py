"""The corpora: training speech of Kokoro and espeak-ng, and test speech of voices never trained on."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np

from ivr.prompts.tools import kokoro_files

from . import espeak_voice
from .kokoro_voice import KokoroVoice
from .material import RATE, Corpus, Sound, Utterance
from .reading import read
from .texts import Speaker, texts
from .voices import ESPEAK_TESTS, ESPEAK_TRAINING, KOKORO_TESTS, kokoro_training

Progress = Callable[[str], None]
KOKORO, ESPEAK = "kokoro", "espeak"
DOMAIN, UNSEEN = "domain", "unseen"
KOKORO_CHARACTERS = 12
"""Kokoro adds a second of silence to whatever it says, and silence costs as much as speech: long utterances are cut
into phrases later, where they are turned into features."""
REPORT_EVERY = 50


def train_kokoro(folder: Path, tools_dir: Path, minutes: float, seed: int, progress: Progress) -> None:
    """Goes on until there are so many minutes of speech; it may be stopped and started at any time."""
    corpus = Corpus(folder)
    done = list(corpus)
    seconds = sum(utterance.seconds for utterance in done)
    # A run that goes on must not say the same again: the seed moves with what is there.
    rng, speaker = random.Random(seed + len(done)), Speaker(seed + len(done))
    kokoro = KokoroVoice(kokoro_files(tools_dir, progress))
    number, begun = len(done), time.monotonic()
    while seconds < minutes * 60:
        text, voice, speed = speaker.say(KOKORO_CHARACTERS), kokoro_training(rng), rng.uniform(0.85, 1.35)
        reading = read(text)
        spoken = kokoro.say(reading, voice, speed)
        length = len(spoken.sound) / RATE
        name = f"{number:05d}.wav"
        corpus.add(Utterance(name, text, reading, voice, length, spoken.spans), spoken.sound)
        seconds, number = seconds + length, number + 1
        if number % REPORT_EVERY == 0:
            progress(f"kokoro {number} utterances, {seconds / 60:.1f} min, {time.monotonic() - begun:.0f} s")


def train_espeak(folder: Path, minutes: float, seed: int, progress: Progress) -> None:
    corpus = Corpus(folder)
    done = list(corpus)
    seconds, number = sum(utterance.seconds for utterance in done), len(done)
    rng, speaker = random.Random(seed + number), Speaker(seed + number)
    while seconds < minutes * 60:
        text, voice = speaker.say(), rng.choice(ESPEAK_TRAINING)
        reading = read(text)
        sound = espeak_voice.say(reading, voice, pitch=rng.randint(20, 80), words_per_minute=rng.randint(110, 210))
        if not _audible(sound):
            continue
        corpus.add(Utterance(f"{number:05d}.wav", text, reading, voice, len(sound) / RATE), sound)
        seconds, number = seconds + len(sound) / RATE, number + 1
        if number % (REPORT_EVERY * 10) == 0:
            progress(f"espeak {number} utterances, {seconds / 60:.1f} min")


def test_sets(folder: Path, tools_dir: Path, progress: Progress) -> None:
    """Domain phrases by every voice kept back; unseen phrases by these voices in turn."""
    kokoro: KokoroVoice | None = None
    for synthesiser, voices in ((ESPEAK, ESPEAK_TESTS), (KOKORO, KOKORO_TESTS)):
        for name, pairs in ((UNSEEN, _in_turn(voices)), (DOMAIN, product(texts().domain, voices))):
            corpus = Corpus(folder / f"{synthesiser}-{name}")
            there = {utterance.file for utterance in corpus}
            for number, (text, voice) in enumerate(pairs):
                file = f"{number:03d}.wav"
                if file in there:
                    continue
                reading = read(text)
                if synthesiser == KOKORO:
                    kokoro = kokoro or KokoroVoice(kokoro_files(tools_dir, progress))
                    sound = kokoro.say(reading, voice, 1.0).sound
                else:
                    sound = espeak_voice.say(reading, voice)
                corpus.add(Utterance(file, text, reading, voice, len(sound) / RATE), sound)
            progress(f"{corpus.folder.name}: {len(list(corpus))} utterances")


def _in_turn(voices: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for number, text in enumerate(texts().unseen):
        yield text, voices[number % len(voices)]


def _audible(sound: Sound) -> bool:
    return len(sound) > RATE // 8 and bool(np.sqrt(np.mean(sound**2)) > 1e-3)
