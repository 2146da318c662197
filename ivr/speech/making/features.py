"""Material to training data: labels for clean speech, then many disturbed copies with the labels moved along."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .alignment import Aligned, from_spans, spoken_sounds, viterbi
from .channel import disturb
from .front_end import FIRST_MIDDLE_S, FRAME_S, Frames, mfcc, middles
from .material import RATE, Corpus, Sound

LEAD_S, TAIL_S = 0.15, 0.2
"""Silence put around clean speech before it is aligned."""
SPEECH_RMS = 0.08
LAST_SYLLABLE_S = 0.3
"""Kokoro counts the silence at the end to the last syllable."""
WORST_SCORE = -2.2
"""Below this mean log-likelihood the text is not what was said (a tenth of a per cent of the material)."""
BABBLE_VOICES = 200
CUT_SHARE = 0.6
"""Of all copies of long utterances: so many are cut to one to four words, as callers answer."""
EDGE_S = 0.03

Likelihoods = Callable[[Frames], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Utterances one after another; `lengths` says where each ends."""

    frames: NDArray[np.float16]
    labels: NDArray[np.int16]
    lengths: NDArray[np.int64]

    def save(self, path: Path) -> None:
        np.savez(path, frames=self.frames, labels=self.labels, lengths=self.lengths)

    @staticmethod
    def load(path: Path) -> Dataset:
        with np.load(path) as file:
            return Dataset(file["frames"], file["labels"], file["lengths"])

    @staticmethod
    def of(parts: list[tuple[Frames, NDArray[np.int16]]]) -> Dataset:
        return Dataset(
            np.concatenate([frames for frames, _ in parts]).astype(np.float16),
            np.concatenate([labels for _, labels in parts]),
            np.array([len(labels) for _, labels in parts]),
        )

    @staticmethod
    def joined(parts: list[Dataset]) -> Dataset:
        return Dataset(
            np.concatenate([part.frames for part in parts]),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.lengths for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class Labelled:
    """Clean speech between LEAD_S and TAIL_S of silence, and what is heard in each of its frames."""

    sound: Sound
    aligned: Aligned


def by_spans(corpus: Corpus) -> Iterator[Labelled]:
    """Labels from the synthesiser's own times."""
    for utterance in corpus:
        words = spoken_sounds(utterance.reading)
        if words and utterance.spans:
            sound = _padded(corpus.sound(utterance))
            *most, (begin, final, end) = utterance.spans
            spans = [*most, (begin, final, min(end, final + LAST_SYLLABLE_S))]
            labels = from_spans(words, spans, _frames(sound), LEAD_S)
            yield Labelled(sound, Aligned(labels, np.where(labels > 0, 0, -1).astype(np.int16), 0.0))


def by_network(corpus: Corpus, likelihoods: Likelihoods) -> Iterator[Labelled]:
    """Labels by Viterbi; what the network cannot find in the sound is left out."""
    for utterance in corpus:
        words = spoken_sounds(utterance.reading)
        if not words:
            continue
        sound = _padded(corpus.sound(utterance))
        hushed = sound + 1e-4 * np.random.default_rng(0).standard_normal(len(sound))
        aligned = viterbi(likelihoods(mfcc(hushed)), words)
        if aligned and aligned.score >= WORST_SCORE:
            yield Labelled(sound, aligned)


def dataset(material: Iterator[Labelled], copies: int, seed: int, *, cut: bool) -> Dataset:
    rng = random.Random(seed)
    parts: list[tuple[Frames, NDArray[np.int16]]] = []
    babble: list[Sound] = []
    for labelled in material:
        if len(babble) < BABBLE_VOICES:
            babble.append(labelled.sound)
        for _ in range(copies):
            begin, end = _cut(labelled.aligned, rng) if cut and rng.random() < CUT_SHARE else (0.0, np.inf)
            piece = labelled.sound[round(begin * RATE) : round(min(end * RATE, len(labelled.sound)))]
            heard = disturb(piece, rng, babble if len(babble) > 5 else ())
            frames = mfcc(heard.sound)
            spoken_at = (middles(len(frames)) - heard.begin_s) / heard.stretch
            places = np.rint((spoken_at + begin - FIRST_MIDDLE_S) / FRAME_S).astype(int)
            known = labelled.aligned.labels
            inside = (places >= 0) & (places < len(known)) & (spoken_at >= 0) & (spoken_at * RATE < len(piece))
            labels = np.zeros(len(frames), np.int16)
            labels[inside] = known[places[inside]]
            parts.append((frames, labels))
    return Dataset.of(parts)


def _cut(aligned: Aligned, rng: random.Random) -> tuple[float, float]:
    """Begin and end in seconds of one to four words on end."""
    words = sorted(set(aligned.words.tolist()) - {-1})
    if not words:
        return 0.0, np.inf
    first = rng.randrange(len(words))
    last = min(len(words) - 1, first + rng.randint(0, 3))
    places = np.flatnonzero((aligned.words >= words[first]) & (aligned.words <= words[last]))
    begin, end = middles(len(aligned.words))[[places[0], places[-1]]]
    return max(0.0, float(begin) - EDGE_S), float(end) + EDGE_S


def _padded(sound: Sound) -> Sound:
    level = float(np.sqrt(np.mean(sound**2)) + 1e-9)
    return np.concatenate([np.zeros(round(LEAD_S * RATE)), sound / level * SPEECH_RMS, np.zeros(round(TAIL_S * RATE))])


def _frames(sound: Sound) -> int:
    return max(0, 1 + (len(sound) - RATE // 40) // (RATE // 100))
