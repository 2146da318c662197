"""Names aloud: read rightly, and kept from strange eyes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from pypinyin import Style, pinyin

from ivr.voice.library import Library
from ivr.voice.wording import (
    READ_AS,
    READ_AS_PAIR,
    address_sentence,
    name_sentence,
    spoken_address,
    spoken_name,
)
from tests.doubles.named_people import name_of

# The readings that dictionaries of surnames give.
SURNAMES = {
    "单": "shàn", "仇": "qiú", "解": "xiè", "区": "ōu", "曾": "zēng", "任": "rén", "朴": "piáo", "华": "huà",
    "翟": "zhái", "缪": "miào", "查": "zhā", "盖": "gě", "葛": "gě", "折": "shé", "种": "chóng", "员": "yùn",
    "贠": "yùn", "黑": "hè", "洗": "xiǎn", "过": "guō", "应": "yīng", "令": "líng", "召": "shào", "繁": "pó",
    "燕": "yān", "柏": "bǎi", "曲": "qū", "都": "dū", "干": "gān", "句": "gōu", "藏": "zāng", "於": "yū",
    "祭": "zhài", "薄": "bó", "撒": "sǎ", "卜": "bǔ", "阚": "kàn", "阙": "què",
}  # fmt: skip
PAIRS = {
    "尉迟": "yù chí", "万俟": "mò qí", "长孙": "zhǎng sūn", "澹台": "tán tái", "单于": "chán yú", "令狐": "líng hú",
}  # fmt: skip


def sounds(text: str) -> str:
    return " ".join(syllable[0] for syllable in pinyin(list(text), style=Style.TONE))


def test_what_stands_for_a_surname_sounds_like_it() -> None:
    assert {name: sounds(read) for name, read in READ_AS.items()} == SURNAMES
    assert {name: sounds(read) for name, read in READ_AS_PAIR.items()} == PAIRS


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("王桂芳", "王桂芳"),
        ("单国强", "善国强"),
        (" 张 三 （独居）", "张三"),
        ("李四(3号楼)", "李四"),
        ("买买提·艾力", "买买提艾力"),
        ("尉迟恭", "玉池恭"),
        ("单于", "善于"),
        ("王", None),
        ("", None),
        ("John Smith", None),
        ("王3", None),
        ("王" * 13, None),
        ("王桂芳；rm -rf", None),
        ("😀😀", None),
    ],
)
def test_a_name_is_said_as_people_say_it_or_not_at_all(name: str, said: str | None) -> None:
    assert spoken_name(name) == said


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("建设路12号3栋502室", "建设路，十二号三栋五零二室"),
        ("上海市徐汇区漕溪北路 1200 弄 3 号 1103", "上海市徐汇区漕溪北路，幺二零零弄，三号幺幺零三"),
        ("幸福小区3-2-501", "幸福小区三杠二杠五零幺"),
        ("银杏苑A座１８层（近菜场）", "银杏苑诶座十八层"),
        ("李家村05号", "李家村，零五号"),
        (None, None),
        ("", None),
        ("Main Street 5", None),
        ("长" * 41, None),
        ("$(reboot)", None),
    ],
)
def test_an_address_is_said_as_people_say_it_or_not_at_all(address: str | None, said: str | None) -> None:
    assert spoken_address(address) == said


def test_a_name_is_recorded_in_a_sentence_or_not_at_all() -> None:
    assert name_sentence("单国强（独居）") == name_of("善国强")
    assert name_sentence("Smith") is None
    assert address_sentence("水路2号") == "住址是水路，二号。"
    assert address_sentence("") is None


def test_the_folder_tells_nobody_who_is_in_it(tmp_path: Path) -> None:
    library = Library(tmp_path / "spoken")
    library.put("王桂芳", b"sound")
    assert library.find("王桂芳") == b"sound"
    assert library.find("李四") is None
    assert Library(tmp_path / "spoken").find("王桂芳") == b"sound", "the key is kept"
    everything = [tmp_path / "spoken", *(tmp_path / "spoken").rglob("*")]
    for path in everything:
        assert path.stat().st_mode & 0o077 == 0, path
        assert "王" not in str(path)
        assert stat.S_IMODE(path.stat().st_mode) in (0o700, 0o600)
    other = Library(tmp_path / "other")
    other.put("王桂芳", b"sound")
    assert other.path("王桂芳").name != library.path("王桂芳").name, "a hash without a key can be guessed"


def test_forgotten_is_forgotten_and_what_calls_joined_is_not_kept_for_long(tmp_path: Path) -> None:
    library = Library(tmp_path / "spoken")
    library.put("王桂芳", b"sound")
    old = Path(f"{library.keep_joined('old-family', b'joined')}.alaw")
    os.utime(old, (0, 0))
    new = Path(f"{library.keep_joined('new-family', b'joined')}.alaw")
    assert (old.exists(), new.exists()) == (False, True)
    assert library.forget() == 1
    assert list((tmp_path / "spoken").rglob("*.alaw")) == []


def test_looking_for_a_recording_makes_nothing(tmp_path: Path) -> None:
    assert Library(tmp_path / "spoken").find("王桂芳") is None
    assert not (tmp_path / "spoken").exists()
