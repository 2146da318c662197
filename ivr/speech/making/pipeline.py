"""The steps from nothing to a model folder, each of which keeps its result in the working folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import synthesis
from .codecs import ToolsMissing
from .material import Corpus
from .voices import kept_for_tests

Progress = Callable[[str], None]

POLISH_RATE = 4e-4
MODEL_CONF = """--min-active=200
--max-active=5000
--beam=13.0
--lattice-beam=3
--acoustic-scale=0.3
--frame-subsampling-factor=3
--endpoint.silence-phones=1
--endpoint.rule2.min-trailing-silence=0.5
--endpoint.rule3.min-trailing-silence=1.0
--endpoint.rule4.min-trailing-silence=2.0
"""
"""lattice-beam: with `[unk]` a wider one makes the lattice explode (minutes for one utterance)."""


@dataclass(frozen=True, slots=True)
class Plan:
    work: Path
    tools: Path
    """Where Kokoro's files are, or are put."""
    target: Path
    kokoro_minutes: float = 45
    espeak_minutes: float = 120
    kokoro_copies: int = 6
    epochs: int = 8
    polish_epochs: int = 3
    """Afterwards, on the natural voices alone, slowly: espeak-ng's ninety minutes are learnt sooner than Kokoro's."""
    least_steps: int = 1000
    seed: int = 11

    @property
    def network(self) -> Path:
        return self.work / "network.pt"

    @property
    def tests(self) -> Path:
        return self.work / "test"

    def corpus(self, name: str) -> Corpus:
        return Corpus(self.work / name)


def material(plan: Plan, progress: Progress) -> None:
    """Speech; test speech first, so that an interrupted run can still be judged."""
    if not shutil.which("espeak-ng"):
        raise ToolsMissing("缺少 espeak-ng · espeak-ng is missing: apt-get install espeak-ng")
    synthesis.test_sets(plan.tests, plan.tools, progress)
    synthesis.train_espeak(plan.work / synthesis.ESPEAK, plan.espeak_minutes, plan.seed, progress)
    synthesis.train_kokoro(plan.work / synthesis.KOKORO, plan.tools, plan.kokoro_minutes, plan.seed, progress)


def features(plan: Plan, progress: Progress) -> None:
    """A first small network learns from Kokoro's own times; with it all material is aligned anew."""
    from .features import by_network, by_spans, dataset
    from .training import Recipe, likelihoods, priors, train

    kokoro, espeak = plan.corpus(synthesis.KOKORO), plan.corpus(synthesis.ESPEAK)
    _held_back(kokoro, espeak)
    timed = dataset(by_spans(kokoro), 3, plan.seed, cut=False)
    first = train(timed, Recipe(epochs=2, least_steps=500, width=128, warped=False), progress)
    ask = likelihoods(first, priors(first, timed))
    for corpus, copies in ((kokoro, plan.kokoro_copies), (espeak, 1)):
        data = dataset(by_network(corpus, ask), copies, plan.seed, cut=True)
        data.save(plan.work / f"{corpus.folder.name}.npz")
        progress(f"{corpus.folder.name}: {len(data.lengths)} utterances, {len(data.labels) / 360_000:.2f} h")


def train(plan: Plan, progress: Progress) -> None:
    from .features import Dataset
    from .training import Recipe, priors, save
    from .training import train as run

    kokoro = Dataset.load(plan.work / f"{synthesis.KOKORO}.npz")
    data = Dataset.joined([kokoro, Dataset.load(plan.work / f"{synthesis.ESPEAK}.npz")])
    network = run(data, Recipe(plan.epochs, least_steps=plan.least_steps), progress)
    if plan.polish_epochs:
        network = run(kokoro, Recipe(plan.polish_epochs, rate=POLISH_RATE), progress, begin_with=network)
    # Weighed by the natural voices: how often espeak-ng says a sound is of no interest.
    save(network, priors(network, kokoro), plan.network)


def graph(plan: Plan, progress: Progress) -> None:
    from .graph import write_graph
    from .lexicon import lexicon

    words = lexicon()
    write_graph(words, plan.target, plan.work / "graph")
    progress(f"{len(words)} words")


def export(plan: Plan, progress: Progress) -> None:
    from .acoustic_export import final_mdl
    from .front_end import MFCC_CONF
    from .training import load

    for folder in ("am", "conf"):
        (plan.target / folder).mkdir(parents=True, exist_ok=True)
    network, prior = load(plan.network)
    whole = final_mdl({name: value.numpy() for name, value in network.state_dict().items()}, prior)
    (plan.target / "am" / "final.mdl").write_bytes(whole)
    (plan.target / "conf" / "mfcc.conf").write_text(MFCC_CONF)
    (plan.target / "conf" / "model.conf").write_text(MODEL_CONF)
    progress(f"final.mdl: {len(whole)} bytes")


def evaluate(plan: Plan, progress: Progress, models: list[Path] | None = None) -> None:
    """One line per model and test, on the same audio."""
    from .evaluate import evaluate as judge

    for model in models or [plan.target]:
        progress(f"{model}:")
        for name, score in judge(model, plan.tests).items():
            progress(f"  {name:15s} {score}")


def _held_back(*corpora: Corpus) -> None:
    for corpus in corpora:
        for utterance in corpus:
            if kept_for_tests(utterance.voice):
                raise ValueError(f"{corpus.folder.name}/{utterance.file}: {utterance.voice} is kept for testing")


STEPS = {
    "material": material,
    "features": features,
    "train": train,
    "graph": graph,
    "export": export,
    "evaluate": evaluate,
}
