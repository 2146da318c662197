"""The journal of one incident as a hash chain: each link holds the hash of its own content and of the link before.

What it proves and what not: docs/record.md. Pure; `ivr.store.chain` writes links, `ivr audit verify` checks them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

VERSION = "yinling-chain-1"
"""Stands in every chain's beginning: another way of hashing is another version."""
CLOSED = "incident.closed"
"""The event that seals a chain."""


@dataclass(frozen=True, slots=True)
class Content:
    """What of a journal row is covered. `seq` is not: its order is, by the link's number."""

    kind: str
    at: datetime
    incident_id: str
    leg_id: str | None = None
    call_id: str | None = None
    ticket_no: str | None = None
    extension: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    def canonical(self) -> str:
        """One ASCII line; the same for what is written and for what either database gives back."""
        at = self.at.astimezone(UTC).isoformat(timespec="microseconds")
        data = json.loads(json.dumps(self.data))  # as it will come back: keys that are numbers become words
        cells = [self.incident_id, at, self.kind, self.leg_id, self.call_id, self.ticket_no, self.extension, data]
        return json.dumps(cells, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Row:
    """A journal row as the database has it. `number` counts from 1 in its chain; both None: no link."""

    seq: int
    content: Content
    number: int | None
    hash: str | None


@dataclass(frozen=True, slots=True)
class Chain:
    """What the incident's own row says of its chain."""

    incident_id: str
    after: int = 0
    """Rows up to this `seq` were there before chains were; they are not covered."""
    events: int = 0
    head: str | None = None
    sealed_events: int | None = None
    sealed_hash: str | None = None
    closed: bool = False


class Fault(StrEnum):
    CHANGED = "changed"
    MISSING = "missing"
    INSERTED = "inserted"
    MOVED = "moved"
    CUT = "cut_at_the_end"
    HEAD = "head_differs"
    SEAL = "seal_differs"
    ANCHOR = "anchor_differs"
    NO_INCIDENT = "incident_missing"


@dataclass(frozen=True, slots=True)
class Broken:
    """The first thing wrong. `seq`: the row where it shows; for what is cut off the last one that is left (0: none)."""

    fault: Fault
    seq: int


def genesis(incident_id: str, after: int) -> str:
    """What stands before the first link; so `after` cannot be moved unseen either."""
    return sha256(f"{VERSION}\n{incident_id}\n{after}".encode()).hexdigest()


def link_hash(before: str, number: int, content: Content) -> str:
    return sha256(f"{before}\n{number}\n{content.canonical()}".encode()).hexdigest()


def check(chain: Chain, rows: Sequence[Row], anchors: Sequence[tuple[int, str]] = ()) -> Broken | None:
    """The first fault of one incident's chain, or None when it is whole.

    Args:
        rows: every journal row of the incident by `seq`.
        anchors: (number, hash) pairs that were kept elsewhere.
    """
    covered: list[Row] = []
    for row in rows:
        if row.seq > chain.after:
            covered.append(row)
        elif row.number is not None or row.hash is not None:
            return Broken(Fault.INSERTED, row.seq)
    if fault := _links(chain, covered):
        return fault
    return _ends(chain, covered, anchors)


def _links(chain: Chain, rows: Sequence[Row]) -> Broken | None:
    before = genesis(chain.incident_id, chain.after)
    for place, row in enumerate(rows):
        number = place + 1
        if row.number is None or row.hash is None or row.number < number:
            return Broken(Fault.INSERTED, row.seq)
        if row.number > number:
            later = any(one.number == number for one in rows[place + 1 :])
            return Broken(Fault.MOVED if later else Fault.MISSING, row.seq)
        if link_hash(before, number, row.content) != row.hash:
            twins = (one for one in rows[place + 1 :] if one.number == number)
            real = any(link_hash(before, number, one.content) == one.hash for one in twins)
            return Broken(Fault.INSERTED if real else Fault.CHANGED, row.seq)
        before = row.hash
    return None


def _ends(chain: Chain, rows: Sequence[Row], anchors: Sequence[tuple[int, str]]) -> Broken | None:
    """The links are one chain: is it as long as it was, and the one that was sealed and anchored?"""
    last = rows[-1].seq if rows else 0
    if len(rows) < max([chain.events, chain.sealed_events or 0, *(number for number, _hash in anchors)]):
        return Broken(Fault.CUT, last)
    if len(rows) > chain.events:
        return Broken(Fault.INSERTED, rows[chain.events].seq)
    if rows and chain.head != rows[-1].hash:
        return Broken(Fault.HEAD, last)
    if fault := _seal(chain, rows):
        return fault
    for number, hash_ in anchors:
        if not 1 <= number <= len(rows) or rows[number - 1].hash != hash_:
            return Broken(Fault.ANCHOR, rows[number - 1].seq if 1 <= number <= len(rows) else last)
    return None


def _seal(chain: Chain, rows: Sequence[Row]) -> Broken | None:
    last = rows[-1].seq if rows else 0
    closing = [row for row in rows if row.content.kind == CLOSED]
    if chain.sealed_events is None or chain.sealed_hash is None:
        # One that was closed before there were chains has no seal; neither has an open one.
        if closing or (chain.closed and chain.after == 0):
            return Broken(Fault.SEAL, closing[0].seq if closing else last)
        return None
    sealed = rows[chain.sealed_events - 1] if 1 <= chain.sealed_events <= len(rows) else None
    if sealed is None or sealed.hash != chain.sealed_hash or sealed.content.kind != CLOSED or not chain.closed:
        return Broken(Fault.SEAL, sealed.seq if sealed else last)
    return None
