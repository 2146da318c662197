"""Grammar files: what a centre may write into them, and what it is told when one is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.speech.grammar import FOLDER, GrammarError, grammar_names, is_distress, load_grammar


def _folder(tmp_path: Path, **files: str) -> Path:
    for name, text in {"distress": '[says]\n"distress.help" = ["救命"]\n', **files}.items():
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", grammar_names())
def test_words_of_distress_are_in_every_grammar(name: str) -> None:
    said = load_grammar(name).phrases
    for word, meant in load_grammar("distress").phrases.items():
        assert said[word] == meant
    for word in ("急救", "救命", "摔倒", "胸口疼", "喘不上气", "着火"):
        assert is_distress(said[word])


def test_the_grammars_that_the_plan_names_exist() -> None:
    assert {
        "distress", "yes_no", "accept", "satisfaction", "services", "people", "digits", "times", "wellbeing", "listen",
    } <= set(grammar_names())  # fmt: skip


def test_ten_services_are_asked_for_by_name_and_in_plain_words() -> None:
    said = load_grammar("services").phrases
    for official, plain in (
        ("助餐", "送饭"), ("助浴", "洗澡"), ("助洁", "打扫卫生"), ("助医", "陪诊"), ("助行", "轮椅"),
        ("助急", "漏水"), ("助购", "买菜"), ("助聊", "聊天"), ("助学", "老年大学"), ("助乐", "下棋"),
    ):  # fmt: skip
        assert said[official] == said[plain]
        assert said[official].startswith("service.")


def test_listening_while_waiting_knows_services_and_distress() -> None:
    assert set(load_grammar("services").phrases) <= set(load_grammar("listen").phrases)


def test_whether_to_call_back_is_answered_with_yes_or_no_or_what_he_wants() -> None:
    said = load_grammar("call_back").phrases
    answers = {"可以": "yes", "不用了": "no", "打回来": "call_back", "我等着": "wait"}
    assert {text: said[text] for text in answers} == answers


def test_a_centre_adds_a_word_in_its_own_folder(tmp_path: Path) -> None:
    folder = _folder(tmp_path, yes_no='whole = true\n[says]\nyes = ["中", "管"]\n')
    grammar = load_grammar("yes_no", folder)
    assert grammar.phrases["管"] == "yes"
    assert grammar.phrases["救命"] == "distress.help"
    assert grammar.whole


def test_no_grammar_takes_a_word_away_from_distress(tmp_path: Path) -> None:
    folder = _folder(tmp_path, odd='[says]\nfun = ["救命"]\n')
    assert load_grammar("odd", folder).phrases["救命"] == "distress.help"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("says = 3", "says"),
        ("[says]\n", "says"),
        ('[says]\nyes = "是"\n', 'says."yes"'),
        ('[says]\nyes = ["是", 3]\n', 'says."yes"'),
        ('[says]\nyes = ["yes"]\n', 'says."yes"'),
        ('[says]\nyes = ["是 的"]\n', 'says."yes"'),
        ('[says]\n"Yes!" = ["是"]\n', 'says."Yes!"'),
        ('[says]\nyes = ["是"]\nno = ["是"]\n', 'says."no"'),
        ('whole = "ja"\n[says]\nyes = ["是"]\n', "whole"),
        ('colour = "red"\n[says]\nyes = ["是"]\n', "colour"),
        ('include = ["nowhere"]\n[says]\n', "nowhere"),
        ('include = ["../etc/passwd"]\n[says]\n', "../etc/passwd"),
        ('[says]\nyes = ["是是是是是是是是是是是是是是是"]\n', 'says."yes"'),
        ('[harmless]\nsome = ["好"]\n[says]\nyes = ["是"]\n', "harmless.some"),
        ('alone = "头晕"\n[says]\nyes = ["是"]\n', "alone"),
        ("[says\n", "yes_no.toml"),
    ],
)
def test_a_broken_file_is_one_error_that_names_file_and_entry(tmp_path: Path, text: str, named: str) -> None:
    folder = _folder(tmp_path, yes_no=text)
    with pytest.raises(GrammarError) as caught:
        load_grammar("yes_no", folder)
    assert named in caught.value.en
    assert named in caught.value.zh
    assert ".toml" in caught.value.en


def test_a_grammar_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(GrammarError, match="nothing_here"):
        load_grammar("nothing_here", _folder(tmp_path))
    with pytest.raises(GrammarError, match="no grammar file"):
        grammar_names(tmp_path / "empty")


def test_two_grammars_that_include_each_other_end(tmp_path: Path) -> None:
    one = 'include = ["two"]\n[says]\na = ["甲"]\n'
    folder = _folder(tmp_path, one=one, two='include = ["one"]\n[says]\nb = ["乙"]\n')
    assert {"甲", "乙", "救命"} == set(load_grammar("one", folder).phrases)


@given(text=st.text(max_size=200))
def test_whatever_a_file_holds_is_a_grammar_or_one_error(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = _folder(tmp_path_factory.mktemp("g"), yes_no=text)
    try:
        load_grammar("yes_no", folder)
    except GrammarError:
        return
    raise AssertionError(f"{text!r} was taken for a grammar")  # no random text holds [says] with an entry


def test_files_are_read_from_the_package() -> None:
    assert FOLDER.is_dir()
    assert all((FOLDER / f"{name}.toml").is_file() for name in grammar_names())


@pytest.mark.parametrize("entry", ["胸口疼", "…疼", "胸口…", "chest…疼", "胸口…疼…了"])
def test_an_expression_of_two_parts_is_written_with_dots_between(tmp_path: Path, entry: str) -> None:
    text = f'[says]\n"distress.help" = ["救命"]\n[apart]\n"distress.chest" = ["{entry}"]\n'
    with pytest.raises(GrammarError, match=r"distress\.chest"):
        load_grammar("yes_no", _folder(tmp_path, distress=text, yes_no='[says]\nyes = ["是"]\n'))


def test_words_that_are_treated_specially_are_words_of_distress() -> None:
    grammar = load_grammar("distress")
    assert grammar.unmistakable <= set(grammar.phrases)
    assert grammar.alone <= set(grammar.phrases)
