"""The parts of making the small speech model that need neither a synthesiser nor a training framework."""

from __future__ import annotations

import random
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import vosk
from pypinyin import Style, pinyin

from ivr.prompts import alaw
from ivr.speech.making import acoustic_export, codecs, graph, kaldi_format, transitions
from ivr.speech.making.__main__ import main
from ivr.speech.making.alignment import from_spans, spoken_sounds, viterbi
from ivr.speech.making.front_end import CEPSTRA, middles
from ivr.speech.making.material import Corpus, Utterance
from ivr.speech.making.nearest import distance, nearest
from ivr.speech.making.phones import FINALS, INITIALS, PDF, PDFS, PHONES, STATES, sounds
from ivr.speech.making.reading import character_sounds, word_sounds
from ivr.speech.making.shape import CONTEXT, LAYERS
from ivr.speech.making.texts import Speaker, texts
from ivr.speech.making.voices import ESPEAK_TRAINING, kept_for_tests, kokoro_training
from ivr.speech.making.warping import CENTRES, TO_CEPSTRA, TO_MEL, random_maps, warp

MODEL = Path(__file__).parents[2] / "ivr" / "speech" / "model"
WIDTH = 8
Weights = dict[str, np.ndarray]


@pytest.mark.parametrize(
    ("syllable", "expected"),
    [
        ("zhi", ("zh", "iii")),
        ("si", ("s", "ii")),
        ("ji", ("j", "i")),
        ("ju", ("j", "v")),
        ("zhu", ("zh", "u")),
        ("yuan", ("van",)),
        ("you", ("iou",)),
        ("yo", ("iou",)),
        ("liu", ("l", "iou")),
        ("gui", ("g", "uei")),
        ("lun", ("l", "uen")),
        ("jun", ("j", "vn")),
        ("nv", ("n", "v")),
        ("lue", ("l", "ve")),
        ("xiong", ("x", "iong")),
        ("yong", ("iong",)),
        ("wen", ("uen",)),
        ("wo", ("uo",)),
        ("er", ("er",)),
        ("hm", None),
        ("", None),
    ],
)
def test_sounds_of_a_syllable(syllable: str, expected: tuple[str, ...] | None) -> None:
    assert sounds(syllable) == expected


def test_every_common_character_can_be_spoken_and_every_sound_is_needed() -> None:
    common = [bytes([high, low]).decode("gb2312", "ignore") for high in range(0xB0, 0xD8) for low in range(0xA1, 0xFF)]
    spoken = {character: character_sounds(character) for character in common if character}
    assert len(spoken) == 3755
    assert [character for character, readings in spoken.items() if not readings] == []
    readings = {r for c in spoken for r in pinyin(c, heteronym=True, style=Style.NORMAL, v_to_u=False)[0]}
    assert {sound for r in readings for sound in sounds(r) or ()} >= set(INITIALS) | set(FINALS) - {"ueng"}
    assert word_sounds("嗯") == ("en",)
    assert word_sounds("喘不上气") == ("ch", "uan", "b", "u", "sh", "ang", "q", "i")


def test_outputs_are_numbered_without_gaps() -> None:
    assert sorted(PDF.values()) == list(range(PDFS))
    assert 1 + sum(STATES[phone] for phone in PHONES) == PDFS


def test_training_says_no_unseen_phrase() -> None:
    t = texts()
    assert len(t.unseen) == 40
    assert not set(t.unseen) & {*t.phrases, *t.sentences}
    speaker = Speaker(3, ["电话", "费", "交了吗", "电话费交了吗", "老王", "在家吗"])
    said = [speaker.say() for _ in range(3000)]
    assert not any(phrase in text for text in said for phrase in t.unseen)
    assert set(t.phrases) & set(said)
    assert min(len(speaker.say(12)) for _ in range(50)) >= 12


def test_no_voice_kept_for_tests_is_learnt_from() -> None:
    rng = random.Random(1)
    mixtures = {kokoro_training(rng) for _ in range(2000)}
    assert {"zf_xiaobei", "zm_yunxi"} < mixtures
    assert [voice for voice in (*mixtures, *ESPEAK_TRAINING) if kept_for_tests(voice)] == []
    assert kept_for_tests("zf_xiaoni")
    assert kept_for_tests("zf_xiaobei*0.50+zm_yunjian")
    assert kept_for_tests("m6")


def test_a_corpus_is_read_as_it_was_written(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path / "c")
    assert list(corpus) == []
    utterance = Utterance("0.wav", "救命", [[["jiu4", "ming4"]]], "f1", 0.5)
    sound = np.sin(np.arange(4000) / 5) / 2
    corpus.add(utterance, sound)
    assert list(corpus) == [utterance]
    assert np.abs(corpus.sound(utterance) - sound).max() < 1e-4


def test_alaw_takes_the_same_steps_as_the_prompts() -> None:
    samples = np.random.default_rng(1).integers(-32768, 32767, 2000)
    expected = np.array(alaw.decode(alaw.encode(samples.tolist()))) / 32768
    # Exactly between two steps either is right.
    assert np.abs(codecs.alaw(samples / 32768) - expected).max() <= np.diff(np.unique(expected)).max()
    assert np.mean(codecs.alaw(samples / 32768) == expected) > 0.99
    assert np.abs(codecs.ulaw(samples / 32768) - samples / 32768).max() < 0.025


def test_labels_from_a_synthesisers_times() -> None:
    words = [[("m", "a")], [("er",)]]
    labels = from_spans(words, [(0.1, 0.15, 0.25), (0.3, 0.3, 0.4)], 60, 0.0)
    at = {round(float(t), 4): int(label) for t, label in zip(middles(60), labels, strict=True)}
    assert at[0.0925] == 0
    assert at[0.1225] == PDF["m", 0]
    assert at[0.1725] == PDF["a", 0]
    assert at[0.2225] == PDF["a", 1]
    assert at[0.2725] == 0
    assert at[0.3125] == PDF["er", 0]


def test_viterbi_finds_what_was_put_in() -> None:
    words = spoken_sounds([[["jiu4", "ming4"], ["a5"]]])
    assert words == [[("j", "iou"), ("m", "ing")], [("a",)]]
    wanted = [0] * 5
    for phone in ("j", "iou", "m", "ing"):
        wanted += [PDF[phone, state] for state in range(STATES[phone]) for _ in range(3)]
    wanted += [0] * 4 + [PDF["a", 0]] * 4 + [PDF["a", 1]] * 2 + [0] * 3
    likelihoods = np.full((len(wanted), PDFS), -5.0, np.float32)
    likelihoods[np.arange(len(wanted)), wanted] = -0.1
    found = viterbi(likelihoods, words)
    assert found is not None
    assert found.labels.tolist() == wanted
    assert found.score == pytest.approx(-0.1)
    assert [found.words[0], found.words[6], found.words[-4]] == [-1, 0, 1]
    assert viterbi(likelihoods[:6], words) is None


def test_nothing_but_mandarin_is_aligned() -> None:
    assert spoken_sounds([[["hm5"]]]) is None
    assert spoken_sounds([]) is None


def test_warped_cepstra_are_those_of_a_moved_spectrum() -> None:
    assert np.abs(TO_MEL @ TO_CEPSTRA - np.eye(CEPSTRA)).max() < 1e-4
    assert np.abs(warp(1.0) - np.eye(CEPSTRA)).max() < 0.01
    peak = np.eye(CEPSTRA)[20]
    factor = 1.1
    moved = peak @ warp(factor)
    hertz = 700 * (np.exp(CENTRES / 1127) - 1)
    assert hertz[int(moved.argmax())] == pytest.approx(hertz[20] / factor, rel=0.05)
    matrices, offsets = random_maps(5, np.random.RandomState(0), np.zeros(CEPSTRA, np.float32))
    assert matrices.shape == (5, CEPSTRA, CEPSTRA)
    assert np.isfinite(matrices).all()
    assert np.isfinite(offsets).all()


def paths(text: str, root: int, goal: int) -> Iterator[tuple[list[int], int]]:
    """All rows of transition ids, loops left out, from root to goal, and the word each yields."""
    onwards: dict[int, list[tuple[int, int, int]]] = {}
    for line in text.splitlines():
        if len(cells := line.split("\t")) == 5 and cells[0] != cells[1]:
            onwards.setdefault(int(cells[0]), []).append((int(cells[1]), int(cells[2]), int(cells[3])))

    def walk(state: int, ids: list[int], word: int) -> Iterator[tuple[list[int], int]]:
        if state == goal:
            yield ids, word
            return
        for end, into, out in onwards.get(state, []):
            if out != 2:  # [unk] is an endless loop
                yield from walk(end, [*ids, into] if into else ids, word or out)

    yield from walk(root, [], 0)


def test_the_graph_has_one_way_for_every_reading() -> None:
    lexicon = {"妈": [("m", "a")], "妈妈": [("m", "a", "m", "a")], "啊": [("a",)], "行": [("x", "ing"), ("h", "ang")]}
    ids = graph.word_ids(lexicon)
    text = graph.hcl_text(lexicon, ids)
    found = list(paths(text, root=1, goal=2))
    assert sorted(word for _, word in found) == sorted([ids["妈"], ids["妈妈"], ids["啊"], ids["行"], ids["行"]])
    expected = [transitions.TRANSITIONS[name, state][1] for name, state in [("m_B", 0), ("a_E", 0), ("a_E", 1)]]
    assert ([*expected, transitions.DISAMBIGUATION], ids["妈"]) in found


def test_words_are_numbered_anew_without_clashes() -> None:
    ids = {"<eps>": 0, "!SIL": 1, "[unk]": 2, "一": 3, "二": 4}
    new = graph.relabelled(ids, "2 5\n3 1\n4 2\n\n")
    assert new == {"<eps>": 0, "!SIL": 6, "[unk]": 5, "一": 1, "二": 2}


def random_weights(rng: np.random.Generator) -> Weights:
    weights: Weights = {"mean": rng.normal(size=CEPSTRA), "inverse_deviation": rng.uniform(0.5, 2, CEPSTRA)}
    wide = CEPSTRA
    for number, (kernel, _) in enumerate(LAYERS):
        weights[f"convolutions.{number}.weight"] = rng.normal(size=(WIDTH, wide, kernel)) / 10
        weights[f"convolutions.{number}.bias"] = rng.normal(size=WIDTH)
        weights[f"norms.{number}.weight"] = rng.uniform(0.5, 2, WIDTH)
        weights[f"norms.{number}.bias"] = rng.normal(size=WIDTH)
        weights[f"norms.{number}.running_mean"] = rng.normal(size=WIDTH)
        weights[f"norms.{number}.running_var"] = rng.uniform(0.5, 2, WIDTH)
        wide = WIDTH
    weights["out.weight"] = rng.normal(size=(PDFS, WIDTH, 1))
    weights["out.bias"] = rng.normal(size=PDFS)
    return weights


def read_affine(data: bytes) -> list[tuple[np.ndarray, np.ndarray]]:
    found = []
    at = 0
    while (at := data.find(b"<LinearParams> FM ", at)) >= 0:
        rows, at = kaldi_format.read_integer(data, at + len(b"<LinearParams> FM "))
        columns, at = kaldi_format.read_integer(data, at)
        linear = np.frombuffer(data, "<f4", rows * columns, at).reshape(rows, columns)
        at += 4 * rows * columns + len(b"<BiasParams> FV ")
        size, at = kaldi_format.read_integer(data, at)
        found.append((linear, np.frombuffer(data, "<f4", size, at)))
    return found


def test_the_exported_network_computes_the_same() -> None:
    """A frame through the written layers, and through the network as it was trained."""
    rng = np.random.default_rng(5)
    weights = random_weights(rng)
    data = acoustic_export.final_mdl(weights, np.full(PDFS, 1 / PDFS))
    layers = read_affine(data)
    assert len(layers) == len(LAYERS) + 1
    frames = rng.normal(size=(2 * CONTEXT + 1, CEPSTRA))
    trained = (frames - weights["mean"]) * weights["inverse_deviation"]
    written = frames
    for number, (kernel, dilation) in enumerate(LAYERS):
        reach = (kernel - 1) // 2 * dilation
        centres = range(reach, len(trained) - reach)
        taps = range(-reach, reach + 1, dilation)
        linear = weights[f"convolutions.{number}.weight"]
        hidden = np.array([sum(linear[:, :, n] @ trained[c + t] for n, t in enumerate(taps)) for c in centres])
        hidden = np.maximum(hidden + weights[f"convolutions.{number}.bias"], 0)
        scale = weights[f"norms.{number}.weight"] / np.sqrt(weights[f"norms.{number}.running_var"] + 1e-5)
        trained = (hidden - weights[f"norms.{number}.running_mean"]) * scale + weights[f"norms.{number}.bias"]
        spliced = np.array([np.concatenate([written[c + t] for t in taps]) for c in centres])
        written = np.maximum(spliced @ layers[number][0].T + layers[number][1], 0)
        assert kernel == len(list(taps))
    expected = trained @ weights["out.weight"][:, :, 0].T + weights["out.bias"]
    assert written @ layers[-1][0].T + layers[-1][1] == pytest.approx(expected, abs=1e-3)


def test_vosk_reads_what_was_exported(tmp_path: Path) -> None:
    """Transition model and network in Kaldi's own reader; the graph is the shipped one."""
    for part in ("conf", "graph"):
        (tmp_path / part).symlink_to(MODEL / part)
    (tmp_path / "am").mkdir()
    weights = random_weights(np.random.default_rng(6))
    (tmp_path / "am" / "final.mdl").write_bytes(acoustic_export.final_mdl(weights, np.full(PDFS, 1 / PDFS)))
    vosk.SetLogLevel(-1)
    ear = vosk.KaldiRecognizer(vosk.Model(str(tmp_path)), 8000)
    ear.AcceptWaveform(struct.pack("<8000h", *(random.Random(1).randrange(-999, 999) for _ in range(8000))))
    assert '"text"' in ear.FinalResult()


def test_what_the_exporter_says_of_phones_is_what_the_shipped_graph_was_made_with() -> None:
    assert (MODEL / "graph" / "phones.txt").read_text() == transitions.phones_txt()
    assert (MODEL / "graph" / "phones" / "word_boundary.int").read_text() == transitions.word_boundary()
    assert int((MODEL / "graph" / "disambig_tid.int").read_text()) == transitions.DISAMBIGUATION


def test_the_nearest_phrase() -> None:
    phrases = ["我摔倒了", "着火了", "不对", "对"]
    assert distance("摔倒", "我摔倒了") == 2
    assert nearest("摔倒了", phrases) == "我摔倒了"
    assert nearest("着火了", phrases) == "着火了"
    assert nearest("天气很好", phrases) is None
    assert nearest("", phrases) is None


def test_what_is_missing_is_said_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for name in ("synthesis", "kokoro_voice", "pipeline"):
        monkeypatch.delitem(sys.modules, f"ivr.speech.making.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert main(["graph"]) == 1
    assert "onnxruntime" in (said := capsys.readouterr().err) or "scipy" in said
    assert "pip install -r ivr/speech/making/requirements.txt" in said
    assert said.count("\n") == 1


def test_missing_openfst_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(codecs.ToolsMissing, match="apt-get install libfst-tools"):
        graph.write_graph({"啊": [("a",)]}, tmp_path / "model", tmp_path / "work")
    assert list(tmp_path.iterdir()) == []
