"""From hypotheses to ids: short answers, distress in a sentence, and what must never be taken for either."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.speech.ear import UNKNOWN, Hypothesis, Word
from ivr.speech.grammar import Grammar, grammar_names, is_distress, load_grammar
from ivr.speech.numerals import digits_in, time_in
from ivr.speech.sounds import distance, find, syllables
from ivr.speech.spotting import spot
from ivr.speech.understand import understand

YES_NO, ACCEPT, LISTEN = load_grammar("yes_no"), load_grammar("accept"), load_grammar("listen")


def _heard(
    said: str, *, final: bool = True, confidence: float = 1.0, per_word_s: float = 0.4, after_s: float = 1.0
) -> Hypothesis:
    words = tuple(
        Word(word, confidence, at * per_word_s, (at + 1) * per_word_s) for at, word in enumerate(said.split())
    )
    return Hypothesis(said.replace(" ", ""), words, final, len(words) * per_word_s + after_s)


def _id(grammar_name: str, said: str, **more: float) -> str | None:
    found = understand(load_grammar(grammar_name), _heard(said, **more))  # type: ignore[arg-type]
    return found.id if found else None


@pytest.mark.parametrize(
    ("grammar", "said", "meant"),
    [
        ("yes_no", "是 的", "yes"),
        ("yes_no", "对 对 对", "yes"),
        ("yes_no", "要得", "yes"),
        ("yes_no", "好的 好的", "yes"),
        ("yes_no", "不用 了", "no"),
        ("yes_no", "不 是", "no"),
        ("accept", "我 马上 来", "accept"),
        ("accept", "不 方便", "decline"),
        ("accept", "打错 了", "decline"),
        ("satisfaction", "非常 满意", "very_satisfied"),
        ("satisfaction", "非常 不 满意", "very_dissatisfied"),
        ("satisfaction", "不 满意", "dissatisfied"),
        ("services", "帮 我 洗澡", "service.bath"),
        ("people", "我 儿子", "person.son"),
        ("wellbeing", "我 没事", "well"),
        ("wellbeing", "不 舒服", "unwell"),
        ("digits", "幺 二 零", "digits.120"),
        ("times", "下午 三点", "time.pm.1500"),
        ("times", "都行", "time.any"),
    ],
)
def test_short_answers(grammar: str, said: str, meant: str) -> None:
    assert _id(grammar, said) == meant


@pytest.mark.parametrize(
    ("grammar", "said"),
    [
        ("yes_no", UNKNOWN),
        ("yes_no", f"好 {UNKNOWN}"),
        ("yes_no", f"{UNKNOWN} 是 的"),
        ("yes_no", "是 不是"),
        ("yes_no", "好 不 用"),
        ("accept", f"{UNKNOWN} 接通 {UNKNOWN}"),
        ("satisfaction", "满意 不 满意"),
        ("digits", f"幺 {UNKNOWN} 零"),
        ("services", UNKNOWN),
        ("distress", "好 的"),
        ("accept", "好多"),
    ],
)
def test_unknown_or_contradictory_speech_is_nothing(grammar: str, said: str) -> None:
    assert _id(grammar, said) is None


def _spaced(said: str) -> Hypothesis:
    """Words of 0.4 s; `|` is a breath (0.25 s) and `…` a pause (0.8 s) between them."""
    words, now = list[Word](), 0.0
    for sign in said.split():
        if sign in "|…":
            now += 0.25 if sign == "|" else 0.8
            continue
        words.append(Word(sign, 1.0, now, now + 0.4))
        now += 0.4
    return Hypothesis("".join(word.text for word in words), tuple(words), True, now + 1)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("我想 洗澡 … 不 | 买菜", "service.shopping"),
        ("我想 洗澡 | 不 | 买菜", "service.shopping"),
        ("我想 洗澡 … 不是 | 买菜", "service.shopping"),
        ("帮我洗澡 … 买菜", "service.shopping"),
        (f"我想 洗澡 … {UNKNOWN} 买菜", "service.shopping"),
        ("我想 洗澡 … 不要 买菜", "service.bath"),
        ("我想 洗澡 不要 买菜", "service.bath"),
        ("不 | 洗澡", None),
        (f"我想 洗澡 … {UNKNOWN}", "service.bath"),
        ("我想 洗澡 … 不 | 不", "service.bath"),
        ("我想 买 … 米", "service.shopping"),
        ("我想 洗澡 打扫 卫生", "service.cleaning"),
    ],
)
def test_the_later_of_two_wishes_counts_and_a_correction_denies_it_not(said: str, meant: str | None) -> None:
    for grammar in ("services", "listen"):
        found = understand(load_grammar(grammar), _spaced(said))
        assert (found and found.id) == meant, grammar


def test_a_breath_after_a_denial_makes_no_distress_of_it() -> None:
    found = understand(LISTEN, _spaced("我想 洗澡 | 没有 | 摔倒"))
    assert found is None or not is_distress(found.id)


def test_a_voicemail_accepts_nothing() -> None:
    said = "好 的 好 的 好 的 好 的 好 的 好 的 好 的"
    assert _id("accept", said) is None
    text = "您好，您拨打的用户暂时无法接通，好的请在提示音后留言"
    assert understand(ACCEPT, Hypothesis(text, (), True, 6.0)) is None


def test_what_was_hardly_heard_is_nothing() -> None:
    assert _id("yes_no", "是 的", confidence=0.4) is None
    assert _id("yes_no", "救命", confidence=0.3) is None


def test_an_answer_waits_for_the_end_of_speech() -> None:
    assert understand(YES_NO, _heard("是 的", final=False)) is None


@pytest.mark.parametrize("grammar", grammar_names())
def test_distress_is_heard_in_every_turn_and_beside_unknown_speech(grammar: str) -> None:
    for said in ("救命", f"{UNKNOWN} 摔倒 了 {UNKNOWN}", f"{UNKNOWN} 喘 不 上 气"):
        found = _id(grammar, said)
        assert found is not None
        assert is_distress(found)


def test_distress_is_acted_on_before_the_end_once_it_stands() -> None:
    early = understand(YES_NO, _heard(f"{UNKNOWN} 摔倒 了", final=False, after_s=0.7))
    assert early is not None
    assert early.id == "distress.fall"
    assert understand(YES_NO, _heard("摔倒 了", final=False, after_s=0.1)) is None


def test_a_word_that_may_become_harmless_must_stand_longer() -> None:
    assert understand(YES_NO, _heard("急救", final=False, after_s=0.4)) is None
    assert understand(YES_NO, _heard("急救", final=False, after_s=0.7)) is not None
    assert understand(YES_NO, _heard("急救 箱", final=False, after_s=0.7)) is None


@pytest.mark.parametrize(
    "said", ["没有 摔倒", "我 没 摔倒", "不是 摔倒", "急救 箱", "电视里 有 人 摔倒 了", "没有 头晕"]
)
@pytest.mark.parametrize("grammar", ["yes_no", "accept", "listen", "distress"])
def test_denied_or_told_distress_is_neither_distress_nor_yes(grammar: str, said: str) -> None:
    found = _id(grammar, said)
    assert found is None or not is_distress(found)
    assert found not in ("yes", "accept")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("我妈从床上掉下来了，说不出话", {"distress.fall", "distress.stroke"}),
        ("就命啊，快来人呐", {"distress.help"}),
        ("我穿不上气来了", {"distress.breath"}),
        ("他不能呼吸了", {"distress.breath"}),
        ("老頭子暈倒了", {"distress.faint"}),
    ],
)
def test_distress_in_free_text_is_found_by_sound(text: str, meant: set[str]) -> None:
    found = spot(LISTEN, text)
    assert found is not None
    assert found.id in meant


@pytest.mark.parametrize(
    "text",
    [
        "我昨天看电视里有人摔倒了", "没有摔倒", "急救箱在哪里买", "想问问助浴", "我是厨师", "这个期货怎么样",
        "我不用救护车", "你们的急救培训班还办不办", "", "hello 123", "今天天气不错",
    ],
)  # fmt: skip
def test_ordinary_free_text_is_no_distress(text: str) -> None:
    found = spot(LISTEN, text)
    assert found is None or not is_distress(found.id)


def test_a_service_is_found_in_free_text() -> None:
    found = spot(LISTEN, "我想问一下能不能派个人来打扫卫生")
    assert found is not None
    assert found.id == "service.cleaning"


HAN = st.text(alphabet="救命摔倒没有不是的了我妈胸口疼电视里好行要来着火急箱", max_size=25)


def _told(meaning: str, grammar: Grammar) -> bool:
    if grammar.sequence and (digits_in(meaning) or time_in(meaning)):
        return True
    return meaning in grammar.ids


@given(text=HAN, final=st.booleans(), name=st.sampled_from(grammar_names()))
def test_whatever_is_written_down_is_understood_or_not_but_never_breaks(text: str, final: bool, name: str) -> None:
    grammar = load_grammar(name)
    found = understand(grammar, Hypothesis(text, (), final, 3.0))
    assert found is None or (_told(found.id, grammar) and 0 <= found.score <= 1)


@given(words=st.lists(st.sampled_from(["是", "不", "好", "救命", "摔倒", "了", "没有", UNKNOWN, "明天"]), max_size=8))
def test_understood_ids_are_always_the_grammars_own(words: list[str]) -> None:
    found = understand(YES_NO, _heard(" ".join(words)))
    assert found is None or found.id in YES_NO.ids


@given(one=HAN, other=HAN)
def test_likeness_of_sounds_is_a_measure(one: str, other: str) -> None:
    a, b = syllables(one), syllables(other)
    assert 0 <= distance(a, b) <= 1
    assert distance(a, a) == 0
    if a:
        found = find(a, b + a)
        assert found is not None
        assert found.cost == 0


def test_what_dialect_and_line_confuse_is_nearer_than_what_they_do_not() -> None:
    def apart(one: str, other: str) -> float:
        return distance(syllables(one), syllables(other))

    assert apart("按错", "暗错") == 0
    assert apart("四", "是") < 0.15 < apart("四", "八")
    assert apart("女", "旅") < 0.15
    assert apart("护", "父") < 0.15


def test_a_partial_result_that_is_not_sure_is_not_acted_on() -> None:
    assert understand(YES_NO, _heard("摔倒 了", final=False, after_s=1.0, confidence=0.7)) is None
    assert understand(YES_NO, _heard("摔倒 了", final=True, confidence=0.7)) is not None


@pytest.mark.parametrize("text", ["我胸口像针扎一样疼", "他怎么叫都没有反应", "快点给我们叫一辆救护车"])
def test_an_expression_may_have_other_words_in_its_middle(text: str) -> None:
    found = spot(LISTEN, text)
    assert found is not None
    assert is_distress(found.id)


@pytest.mark.parametrize(
    ("alone", "inside"),
    [("头晕", "治头晕的那种药吃完了"), ("煤气", "小区的煤气什么时候改造"), ("胸闷", "胸闷挂哪个科的号")],
)
def test_some_words_are_distress_only_when_little_else_is_said(alone: str, inside: str) -> None:
    said = spot(LISTEN, f"我{alone}")
    assert said is not None
    assert is_distress(said.id)
    other = spot(LISTEN, inside)
    assert other is None or not is_distress(other.id)


def test_what_is_over_is_no_distress() -> None:
    for text in ("上回摔了一跤", "我流鼻血已经止住了", "他昏迷了两天现在恢复了"):
        found = spot(LISTEN, text)
        assert found is None or not is_distress(found.id)


# ---- dictation with its words


def _dictated(said: str, **more: float) -> Hypothesis:
    return replace(_heard(said, **more), dictated=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("grammar", "said", "meant"),
    [
        ("listen", "我 妈 从 床上 掉 下来 了", "distress.fall"),
        ("listen", "我 穿不上 气 来 了", "distress.breath"),
        ("listen", "能 不能 派 人 来 打扫 卫声", "service.cleaning"),
        ("services", "我 想 请 人 来 打扫 卫声", "service.cleaning"),
        ("accept", "我 马 上来", "accept"),
        ("accept", "救命 啊", "distress.help"),
        ("digits", "一 三八 零零", "digits.13800"),
        ("times", "上午 九点 半", "time.am.0930"),
        ("digits", "我 一 三八", None),
        ("listen", "没有 摔倒", None),
        ("listen", "今天 天气 不错", None),
        ("accept", "您好 您 拨打 的 用户 好的 请 留言", None),
        ("distress", "打扫 卫生", None),
    ],
)
def test_dictated_sentences_are_looked_through_by_sound(grammar: str, said: str, meant: str | None) -> None:
    found = understand(load_grammar(grammar), _dictated(said))
    assert (found and found.id) == meant


def test_a_dictated_wish_or_answer_must_be_sure_and_distress_need_not() -> None:
    def meant(grammar: str, said: str, confidence: float) -> str | None:
        found = understand(load_grammar(grammar), _dictated(said, confidence=confidence))
        return found.id if found else None

    for grammar, said in (("listen", "打扫 卫生"), ("accept", "马上 来")):
        assert meant(grammar, said, 0.8)
        assert meant(grammar, said, 0.4) is None
    assert meant("listen", "我 摔倒 了", 0.4) == "distress.fall"


def test_a_long_dictated_answer_is_no_short_one() -> None:
    assert understand(ACCEPT, _dictated("好的 马上 来", per_word_s=0.5))
    assert understand(ACCEPT, _dictated("好的 马上 来", per_word_s=1.5)) is None


@pytest.mark.parametrize(
    ("said", "after_s", "confidence", "meant"),
    [
        ("我 妈 摔倒 了", 0.7, 1.0, "distress.fall"),
        ("我 妈 率到 了", 0.7, 1.0, None),  # a near sound waits for the end
        ("我 妈 摔倒 了", 0.3, 1.0, None),
        ("我 妈 摔倒 了", 0.7, 0.8, None),
        ("没有 摔倒", 0.7, 1.0, None),
        ("头晕", 2.0, 1.0, None),  # 头晕的药吃完了 may follow
        ("喘 布 上 气", 0.7, 1.0, "distress.breath"),  # the same sound
        ("打扫 卫生", 2.0, 1.0, None),
    ],
)
def test_dictation_is_acted_on_in_mid_sentence_only_when_decisive(
    said: str, after_s: float, confidence: float, meant: str | None
) -> None:
    found = understand(LISTEN, _dictated(said, final=False, after_s=after_s, confidence=confidence))
    assert (found and found.id) == meant


@given(words=st.lists(HAN, max_size=6), final=st.booleans(), name=st.sampled_from(grammar_names()))
def test_whatever_is_dictated_is_understood_or_not_but_never_breaks(words: list[str], final: bool, name: str) -> None:
    grammar = load_grammar(name)
    found = understand(grammar, _dictated(" ".join(words), final=final))
    assert found is None or (_told(found.id, grammar) and 0 <= found.score <= 1 + 1e-9)
