"""Trains the network on labelled frames, and asks it what each frame sounds like."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .features import Dataset
from .front_end import Frames
from .network import Network
from .phones import PDFS
from .shape import CONTEXT, SUBSAMPLING
from .warping import TO_MEL, random_maps

CHUNK = 216
"""Frames of one training example, a multiple of SUBSAMPLING."""
ASKED_AT_ONCE = 64
UNKNOWN = -100
SHORTEST = 6
WARM_UP_STEPS = 100
LAST_RATE = 0.02
SMOOTHING = 0.02
PRIOR_CHUNKS = 2000

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Recipe:
    epochs: int
    least_steps: int = 0
    """With little material more epochs, until there are so many steps."""
    batch: int = 16
    rate: float = 2e-3
    width: int = 256
    warped: bool = True


@dataclass(frozen=True, slots=True)
class _Packed:
    """Everything in one row, each utterance with CONTEXT repeated edge frames on both sides."""

    frames: NDArray[np.float16]
    labels: NDArray[np.int16]
    places: list[tuple[int, int]]
    """Begin of the first real frame, and how many there are."""

    def batch(self, starts: list[int]) -> tuple[Tensor, Tensor]:
        begin = np.array(starts)[:, None]
        frames = self.frames[begin + np.arange(-CONTEXT, CHUNK + CONTEXT)[None]].astype(np.float32)
        labels = self.labels[begin + np.arange(0, CHUNK, SUBSAMPLING)[None]].astype(np.int64)
        return torch.from_numpy(frames), torch.from_numpy(labels)

    def starts(self, rng: random.Random | None) -> list[int]:
        """Chunks of every utterance; which third of the frames is asked for changes with each epoch."""
        found: list[int] = []
        for begin, length in self.places:
            shift = rng.randrange(-SUBSAMPLING + 1, 1) if rng else 0
            found += range(begin + shift, begin + length, CHUNK)
        return found


def _pack(data: Dataset) -> _Packed:
    before, after = CONTEXT + SUBSAMPLING, CONTEXT + CHUNK + SUBSAMPLING
    frames: list[NDArray[np.float16]] = []
    labels: list[NDArray[np.int16]] = []
    places: list[tuple[int, int]] = []
    at = read = 0
    for length in data.lengths.tolist():
        own = data.frames[read : read + length]
        if length >= SHORTEST:
            frames.append(np.concatenate([np.repeat(own[:1], before, 0), own, np.repeat(own[-1:], after, 0)]))
            known = data.labels[read : read + length]
            labels.append(np.pad(known, (before, after), constant_values=UNKNOWN))
            places.append((at + before, length))
            at += before + length + after
        read += length
    return _Packed(np.concatenate(frames), np.concatenate(labels), places)


def train(data: Dataset, recipe: Recipe, progress: Progress, begin_with: Network | None = None) -> Network:
    """Frame-wise cross-entropy. One thread, fixed seeds: the same data give the same network on one machine."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng, numbers = random.Random(0), np.random.RandomState(5)
    packed = _pack(data)
    sample = packed.frames[::7].astype(np.float32)
    network = begin_with or Network(recipe.width)
    if begin_with is None:
        network.mean.copy_(torch.from_numpy(sample.mean(0)))
        network.inverse_deviation.copy_(torch.from_numpy(1 / sample.std(0)))
    mean_mel = (sample @ TO_MEL).mean(0)
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=1e-3)
    per_epoch = max(1, len(packed.starts(None)) // recipe.batch)
    epochs = max(recipe.epochs, -(-recipe.least_steps // per_epoch))
    steps = per_epoch * epochs
    step, begun = 0, time.monotonic()
    network.train()
    for epoch in range(epochs):
        starts = packed.starts(rng)
        rng.shuffle(starts)
        losses, right, asked = 0.0, 0, 0
        for first in range(0, len(starts) - recipe.batch + 1, recipe.batch):
            frames, labels = packed.batch(starts[first : first + recipe.batch])
            if recipe.warped:
                matrices, offsets = random_maps(len(frames), numbers, mean_mel)
                frames = torch.bmm(frames, torch.from_numpy(matrices)) + torch.from_numpy(offsets)[:, None]
            rate = recipe.rate * min(1.0, (step + 1) / WARM_UP_STEPS) * LAST_RATE ** min(1.0, step / steps)
            for group in optimiser.param_groups:
                group["lr"] = rate
            outputs = network(frames)
            loss = nn.functional.cross_entropy(
                outputs.reshape(-1, PDFS), labels.reshape(-1), ignore_index=UNKNOWN, label_smoothing=SMOOTHING
            )
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            optimiser.step()
            known = labels != UNKNOWN
            right += int((outputs.argmax(-1)[known] == labels[known]).sum())
            asked += int(known.sum())
            losses += float(loss.detach())
            step += 1
            if step % 100 == 0:
                loss_so_far = losses / (first // recipe.batch + 1)
                progress(f"step {step}/{steps} loss {loss_so_far:.3f}, {time.monotonic() - begun:.0f} s")
        progress(f"epoch {epoch}: frames right {right / max(1, asked):.3f}, {time.monotonic() - begun:.0f} s")
    network.eval()
    return network


def priors(network: Network, data: Dataset) -> NDArray[np.float64]:
    """How probable each output is on average. The mean of what the network says, not a count of labels:
    with smoothed labels it never says zero, and a rare sound divided by its tiny count wins every frame."""
    packed = _pack(data)
    starts = packed.starts(None)
    random.Random(1).shuffle(starts)
    total = np.zeros(PDFS)
    with torch.no_grad():
        for first in range(0, min(len(starts), PRIOR_CHUNKS), ASKED_AT_ONCE):
            frames, labels = packed.batch(starts[first : first + ASKED_AT_ONCE])
            total += network(frames).softmax(-1)[labels != UNKNOWN].sum(0).numpy()
    return np.asarray(total / total.sum())


def likelihoods(network: Network, prior: NDArray[np.float64]) -> Callable[[Frames], NDArray[np.float32]]:
    """Per frame and output, logarithms, for every frame (three passes, each a third)."""

    def ask(frames: Frames) -> NDArray[np.float32]:
        padded = np.concatenate(
            [np.repeat(frames[:1], CONTEXT, 0), frames, np.repeat(frames[-1:], CONTEXT + SUBSAMPLING, 0)]
        )
        found = np.zeros((len(frames), PDFS), np.float32)
        with torch.no_grad():
            for shift in range(SUBSAMPLING):
                outputs = network(torch.from_numpy(padded[None, shift:])).log_softmax(-1)[0].numpy()
                found[shift::SUBSAMPLING] = outputs[: len(range(shift, len(frames), SUBSAMPLING))]
        return np.asarray(found - 0.6 * np.log(prior), np.float32)

    return ask


def save(network: Network, prior: NDArray[np.float64], path: Path) -> None:
    torch.save({"weights": network.state_dict(), "prior": prior.tolist()}, path)


def load(path: Path) -> tuple[Network, NDArray[np.float64]]:
    stored = torch.load(path, weights_only=True)
    network = Network(stored["weights"]["out.weight"].shape[1])
    network.load_state_dict(stored["weights"])
    return network.eval(), np.array(stored["prior"])
