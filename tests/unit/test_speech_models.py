"""Which speech model is in use, and what is said of one that is not whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.doctor import OK, WARNING, _speech
from ivr.settings import Settings
from ivr.speech import models
from ivr.speech.dictation import Choice, dictates
from ivr.speech.grammar import grammar_names, load_grammar
from ivr.speech.models import CARRIED, INSTALLED, SETTING, BadModel, examine_model, find_model, models_dir

SMALL = ("am/final.mdl", "conf/mfcc.conf", "graph/HCLr.fst", "graph/Gr.fst")
FLAT = ("final.mdl", "mfcc.conf", "HCLr.fst", "Gr.fst")
BIG = ("am/final.mdl", "conf/mfcc.conf", "graph/HCLG.fst")
EVERY = set(grammar_names())
IN_SENTENCES = {"listen", "services", "people", "distress"}


def make_model(folder: Path, files: tuple[str, ...] = SMALL) -> Path:
    for name in files:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    return folder


@pytest.fixture
def carried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(models, "CARRIED_MODEL", tmp_path / "carried")
    return tmp_path / "carried"


def settings(tmp_path: Path, **more: object) -> Settings:
    return Settings(data_dir=tmp_path / "var", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("files", "takes_grammar"), [(SMALL, True), (FLAT, True), (BIG, False)])
def test_every_layout_that_vosk_loads_is_known(tmp_path: Path, files: tuple[str, ...], takes_grammar: bool) -> None:
    assert examine_model(make_model(tmp_path / "m", files)).takes_grammar is takes_grammar


@pytest.mark.parametrize("files", [SMALL, FLAT, BIG])
def test_a_file_that_is_missing_or_empty_is_named(tmp_path: Path, files: tuple[str, ...]) -> None:
    for number, name in enumerate(files):
        model = make_model(tmp_path / f"m{number}", files)
        (model / name).write_bytes(b"")
        with pytest.raises(BadModel) as bad:
            examine_model(model)
        assert str(model) in bad.value.en
        if name.endswith((".mdl", ".conf", "HCLG.fst")):
            assert name in bad.value.en
    with pytest.raises(BadModel, match="there is no speech model folder"):
        examine_model(tmp_path / "nowhere")


def test_the_setting_comes_first_then_the_installed_then_the_carried(tmp_path: Path, carried: Path) -> None:
    assert find_model(settings(tmp_path)) is None
    make_model(carried)
    found = find_model(settings(tmp_path))
    assert found is not None
    assert found.origin == CARRIED

    installed = models_dir(settings(tmp_path))
    make_model(installed / "a")
    make_model(installed / "b")
    make_model(installed / ".half")
    first = find_model(settings(tmp_path))
    (installed / models.CHOSEN).write_text("b\n")
    chosen = find_model(settings(tmp_path))
    assert first is not None
    assert chosen is not None
    assert (first.name, chosen.name, chosen.origin) == ("a", "b", INSTALLED)

    own = make_model(tmp_path / "own")
    named = find_model(settings(tmp_path, speech_model_dir=own))
    assert named is not None
    assert (named.path, named.origin) == (own, SETTING)


def test_a_named_model_that_is_not_there_is_complained_of_and_the_next_is_taken(tmp_path: Path, carried: Path) -> None:
    wrong = settings(tmp_path, speech_model_dir=tmp_path / "gone")
    findings = list(_speech(wrong))
    assert [f.mark for f in findings] == [WARNING, OK]
    assert "gone" in findings[0].en
    assert "keys and people" in findings[1].en
    make_model(carried)
    findings = list(_speech(wrong))
    assert [f.mark for f in findings] == [WARNING, OK]
    assert "carried" in findings[1].en


@pytest.mark.parametrize("note", ["../../etc", "/etc", ".half", "", "a/b"])
def test_the_note_of_the_chosen_model_leads_nowhere_else(tmp_path: Path, carried: Path, note: str) -> None:
    assert not carried.exists()
    installed = models_dir(settings(tmp_path))
    make_model(installed / ".half")
    (installed / models.CHOSEN).write_text(note)
    assert find_model(settings(tmp_path)) is None


def test_a_big_model_is_said_to_be_heavy(tmp_path: Path) -> None:
    big = make_model(tmp_path / "big", BIG)
    assert [f.mark for f in _speech(settings(tmp_path, speech_model_dir=big))] == [OK, WARNING]


@pytest.mark.parametrize(
    ("choice", "which", "heard_in_its_own_language"),
    [
        ("auto", CARRIED, set()),
        ("auto", SMALL, {"listen"}),
        ("auto", BIG, EVERY),
        ("never", SMALL, set()),
        ("never", BIG, EVERY),
        ("always", CARRIED, IN_SENTENCES),
        ("always", SMALL, IN_SENTENCES),
    ],
)
def test_which_turns_are_dictated(
    tmp_path: Path, choice: Choice, which: str | tuple[str, ...], heard_in_its_own_language: set[str]
) -> None:
    folder = models.CARRIED_MODEL if isinstance(which, str) else make_model(tmp_path / "m", which)
    hears = dictates(choice, examine_model(folder))
    assert {name for name in EVERY if hears(load_grammar(name))} == heard_in_its_own_language


def test_the_doctor_tells_when_a_model_dictates(tmp_path: Path, carried: Path) -> None:
    def said(model: tuple[str, ...], choice: str) -> str:
        folder = make_model(tmp_path / f"{choice}{len(model)}", model)
        found = _speech(settings(tmp_path, speech_model_dir=folder, speech_dictation=choice))
        return " ".join(finding.en for finding in found)

    assert "dictates while somebody waits" in said(SMALL, "auto")
    assert "dictates wherever" in said(SMALL, "always")
    assert "dictates" not in said(SMALL, "never")
    assert "only dictates and ignores word lists" in said(BIG, "never")
