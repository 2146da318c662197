"""What everyday talk sets off by mistake, and whether digits and times are understood: by file, every voice apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from bench.speech_channel import telephone
from bench.speech_material import ESPEAK_VOICES, KOKORO_VOICES, Utterance, numbers, read, talk
from ivr.speech.ear import BYTES_PER_S, Recogniser
from ivr.speech.grammar import Grammar, is_distress, load_grammar
from ivr.speech.numerals import parse_digits, parse_time
from ivr.speech.understand import Understood, understand

PIECE_BYTES = BYTES_PER_S // 10
TELL_EVERY = 25
TODAY = date(2026, 11, 23)
"""A Monday, so that every run reads 下周二 alike."""
_READ: dict[str, Callable[[str], object]] = {
    "digits": parse_digits,
    "times": lambda text: parse_time(text, TODAY),
}


def all_understood(recogniser: Recogniser, grammar: Grammar, pcm: bytes) -> list[Understood]:
    """As `bench.speech.ids_of`, with texts."""
    found: list[Understood] = []
    ear = recogniser.open(grammar)
    for at in range(0, len(pcm), PIECE_BYTES):
        if (heard := ear.feed(pcm[at : at + PIECE_BYTES])) and (one := understand(grammar, heard)):
            found.append(one)
    if last := understand(grammar, ear.finish()):
        found.append(last)
    return found


def false_alarms(recogniser: Recogniser, said: Sequence[Utterance]) -> dict[str, Any]:
    """Distress heard where there is none, an hour of speech; a call that raises twice raises once more."""
    grammar = load_grammar("listen")
    alarms: list[str] = []
    services, seconds = 0, 0.0
    for n, one in enumerate(said, 1):
        pcm = telephone(read(one.path), one.seed)
        seconds += len(pcm) / BYTES_PER_S
        ids = list(dict.fromkeys(found.id for found in all_understood(recogniser, grammar, pcm)))
        alarms += [f"{one.voice} {one.text}→{meant}" for meant in ids if is_distress(meant)][:1]
        services += any(not is_distress(meant) for meant in ids)
        if n % TELL_EVERY == 0 or n == len(said):
            print(
                f"\r  {n}/{len(said)} sentences, {seconds / 60:.1f} min, {len(alarms)} false alarms", end="", flush=True
            )
    print()
    return {
        "sentences": len(said), "seconds": seconds, "minutes": round(seconds / 60, 1),
        "false_alarms": len(alarms), "services": services,
        "per_hour": round(len(alarms) / seconds * 3600, 1) if seconds else None, "which": alarms,
    }  # fmt: skip


def read_aloud(recogniser: Recogniser, said: Iterable[Utterance]) -> dict[str, Any]:
    """Right is the very number or time; another one is worse than none."""
    rows: dict[str, Any] = {}
    for one in said:
        row = rows.setdefault(one.group, {"said": 0, "right": 0, "wrong": 0, "not_understood": []})
        found = all_understood(recogniser, load_grammar(one.group), telephone(read(one.path), one.seed))
        reading = _READ[one.group]
        row["said"] += 1
        if not found:
            row["not_understood"].append(one.text)
        elif reading(found[0].text) == reading(one.text):
            row["right"] += 1
        else:
            row["wrong"] += 1
            row.setdefault("taken_for", []).append(f"{one.text}→{found[0].text}")
    return rows


def either(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The sentences that any of these engines took for distress."""
    alarms = {which.partition("→")[0]: which for row in rows for which in row["which"]}
    seconds = rows[0]["seconds"]
    return rows[0] | {
        "false_alarms": len(alarms), "which": list(alarms.values()), "services": max(row["services"] for row in rows),
        "per_hour": round(len(alarms) / seconds * 3600, 1) if seconds else None,
    }  # fmt: skip


def run(engines: dict[str, Recogniser], together: Mapping[str, Sequence[str]], *, quick: bool) -> dict[str, Any]:
    """What has been made (bench/speech_material.py), voices of one kind together. `together`: engines of which either
    may raise."""
    results: dict[str, Any] = {}
    for kind, voices in (("espeak", ESPEAK_VOICES), ("kokoro", KOKORO_VOICES)):
        every = kind == "espeak"
        ordinary = _here(talk(voices, every_voice=every))[: 40 if quick else None]
        spoken = _here(numbers(voices, every_voice=every))[: 20 if quick else None]
        row: dict[str, Any] = {}
        for name, engine in engines.items():
            if ordinary:
                print(f"  {kind}, {name}: everyday talk", flush=True)
                row[f"false alarms, {name}"] = false_alarms(engine, ordinary)
        if ordinary:
            for name, both in together.items():
                row[f"false alarms, {name}"] = either([row[f"false alarms, {one}"] for one in both])
        if spoken:
            row["numbers"] = read_aloud(engines["vosk"], spoken)
            for group, one in row["numbers"].items():
                print(f"  {kind}, {group}: {one['right']}/{one['said']} right, {one['wrong']} wrong", flush=True)
        if row:
            results[kind] = row
    return results


def _here(said: Iterable[Utterance]) -> list[Utterance]:
    return [one for one in said if one.path.is_file()]
