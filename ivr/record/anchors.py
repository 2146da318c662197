"""Heads of all chains in one file, to be kept where nobody who can write the database can write.

Whoever can change the database can also compute a whole new chain; he cannot change what was printed or sent elsewhere.
One JSON object a line; the last line is the SHA-256 of everything before it, short enough to be written on paper.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

MOST = 1 << 30  # bytes: ten million incidents
_HASH = re.compile(r"[0-9a-f]{64}")


class BadAnchors(ValueError):
    """The file says something impossible; the text names the line."""


@dataclass(frozen=True, slots=True)
class Anchors:
    made_at: str
    digest: str
    heads: dict[str, tuple[int, str]]
    """Incident -> (number of links, hash of the last one) at that time."""


def write(heads: Iterable[tuple[str, int, str]], now: datetime) -> tuple[bytes, str]:
    """The file's content and its digest."""
    lines = [json.dumps({"yinling_anchors": 1, "made_at": now.astimezone(UTC).isoformat(timespec="seconds")})]
    lines += [json.dumps({"incident": one, "events": events, "hash": hash_}) for one, events, hash_ in heads]
    body = "".join(f"{line}\n" for line in lines).encode()
    digest = sha256(body).hexdigest()
    return body + json.dumps({"sha256": digest}).encode() + b"\n", digest


def read(content: bytes) -> Anchors:
    """Raises BadAnchors."""
    *lines, last = content.splitlines(keepends=True) or [b""]
    digest = sha256(b"".join(lines)).hexdigest()
    if len(lines) < 1 or _object(last, len(lines) + 1).get("sha256") != digest:
        raise BadAnchors("the last line is not the SHA-256 of the lines before")
    first = _object(lines[0], 1)
    if first.get("yinling_anchors") != 1:
        raise BadAnchors("line 1: not an anchor file of version 1")
    heads: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines[1:], 2):
        head = _object(line, number)
        incident, events, hash_ = head.get("incident"), head.get("events"), head.get("hash")
        if not isinstance(incident, str) or not isinstance(hash_, str) or not _HASH.fullmatch(hash_):
            raise BadAnchors(f"line {number}: incident or hash")
        if not isinstance(events, int) or events < 1:
            raise BadAnchors(f"line {number}: events")
        heads[incident] = (events, hash_)
    return Anchors(str(first.get("made_at", ""))[:40], digest, heads)


def _object(line: bytes, number: int) -> dict[str, object]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise BadAnchors(f"line {number}: not a JSON object")
    return found
