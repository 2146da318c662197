"""How well speech is understood, by file: `ivr bench speech`. The audio comes from bench/speech_material.py.

Intents per grammar with false accepts; distress inside whole sentences with false alarms, per engine and together;
real-time factor and streams a core of the bare library. `ids_of` is the one way from sound to ids: the phone path is
held against it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import speech_talk
from bench.speech_channel import telephone
from bench.speech_material import ESPEAK_VOICES, KOKORO_VOICES, Utterance, no_audio, phrases, read, sentences
from ivr.errors import SetupError
from ivr.settings import PROJECT_ROOT, Settings
from ivr.speech.dictation import dictates
from ivr.speech.ear import BYTES_PER_S, Ear, Recogniser
from ivr.speech.grammar import Grammar, is_distress, load_grammar
from ivr.speech.models import examine_model
from ivr.speech.understand import understand

if TYPE_CHECKING:
    from ivr.speech.vosk_ear import VoskRecogniser

PIECE_BYTES = BYTES_PER_S // 10
QUICK = 5
TOGETHER = {"vosk and second": ("vosk", "second"), "dictation and second": ("dictation", "second")}
"""What a centre runs with a second ear: what either of the two heard. The first with the carried model, the second with
an official one, which dictates while somebody waits (ivr/speech/dictation.py)."""
STRANGERS = 4
"""Of the other grammars' phrases every fourth is tried as unknown speech."""


def ids_of(recogniser: Recogniser, grammar: Grammar, pcm: bytes) -> list[str]:
    """What was understood, in order, each id once; distress may come from a partial result."""
    ids: list[str] = []

    def note(found: object) -> None:
        meant = getattr(found, "id", None)
        if meant and meant not in ids:
            ids.append(meant)

    ear = recogniser.open(grammar)
    for at in range(0, len(pcm), PIECE_BYTES):
        if heard := ear.feed(pcm[at : at + PIECE_BYTES]):
            note(understand(grammar, heard))
    note(understand(grammar, ear.finish()))
    return ids


@dataclass
class Tally:
    """Of one engine over one set."""

    wanted: int = 0
    found: int = 0
    others: int = 0
    false: int = 0
    others_s: float = 0.0
    cpu_s: float = 0.0
    audio_s: float = 0.0
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def as_row(self) -> dict[str, Any]:
        return {
            "wanted": self.wanted, "found": self.found, "others": self.others, "false": self.false,
            "false_per_hour": round(self.false / self.others_s * 3600, 1) if self.others_s else None,
            "rtf": round(self.cpu_s / self.audio_s, 4) if self.audio_s else None,
            "missed": self.missed, "wrong": self.wrong,
        }  # fmt: skip


def sound(utterance: Utterance) -> bytes:
    return telephone(read(utterance.path), utterance.seed)


def here(utterances: Iterable[Utterance]) -> list[Utterance]:
    """Those that have been made (bench/speech_material.py)."""
    return [one for one in utterances if one.path.is_file()]


def intents(recogniser: Recogniser, voices: tuple[str, ...], others: Sequence[Utterance]) -> dict[str, Any]:
    """Per grammar: short answers understood as they should be, and ordinary sentences taken for an answer."""
    rows: dict[str, Any] = {}
    said = here(phrases(voices))
    for name in dict.fromkeys(one.group for one in said):
        grammar, tally = load_grammar(name), Tally()
        own = [one for one in said if one.group == name]
        strangers = [*others, *[one for one in said if _is_strange(one, grammar)][::STRANGERS]]
        for one in [*own, *strangers]:
            began = time.process_time()
            pcm = sound(one)
            began = time.process_time()
            ids = ids_of(recogniser, grammar, pcm)
            tally.cpu_s += time.process_time() - began
            tally.audio_s += len(pcm) / BYTES_PER_S
            if one.group == name:
                tally.wanted += 1
                right = bool(ids) and (ids[0].startswith("time.") if one.wanted == "time" else ids[0] == one.wanted)
                tally.found += right
                if not right:
                    tally.missed.append(f"{one.text}→{ids[0] if ids else '∅'}")
            else:
                tally.others += 1
                tally.others_s += len(pcm) / BYTES_PER_S
                if ids:
                    tally.false += 1
                    tally.wrong.append(f"{one.text}→{ids[0]}")
        rows[name] = tally.as_row()
        print(f"  {name:14}{tally.found}/{tally.wanted}, false {tally.false}/{tally.others}", flush=True)
    return rows


def _is_strange(one: Utterance, grammar: Grammar) -> bool:
    """Of another grammar, and nothing that this one or distress should understand."""
    return one.group not in (grammar.name, "distress") and not any(entry in one.text for entry in grammar.phrases)


class Dictation:
    """A loaded model in its own language, whatever the grammar: the ear of `listen` once a model is installed."""

    def __init__(self, vosk: VoskRecogniser) -> None:
        self._vosk = vosk

    def open(self, grammar: Grammar) -> Ear:
        del grammar
        return self._vosk.open_dictation()


def together(engines: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Of TOGETHER, those whose engines are here."""
    loaded = set(engines)
    return {name: both for name, both in TOGETHER.items() if loaded.issuperset(both)}


def distress(engines: dict[str, Recogniser], group: str, voices: tuple[str, ...]) -> dict[str, Any]:
    """Distress inside sentences, per engine, and for two together: what either of them heard."""
    grammar = load_grammar("listen")
    tallies = {name: Tally() for name in (*engines, *together(engines))}
    for one in here(sentences(group, voices)):
        pcm, heard = sound(one), {}
        for name, engine in engines.items():
            began = time.process_time()
            heard[name] = [meant for meant in ids_of(engine, grammar, pcm) if is_distress(meant)]
            tallies[name].cpu_s += time.process_time() - began
        for name, both in together(engines).items():
            heard[name] = [meant for one_of_them in both for meant in heard[one_of_them]]
            tallies[name].cpu_s = sum(tallies[one_of_them].cpu_s for one_of_them in both)
        for name, tally in tallies.items():
            tally.audio_s += len(pcm) / BYTES_PER_S
            if one.wanted:
                tally.wanted += 1
                tally.found += bool(heard[name])
                tally.missed += [] if heard[name] else [one.text]
            else:
                tally.others += 1
                tally.others_s += len(pcm) / BYTES_PER_S
                tally.false += bool(heard[name])
                tally.wrong += [f"{one.text}→{heard[name][0]}"] if heard[name] else []
    for name, tally in tallies.items():
        print(f"  {group} {name:22}{tally.found}/{tally.wanted}, false {tally.false}/{tally.others}", flush=True)
    return {name: tally.as_row() for name, tally in tallies.items()}


def speed(model_dir: Path, pcm: bytes) -> dict[str, float]:
    """The bare library on one stream, the listening grammar: what the phone path is held against."""
    from ivr.speech.vosk_ear import VoskRecogniser

    ear = VoskRecogniser(model_dir).open(load_grammar("listen"))
    began = time.process_time()
    for at in range(0, len(pcm), PIECE_BYTES):
        ear.feed(pcm[at : at + PIECE_BYTES])
    ear.finish()
    rtf = (time.process_time() - began) / (len(pcm) / BYTES_PER_S)
    return {"rtf": rtf, "streams_per_core": 1 / rtf, "audio_s": len(pcm) / BYTES_PER_S}


def run(model_dir: Path, second: Path | None, *, quick: bool = False) -> dict[str, Any]:
    """Everything; `second` is the second ear's folder of weights, None to leave it out."""
    from ivr.speech.vosk_ear import VoskRecogniser

    results: dict[str, Any] = {"model": model_dir.name}
    vosk = VoskRecogniser(model_dir, dictates("never", examine_model(model_dir)))
    engines: dict[str, Recogniser] = {"vosk": vosk, "dictation": Dictation(vosk)}
    if second is not None:
        from ivr.speech.second_ear import SecondEar

        engines["second"] = SecondEar(second)
    for kind, voices in (("kokoro", KOKORO_VOICES), ("espeak", ESPEAK_VOICES)):
        whole = here(sentences("held", voices))
        if not whole or (quick and kind == "espeak"):
            continue
        if "speed" not in results:
            results["speed"] = speed(model_dir, b"".join(sound(one) for one in whole[:20]))
        ordinary = [one for one in whole if not one.wanted][: QUICK if quick else None]
        print(f"  {kind}: {len(whole)} sentences", flush=True)
        results[kind] = {
            "intents": intents(vosk, voices, ordinary),
            "distress": distress(engines, "held", voices),
        }
    results["talk"] = speech_talk.run(engines, together(engines), quick=quick)
    return results


def model_here(chosen: Path | None) -> Path:
    """The one that was asked for, else this instance's."""
    settings = Settings()
    return (chosen or settings.speech_model_dir or PROJECT_ROOT / "ivr" / "speech" / "model").resolve()


def run_here(*, quick: bool, model_dir: Path | None = None) -> dict[str, Any]:
    """With the model asked for or this instance's, and the second ear when its weights and the extra are there."""
    settings = Settings()
    model_dir = model_here(model_dir)
    if why := no_audio():
        return {"missing": why}
    second: Path | None = None
    if not quick and find_spec("faster_whisper"):
        from ivr.speech.second_ear import weights

        try:
            second = weights(settings.data_dir / "models" / "second-ear")
        except SetupError as error:
            print(f"  {error.en}", flush=True)
    return run(model_dir, second, quick=quick)
