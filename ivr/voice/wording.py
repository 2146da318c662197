"""How a name or an address is said aloud, or None when a machine had better not try: then a general wording is used.

A surname often has a reading of its own (单 is shàn, 解 is xiè). The synthesiser knows none of them, so a character
that always sounds like the surname stands in its place; tones agree.
"""

from __future__ import annotations

import re
import unicodedata

from ivr.domain.meanings import DISTRESS

LONGEST_NAME, LONGEST_ADDRESS, LONGEST_MEDICAL = 12, 40, 90
LONGEST_RELATION = 6
HAN = re.compile(r"[\u3400-\u9fff]+")
BRACKETS = re.compile(r"[(\[{【「〔<《][^)\]}】」〕>》]*[)\]}】」〕>》]")
READ_AS = {
    "单": "善", "仇": "求", "解": "谢", "区": "欧", "曾": "增", "任": "人", "朴": "瓢", "华": "化", "翟": "宅",
    "缪": "妙", "查": "渣", "盖": "舸", "葛": "舸", "折": "舌", "种": "虫", "员": "运", "贠": "运", "黑": "贺",
    "洗": "显", "过": "锅", "应": "英", "令": "凌", "召": "邵", "繁": "婆", "燕": "烟", "柏": "百", "曲": "屈",
    "都": "督", "干": "甘", "句": "勾", "藏": "臧", "於": "淤", "祭": "债", "薄": "伯", "撒": "洒",
    "卜": "补", "阚": "看", "阙": "却",
}  # fmt: skip
"""Surnames at the head of a name. Where families differ (覃 qín or tán, 乐, 宁, 隗) the common reading stays."""
READ_AS_PAIR = {"尉迟": "玉池", "万俟": "莫奇", "长孙": "掌孙", "澹台": "谈台", "单于": "蝉于", "令狐": "铃狐"}
LETTERS = dict(zip("ABCDEFG", ("诶", "必", "西", "弟", "亿", "艾夫", "技"), strict=True))
DIGITS = dict(zip("0123456789", "零幺二三四五六七八九", strict=True))
UNITS = {"mmol/l": "毫摩尔每升", "mg": "毫克", "ml": "毫升", "μg": "微克", "ug": "微克", "kg": "公斤", "/": "每"}
SIGNS = {"-": "杠", "－": "杠", "—": "杠", "#": "号", "/": "杠"}


def name_sentence(name: str) -> str | None:
    """What is recorded of a name. In a sentence: three syllables alone came with a hum before them (如王秀英)."""
    said = spoken_name(name)
    return f"求助的老人是{said}。" if said else None


def address_sentence(address: str | None) -> str | None:
    said = spoken_address(address)
    return f"住址是{said}。" if said else None


def medical_sentence(medical: str | None) -> str | None:
    """`冠心病，2019年支架；阿司匹林 100 mg` -> all of it or nothing: half a list of allergies is worse."""
    said = spoken_medical(medical)
    return f"病情和用药：{said}。" if said else None


def access_sentence(access: str | None) -> str | None:
    """`钥匙在302室邻居家` -> all of it or nothing; numbers are those of a house, letters those of a keypad."""
    plain = unicodedata.normalize("NFKC", access or "").strip().upper()
    plain = re.sub(r"[,。;:、()\[\]\n]+", "，", re.sub(r"[ \t]+", "", plain)).strip("，")
    if not plain or len(plain) > LONGEST_MEDICAL:
        return None
    plain = re.sub(r"[0-9]+", _number, plain)
    plain = "".join(LETTERS.get(sign, SIGNS.get(sign, sign)) for sign in plain)
    return f"进门的办法：{plain}。" if all(HAN.fullmatch(part) for part in plain.split("，")) else None


def relative_sentence(relative: tuple[str, str] | None) -> str | None:
    """`女儿`, `13900000001` -> digit by digit, in groups that can be written down."""
    if relative is None:
        return None
    relation, phone = _plain(relative[0]), relative[1]
    if not HAN.fullmatch(relation) or len(relation) > LONGEST_RELATION or not phone.isdecimal() or len(phone) > 15:
        return None
    digits = "".join(DIGITS[one] for one in phone)
    groups = [digits[:3], *(digits[at : at + 4] for at in range(3, len(digits), 4))]
    return f"{relation}的电话是，{'，'.join(groups)}。"


def heard_sentence(meaning: str) -> str:
    """Of an id of `domain/meanings.py`."""
    return f"老人说过：{DISTRESS[meaning]}。"


def spoken_medical(medical: str | None) -> str | None:
    plain = unicodedata.normalize("NFKC", medical or "").strip().lower()
    plain = re.sub(r"[,。;:、()\[\]\n]+", "，", re.sub(r"[ \t]+", "", plain)).strip("，")
    if not plain or len(plain) > LONGEST_MEDICAL:
        return None
    plain = re.sub(r"([0-9]+(?:\.[0-9]+)?)%", r"百分之\1", plain)
    plain = re.sub("|".join(map(re.escape, UNITS)), lambda unit: UNITS[unit[0]], plain)
    plain = re.sub(
        r"([0-9]{4})年", lambda year: "".join(DIGITS[one] for one in year[1]).replace("幺", "一") + "年", plain
    )
    plain = re.sub(r"[0-9]+(?:\.[0-9]+)?", lambda number: _amount(number[0]), plain)
    return plain if all(HAN.fullmatch(part) for part in plain.split("，")) else None


def spoken_name(name: str) -> str | None:
    """`单国强（独居）` -> `善国强`; None for what is not a Chinese name in Han characters."""
    plain = _plain(name).replace("·", "").replace(".", "").replace("•", "")
    plain = re.sub(r"\s+", "", plain)
    if not 2 <= len(plain) <= LONGEST_NAME or not HAN.fullmatch(plain):
        return None
    if plain[:2] in READ_AS_PAIR and len(plain) > 2:
        return READ_AS_PAIR[plain[:2]] + plain[2:]
    return READ_AS.get(plain[0], plain[0]) + plain[1:]


def spoken_address(address: str | None) -> str | None:
    """`建设路12号3栋502室` -> `建设路十二号三栋五零二室`, with a comma before the house for breath."""
    plain = re.sub(r"[,，。;；:：、]+", "，", re.sub(r"\s+", "", _plain(address or ""))).strip("，").upper()
    if not plain or len(plain) > LONGEST_ADDRESS:
        return None
    plain = re.sub(r"[0-9]+", _number, plain)
    plain = "".join(LETTERS.get(sign, SIGNS.get(sign, sign)) for sign in plain)
    plain = re.sub(r"([路街巷村镇道弄])(?=[零幺一二三四五六七八九十])", r"\1，", plain)
    return plain if all(HAN.fullmatch(part) for part in plain.split("，")) else None


def _plain(text: str) -> str:
    return BRACKETS.sub("", unicodedata.normalize("NFKC", text)).strip()


def _number(found: re.Match[str]) -> str:
    """Two digits are a number, three and more are read one by one, as people read a room or a telephone."""
    digits = found[0]
    if len(digits) <= 2 and not digits.startswith("0"):
        return _in_words(digits)
    return "".join(DIGITS[digit] for digit in digits)


def _amount(digits: str) -> str:
    """`100` is a hundred here, not one-zero-zero: nobody takes a room number's milligrams."""
    try:
        return _in_words(digits)
    except ValueError:  # longer than it counts
        return digits


def _in_words(digits: str) -> str:
    import cn2an  # a tenth of what an engine imports before it is there again after a kill, and rarely needed

    return str(cn2an.an2cn(digits))
