"""AEAP on the wire: the JSON messages of Asterisk's res_speech_aeap, read strictly and written. No sockets here.

Facts: res_speech_aeap.c, res_aeap/message_json.c. A message is one JSON object with `request` or `response` naming what
it is, and `id`; a response may carry `error_msg`. Asterisk waits 1 s for the answer to each of its requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SUBPROTOCOL = "speech_to_text"
CODEC = "slin"
FRAME_LIMIT = 64_000
"""Bytes of one WebSocket message; Asterisk's frames are 320, its requests under 1,000."""
_NAMES = ("setup", "get", "set")
_ID = re.compile(r"[a-z0-9_.]{1,60}")


class AeapError(Exception):
    """What was wrong with a message; never quotes it."""


@dataclass(frozen=True, slots=True)
class Request:
    """`name` is setup, get or set; `params` is an object, for `get` the keys are what is asked for."""

    name: str
    id: str
    params: Mapping[str, Any] = field(default_factory=dict)
    codecs: tuple[str, ...] = ()


def parse(text: str) -> Request | None:
    """A request of Asterisk's; None for its response to one of ours.

    Raises:
        AeapError: neither.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise AeapError("not JSON") from None
    if not isinstance(message, dict):
        raise AeapError("not an object")
    if "response" in message:
        return None
    name, number = message.get("request"), message.get("id")
    if name not in _NAMES:
        raise AeapError("request is none of setup, get, set")
    if not isinstance(number, str) or not 0 < len(number) <= 100:
        raise AeapError("id is missing")
    return Request(name, number, _params(name, message.get("params")), _codecs(message.get("codecs")))


def _params(name: str, found: object) -> dict[str, Any]:
    if found is None:
        return {}
    if name == "get" and isinstance(found, list) and all(isinstance(key, str) for key in found):
        return dict.fromkeys(found)
    if isinstance(found, dict):
        return found
    raise AeapError("params is not an object")


def _codecs(found: object) -> tuple[str, ...]:
    if not isinstance(found, list):
        return ()
    return tuple(str(codec["name"]) for codec in found if isinstance(codec, dict) and "name" in codec)


def accepted_setup(request: Request) -> str:
    return _written({"response": "setup", "id": request.id, "codecs": [{"name": CODEC}]})


def done(request: Request, params: Mapping[str, Any] | None = None) -> str:
    return _written({"response": request.name, "id": request.id} | ({"params": params} if params is not None else {}))


def refused(name: str, number: str, why: str) -> str:
    """An answer with an error: Asterisk logs `why`, and the AGI command that asked fails."""
    return _written({"response": name, "id": number, "error_msg": why})


def results(number: str, meaning: str, score: int, grammar: str) -> str:
    """What ends a `SPEECH RECOGNIZE`. Asterisk does not escape `text`: it must be an id of ours, never raw speech.

    Raises:
        ValueError: an id that could break Asterisk's line.
    """
    if not _ID.fullmatch(meaning):
        raise ValueError("a meaning is letters, digits, dots and underscores")
    found = {"text": meaning, "score": score, "grammar": grammar, "best": 0}
    return _written({"request": "set", "id": number, "params": {"results": [found]}})


def _written(message: Mapping[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))
