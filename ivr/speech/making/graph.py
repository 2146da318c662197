"""The decoding graph of Vosk's small models, written without Kaldi: HCLr.fst, Gr.fst and their tables.

HCLr is a tree of all words' sounds whose transition ids go in and words come out; Gr says how frequent
words are, and is what a runtime grammar replaces. OpenFst's programs (Debian) compile both.
"""

from __future__ import annotations

import math
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from .codecs import ToolsMissing
from .lexicon import Lexicon
from .phones import PHONES, SILENCE, STATES
from .texts import frequent_words, texts
from .transitions import DISAMBIGUATION, PHONE_IDS, TRANSITIONS, phones_txt, placed, word_boundary

SILENCE_WORD, UNKNOWN_WORD = "!SIL", "[unk]"
HALF = math.log(2)
WORD_PENALTY = 2.0
UNKNOWN_PENALTY = 1.5
"""What `[unk]` costs. The turns' short answers by two Kokoro voices, at 1.0, 1.5 and 2.0: 67, 89 and 102 of 180
understood, and 13, 28 and 42 of 271 others taken for an answer (the model before it: 61 and 28)."""
UNKNOWN_SOUND_PENALTY = 0.3
"""Per sound of unknown speech. Below 0.2 the lattice explodes; far above, unknown speech is taken for a phrase."""
FST_PLUGINS = "/usr/lib/x86_64-linux-gnu/fst/22"
ALL_WORDS = 10_000_000


@dataclass(slots=True)
class _Arcs:
    """From, to, in, out, cost."""

    arcs: list[tuple[int, int, int, int, float]] = field(default_factory=list)
    states: int = 0

    def state(self) -> int:
        self.states += 1
        return self.states - 1

    def add(self, start: int, end: int, into: int = 0, out: int = 0, cost: float = 0.0) -> None:
        self.arcs.append((start, end, into, out, cost))

    def phone(self, start: int, name: str, cost: float = 0.0) -> int:
        """The states of one phone after `start`; returns the last."""
        for number in range(STATES[name.split("_")[0]]):
            loop, onwards = TRANSITIONS[name, number]
            end = self.state()
            self.add(start, end, onwards, 0, HALF + (cost if number == 0 else 0.0))
            self.add(end, end, loop, 0, HALF)
            start = end
        return start

    def pause(self, start: int, end: int) -> None:
        """Silence or none, equally likely."""
        self.add(start, end, cost=HALF)
        self.add(self.phone(start, SILENCE, HALF), end)

    def text(self) -> str:
        return "".join(f"{a}\t{b}\t{i}\t{o}\t{cost:.5f}\n" for a, b, i, o, cost in sorted(self.arcs))


def word_ids(lexicon: Lexicon) -> dict[str, int]:
    return {word: number for number, word in enumerate(["<eps>", SILENCE_WORD, UNKNOWN_WORD, *lexicon])}


def hcl_text(lexicon: Lexicon, ids: dict[str, int]) -> str:
    """HCL in OpenFst's text format."""
    arcs = _Arcs()
    start, root, ended = arcs.state(), arcs.state(), arcs.state()
    arcs.pause(start, root)
    arcs.pause(ended, root)
    tree: dict[tuple[int, str], int] = {}
    for word, readings in lexicon.items():
        for reading in readings:
            state = root
            for name in placed(reading):
                if (state, name) not in tree:
                    tree[state, name] = arcs.phone(state, name)
                state = tree[state, name]
            arcs.add(state, ended, DISAMBIGUATION, ids[word], WORD_PENALTY)
    _unknown_speech(arcs, root, ended, ids[UNKNOWN_WORD])
    return arcs.text() + f"{root}\t0\n"


def _unknown_speech(arcs: _Arcs, root: int, ended: int, word: int) -> None:
    """[unk] is any row of two or more sounds."""
    begun, going, done = arcs.state(), arcs.state(), arcs.state()
    arcs.add(root, begun, DISAMBIGUATION, word, UNKNOWN_PENALTY)
    cost = UNKNOWN_SOUND_PENALTY + UNKNOWN_PENALTY
    for phone in PHONES:
        arcs.add(arcs.phone(begun, f"{phone}_B"), going, cost=cost)
        arcs.add(arcs.phone(going, f"{phone}_I"), going, cost=cost)
        arcs.add(arcs.phone(going, f"{phone}_E"), done, cost=cost)
    arcs.add(done, ended)


def word_costs(lexicon: Lexicon) -> dict[str, float]:
    """Minus the logarithm of each word's share; single characters count less, the hotline's phrases more."""
    counts = dict(frequent_words(ALL_WORDS))
    total = sum(counts.get(word, 1) ** 0.75 for word in lexicon)
    phrases = set(texts().phrases)
    return {
        word: -math.log(
            counts.get(word, 1) ** 0.75 / total * (0.3 if len(word) == 1 else 1.0) + (2e-4 if word in phrases else 0.0)
        )
        for word in lexicon
    }


def write_graph(lexicon: Lexicon, target: Path, work: Path) -> None:
    """All of `graph/` below the model folder `target`; intermediate files go to `work`."""
    require_openfst()
    folder = target / "graph"
    (folder / "phones").mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    ids = word_ids(lexicon)
    (work / "hcl.txt").write_text(hcl_text(lexicon, ids))
    _pipe(
        f"fstcompile {work}/hcl.txt | fstarcsort --sort_type=olabel | fstconvert --fst_type=olabel_lookahead "
        f"--save_relabel_opairs={work}/relabel.txt > {folder}/HCLr.fst"
    )
    new = relabelled(ids, (work / "relabel.txt").read_text())
    lines = sorted((number, word) for word, number in new.items())
    (folder / "words.txt").write_text("".join(f"{word} {number}\n" for number, word in lines), encoding="utf-8")
    costs = word_costs(lexicon)
    rows = [f"0\t0\t{new[word]}\t{new[word]}\t{cost:.4f}\n" for word, cost in costs.items()]
    (work / "g.txt").write_text("".join(rows) + "0\t3.0\n")
    _pipe(f"fstcompile {work}/g.txt | fstarcsort --sort_type=ilabel | fstconvert --fst_type=const > {folder}/Gr.fst")
    (folder / "disambig_tid.int").write_text(f"{DISAMBIGUATION}\n")
    (folder / "phones.txt").write_text(phones_txt())
    (folder / "phones" / "word_boundary.int").write_text(word_boundary())
    assert len(PHONE_IDS) == phones_txt().count("\n") - 1


def relabelled(ids: dict[str, int], pairs: str) -> dict[str, int]:
    """The look-ahead graph numbers its output words anew; words it never says get numbers after the last."""
    changed = {int(old): int(new) for old, new in (line.split() for line in pairs.splitlines() if line.strip())}
    following = max(changed.values()) + 1
    new = {"<eps>": 0}
    for word, number in ids.items():
        if number and number in changed:
            new[word] = changed[number]
        elif number:
            new[word], following = following, following + 1
    return new


def require_openfst() -> None:
    if not shutil.which("fstcompile") or not (Path(FST_PLUGINS) / "olabel_lookahead-fst.so").exists():
        raise ToolsMissing("缺少 OpenFst · OpenFst is missing: apt-get install libfst-tools libfst22-plugins-base")


def _pipe(commands: str) -> None:
    environment = {"LD_LIBRARY_PATH": FST_PLUGINS, "PATH": "/usr/local/bin:/usr/bin:/bin"}
    command = ["bash", "-c", f"set -o pipefail; {commands}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"OpenFst: {done.stderr.strip()[:500]}")
