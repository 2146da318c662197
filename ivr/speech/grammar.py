"""What may be said in one turn, read from `grammars/*.toml`: texts as people say them, each with the id it means.

A centre edits these files; whatever is wrong in one is a single error that names the file and the entry. The words of
distress are part of every grammar, so that no turn of any flow is deaf to them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ivr.errors import PlainError

FOLDER = Path(__file__).with_name("grammars")
DISTRESS = "distress"
LONGEST_ENTRY = 12
"""Characters: a grammar holds words and short phrases; a recogniser finds no whole sentence by heart."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_ID = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
_HAN = re.compile(r"[\u3400-\u9fff]+")
_KEYS = {"title", "english", "whole", "sequence", "include", "says", "harmless", "unmistakable", "alone", "apart"}


class GrammarError(PlainError):
    """A grammar file is wrong; the text names the file and the entry."""


@dataclass(frozen=True)
class Grammar:
    """One turn's vocabulary."""

    name: str
    phrases: Mapping[str, str]
    """Text to id; the grammar's own and those of distress."""
    title: str = ""
    whole: bool = False
    """A short answer: it must be all that was said. Distress is exempt."""
    sequence: bool = False
    """Entries follow one another (digits, times); the text is read by `numerals`."""
    harmless: frozenset[str] = frozenset()
    """Sayings that hold a word of distress and are none (急救箱)."""
    unmistakable: frozenset[str] = frozenset()
    """Two-character entries that sound like no other word: in free text their sound is enough."""
    alone: frozenset[str] = frozenset()
    """Entries of distress that count when little else is said."""
    apart: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Two parts of an expression with a few characters between, and the id: for free text only."""
    over: frozenset[str] = frozenset()
    """Said after an entry, it is past (好多了)."""
    elsewhere: frozenset[str] = frozenset()
    """After one of these, the rest of the sentence tells of the past or of somewhere else (电视里)."""

    @cached_property
    def ids(self) -> frozenset[str]:
        return frozenset(self.phrases.values())

    @cached_property
    def distress(self) -> Mapping[str, str]:
        return {text: meant for text, meant in self.phrases.items() if is_distress(meant)}

    @cached_property
    def own(self) -> Mapping[str, str]:
        """Without the words of distress."""
        return {text: meant for text, meant in self.phrases.items() if not is_distress(meant)}


def is_distress(meant: str) -> bool:
    return meant.startswith(f"{DISTRESS}.")


def grammar_names(folder: Path | None = None) -> tuple[str, ...]:
    """Every grammar that can be named; raises GrammarError when the folder holds none."""
    where = folder or FOLDER
    names = tuple(sorted(path.stem for path in where.glob("*.toml")))
    if not names:
        raise GrammarError(f"{where} 里没有语法文件", f"{where}: no grammar file (*.toml)")
    return names


def load_grammar(name: str, folder: Path | None = None) -> Grammar:
    """One grammar with those it includes and with distress; raises GrammarError."""
    where = folder or FOLDER
    phrases: dict[str, str] = {}
    seen: set[str] = set()
    table = _read(where, name, seen, phrases)
    help_wanted = table if name == DISTRESS else _read(where, DISTRESS, seen, phrases)
    signs = help_wanted.get("harmless", {})
    return Grammar(
        name=name,
        phrases=MappingProxyType(phrases),
        title=table.get("title", name),
        whole=table.get("whole", False),
        sequence=table.get("sequence", False),
        harmless=frozenset(signs.get("words", ())),
        unmistakable=frozenset(help_wanted.get("unmistakable", ())),
        alone=frozenset(help_wanted.get("alone", ())),
        apart=MappingProxyType(_apart(where / f"{DISTRESS}.toml", help_wanted.get("apart", {}))),
        over=frozenset(signs.get("over", ())),
        elsewhere=frozenset(signs.get("elsewhere", ())),
    )


def _read(folder: Path, name: str, seen: set[str], phrases: dict[str, str]) -> dict[str, Any]:
    """One file, and into `phrases` what it and its includes say."""
    path = folder / f"{name}.toml"
    if not _NAME.fullmatch(name):
        raise _wrong(path, name[:40], "名字只用小写字母、数字和下划线", "a name is small letters, digits and _")
    seen.add(name)
    table = _toml(path)
    if unknown := table.keys() - _KEYS:
        raise _wrong(path, min(unknown), "不认识这一项", f"unknown entry; known are {', '.join(sorted(_KEYS))}")
    for key, kind in (("title", str), ("english", str), ("whole", bool), ("sequence", bool)):
        if key in table and not isinstance(table[key], kind):
            raise _wrong(path, key, "类型不对", f"expected {kind.__name__}, got {table[key]!r}")
    says = table.get("says")
    if not isinstance(says, dict):
        raise _wrong(path, "says", "缺少 [says]", "the table [says] is missing")
    own: dict[str, str] = {}
    for meant, texts in says.items():
        _add(path, meant, texts, own)
    _check_signs(path, table.get("harmless", {}))
    for key in ("unmistakable", "alone"):
        _texts(path, key, table.get(key, []), _HAN)
    include = _texts(path, "include", table.get("include", []), None)
    for other in include:
        if other not in seen:
            _read(folder, other, seen, phrases)
    if not own and not include:
        raise _wrong(path, "says", "一句话也没有", "holds no phrase")
    for text, meant in own.items():
        # A turn's own meaning goes before an included one, but nothing takes a word away from distress.
        if not is_distress(phrases.get(text, "")):
            phrases[text] = meant
    return table


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GrammarError(
            f"语法文件读不了：{path}（{error.strerror}）", f"grammar file {path} cannot be read: {error.strerror}"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GrammarError(f"语法文件格式不对：{path}：{error}", f"{path}: is not valid TOML: {error}") from error


def _add(path: Path, meant: str, texts: object, own: dict[str, str]) -> None:
    if not _ID.fullmatch(meant):
        raise _wrong(
            path, f'says."{meant}"', "代号只用小写字母、数字、_ 和 .", "an id is small letters, digits, _ and ."
        )
    for text in _texts(path, f'says."{meant}"', texts, _HAN):
        if own.setdefault(text, meant) != meant:
            raise _wrong(
                path, f'says."{meant}"', f"“{text}”已经属于 {own[text]}", f"{text!r} already means {own[text]}"
            )


def _apart(path: Path, table: object) -> dict[tuple[str, str], str]:
    """`胸口…疼` → (胸口, 疼)."""
    if not isinstance(table, dict):
        raise _wrong(path, "apart", "应是一个表", "expected a table")
    pairs: dict[tuple[str, str], str] = {}
    for meant, texts in table.items():
        for text in _texts(path, f'apart."{meant}"', texts, None):
            first, dots, second = text.partition("…")
            if not dots or not _HAN.fullmatch(first) or not _HAN.fullmatch(second) or not _ID.fullmatch(meant):
                raise _wrong(path, f'apart."{meant}"', f"“{text[:30]}”应写成 胸口…疼", f"{text[:30]!r}: write 胸口…疼")
            pairs[first, second] = meant
    return pairs


def _check_signs(path: Path, signs: object) -> None:
    if not isinstance(signs, dict):
        raise _wrong(path, "harmless", "应是一个表", "expected a table")
    for key, texts in signs.items():
        if key not in ("words", "elsewhere", "over"):
            raise _wrong(path, f"harmless.{key}", "不认识这一项", "unknown entry; known are words, elsewhere, over")
        _texts(path, f"harmless.{key}", texts, _HAN)


def _texts(path: Path, entry: str, texts: object, allowed: re.Pattern[str] | None) -> list[str]:
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        raise _wrong(path, entry, '应是一串文字，例如 ["好", "行"]', 'expected a list of texts such as ["好", "行"]')
    for text in texts:
        if allowed and (not allowed.fullmatch(text) or len(text) > LONGEST_ENTRY):
            raise _wrong(
                path, entry, f"“{text[:30]}”应只用汉字，最多 {LONGEST_ENTRY} 个字",
                f"{text[:30]!r}: Chinese characters only, at most {LONGEST_ENTRY}",
            )  # fmt: skip
    return texts


def _wrong(path: Path, entry: str, zh: str, en: str) -> GrammarError:
    return GrammarError(f"语法文件 {path} 的 {entry}：{zh}", f"grammar file {path}, {entry}: {en}")
