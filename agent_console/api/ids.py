"""Ids in paths."""

from __future__ import annotations

import re
from collections.abc import Callable

from agent_console.validation import Refused

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_WORD = re.compile(r"[0-9A-Za-z_-]{1,20}")


def need_ulid(value: str, missing: Callable[[], Refused]) -> str:
    """What cannot be an id of ours is not asked for in the database."""
    if not _ULID.fullmatch(value.upper()):
        raise missing()
    return value.upper()


def need_word(value: str, missing: Callable[[], Refused]) -> str:
    if not _WORD.fullmatch(value):
        raise missing()
    return value
