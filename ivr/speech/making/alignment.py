"""Which sound is heard in which frame: from a synthesiser's own times, or by Viterbi through a first network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .front_end import middles
from .phones import PDF, SILENCE, STATES, sounds
from .reading import Reading, toneless

Labels = NDArray[np.int16]
"""The network's output wanted in each frame."""
NEVER = -1e9


def spoken_sounds(reading: Reading) -> list[list[tuple[str, ...]]] | None:
    """Per word its syllables' sounds; None when something in it is not Mandarin."""
    words = [[sounds(toneless(syllable)) for syllable in word] for run in reading for word in run]
    if not words or any(part is None for word in words for part in word):
        return None
    return [[part for part in word if part] for word in words]


def from_spans(
    words: list[list[tuple[str, ...]]], spans: list[tuple[float, float, float]], frames: int, lead_s: float
) -> Labels:
    """Times as a synthesiser gives them; a final's two states share its length."""
    labels = np.zeros(frames, np.int16)
    times = middles(frames) - lead_s
    for syllable, (begin, final, end) in zip((part for word in words for part in word), spans, strict=True):
        pieces = [(syllable[0], begin, final)] if len(syllable) == 2 else []
        pieces.append((syllable[-1], final if pieces else begin, end))
        for phone, start, stop in pieces:
            step = (stop - start) / STATES[phone]
            for state in range(STATES[phone]):
                inside = (times >= start + step * state) & (times < start + step * (state + 1))
                labels[inside] = PDF[phone, state]
    return labels


@dataclass(frozen=True, slots=True)
class Aligned:
    labels: Labels
    words: NDArray[np.int16]
    """Which word is spoken in each frame, -1 where there is silence."""
    score: float
    """Mean log-likelihood of a frame: low where the text is not what was said."""


def viterbi(likelihoods: NDArray[np.float32], words: list[list[tuple[str, ...]]]) -> Aligned | None:
    """The best path through the words in order, silence allowed between them and at both ends.

    `likelihoods`: frames x outputs, logarithms. None when there are fewer frames than states.
    """
    outputs, owners, before, first, last = _chain(words)
    frames, states = len(likelihoods), len(outputs)
    if frames < states:
        return None
    scores = likelihoods[:, outputs]
    best = np.full(states + 1, NEVER)
    best[first] = scores[0, first]
    came = np.zeros((frames, states), np.int16)
    everyone = np.arange(states)
    for frame in range(1, frames):
        candidates = best[before]
        choice = candidates.argmax(1)
        came[frame] = before[everyone, choice]
        best[:states] = candidates[everyone, choice] + scores[frame]
    state = max(last, key=lambda index: float(best[index]))
    score = float(best[state]) / frames
    path = np.zeros(frames, np.int64)
    for frame in range(frames - 1, -1, -1):
        path[frame] = state
        state = came[frame, state]
    return Aligned(np.array(outputs, np.int16)[path], np.array(owners, np.int16)[path], score)


def _chain(
    words: list[list[tuple[str, ...]]],
) -> tuple[list[int], list[int], NDArray[np.int64], list[int], list[int]]:
    """Per state its output, its word and the (at most three) states it may follow; where to begin and to end."""
    silence = PDF[SILENCE, 0]
    outputs, owners, before = [silence], [-1], [[0]]
    first, entries = [0, 1], [0]
    for number, word in enumerate(words):
        previous: int | None = None
        for phone in (phone for syllable in word for phone in syllable):
            for state in range(STATES[phone]):
                here = len(outputs)
                outputs.append(PDF[phone, state])
                owners.append(number)
                before.append([here, *(entries if previous is None else [previous])])
                previous = here
        assert previous is not None, "a word has sounds"
        outputs.append(silence)
        owners.append(-1)
        before.append([len(outputs) - 1, previous])
        entries = [previous, len(outputs) - 1]
    table = np.full((len(outputs), 3), len(outputs))
    for here, states in enumerate(before):
        table[here, : len(states)] = states
    return outputs, owners, table, first, entries
