"""What must hold whatever was broken: the far ends' logs against the journal. Pure, so that it can be tested itself.

All times are `time.monotonic()` of the far ends; an event's is when it could be read (`watch.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Protocol

RACE_S = 1.0
"""A dial that was under way when somebody accepted may still reach his phone."""
CALL_BACK_S = 15.0
MOST_LOST = 5
"""So often a lost dial is made again (`ivr.domain.cascade.MAX_LOST`)."""
Span = tuple[float, float]


class Event(Protocol):
    @property
    def at(self) -> float: ...
    @property
    def kind(self) -> str: ...
    @property
    def leg_id(self) -> str | None: ...
    @property
    def data(self) -> Mapping[str, object]: ...


@dataclass(frozen=True)
class Seen:
    """One emergency as the far ends saw it."""

    elder_no: str
    contacts: Sequence[str]
    """In the family's order."""
    acknowledged: bool
    """The alarm's 201 arrived, or the caller heard a voice."""
    invites: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Number -> when its phone was invited."""
    torn: Sequence[float] = ()
    """When a line of the elder's was cut by Asterisk's end."""
    called_back: Sequence[float] = ()
    """When the elder's own phone was invited."""
    outages: Sequence[Span] = ()
    """Asterisk, the engine or the cable between them was away."""
    until: float = float("inf")
    """The end of looking."""


@dataclass(frozen=True)
class Dial:
    """One `leg.dialled` with its end."""

    at: float
    accepted_at: float | None = None
    ended_at: float | None = None
    outcome: str | None = None

    @property
    def stands(self) -> bool:
        """Somebody came, and no fault took him away again."""
        return self.accepted_at is not None and self.outcome != "lost"


@dataclass(frozen=True)
class Told:
    """The same as the journal tells it: number -> its dials."""

    dials: Mapping[str, Sequence[Dial]]


def told(family: Mapping[str, str], events: Iterable[Event]) -> Told:
    """`family`: leg id -> number."""
    dials: dict[str, list[Dial]] = {number: [] for number in family.values()}
    for event in events:
        number = family.get(event.leg_id or "")
        if number is None:
            continue
        mine = dials[number]
        if event.kind == "leg.dialled":
            mine.append(Dial(event.at))
        elif mine and event.kind == "leg.accepted":
            mine[-1] = Dial(mine[-1].at, event.at)
        elif mine and event.kind == "leg.torn":
            mine[-1] = replace(mine[-1], outcome="lost")
        elif mine and event.kind == "leg.ended":
            mine[-1] = Dial(mine[-1].at, mine[-1].accepted_at, event.at, str(event.data.get("outcome")))
    return Told(dials)


def settled(record: Told, rounds: int) -> bool:
    """A relative is in the room or was; or everybody has been tried in every round."""
    last = [dials[-1] for dials in record.dials.values() if dials]
    if any(dial.stands for dials in record.dials.values() for dial in dials):
        return True
    if any(dial.ended_at is None for dial in last):
        return False
    return all(_tried_out(dials, rounds) for dials in record.dials.values())


def _tried_out(dials: Sequence[Dial], rounds: int) -> bool:
    lost = sum(dial.outcome == "lost" for dial in dials)
    return len(dials) - lost >= rounds or lost >= MOST_LOST


def violations(seen: Seen, record: Told | None, *, rounds: int, parallel: int) -> list[str]:
    """Sentences; none when every invariant holds. The emergency must have come to rest before."""
    if record is None:
        return [f"{seen.elder_no}: acknowledged and on no record"] if seen.acknowledged else []
    return [
        *_unrecorded(seen, record),
        *_dialled_on(seen, record),
        *_skipped(seen, record, rounds),
        *_doubtful(record),
        *_out_of_turn(seen, record, parallel),
        *_not_called_back(seen),
    ]


def _unrecorded(seen: Seen, record: Told) -> list[str]:
    counted = {number: (len(times), len(record.dials.get(number, ()))) for number, times in seen.invites.items()}
    return [f"{n}: rang {rang} times, {dials} dials on record" for n, (rang, dials) in counted.items() if rang > dials]


def _dialled_on(seen: Seen, record: Told) -> list[str]:
    """From an acceptance on nobody rings, unless a fault took him who had accepted."""
    spans = [
        (dial.accepted_at, dial.ended_at if not dial.stands and dial.ended_at is not None else float("inf"))
        for dials in record.dials.values()
        for dial in dials
        if dial.accepted_at is not None
    ]
    return [
        f"{number}: dialled {at - since:.1f} s after somebody had accepted"
        for since, until in spans
        for number, times in seen.invites.items()
        for at in times
        if since + RACE_S < at < until
    ]


def _skipped(seen: Seen, record: Told, rounds: int) -> list[str]:
    if any(dial.stands for dials in record.dials.values() for dial in dials):
        return []
    return [
        f"{number}: nobody accepted, and it rang {len(seen.invites.get(number, ()))} of {rounds} times"
        for number in seen.contacts
        if len(seen.invites.get(number, ())) < rounds
    ]


def _doubtful(record: Told) -> list[str]:
    """What was lost is dialled again, unless somebody has come meanwhile."""
    if any(dial.stands for dials in record.dials.values() for dial in dials):
        return []
    return [
        f"{number}: its last dial was lost and not made again"
        for number, dials in record.dials.items()
        if dials and dials[-1].outcome == "lost" and sum(dial.outcome == "lost" for dial in dials) < MOST_LOST
    ]


def _out_of_turn(seen: Seen, record: Told, parallel: int) -> list[str]:
    """A dial that is on record was his turn, though it was lost before his phone rang: it is made again."""
    first = [min(seen.invites.get(number, ()), default=None) for number in seen.contacts]
    turns = [min([dial.at for dial in record.dials.get(number, ())], default=None) for number in seen.contacts]
    had = [min((at for at in both if at is not None), default=None) for both in zip(first, turns, strict=True)]
    found = []
    for place, at in enumerate(first):
        before = had[: max(0, place - parallel + 1)]
        if at is not None and any(other is None or other > at for other in before):
            found.append(f"{seen.contacts[place]}: dialled before somebody whose turn it was")
    return found


def call_backs(seen: Seen) -> list[tuple[float, float | None]]:
    """For each cut that could be healed: (since when nothing was broken any more, seconds until his phone rang)."""
    found: list[tuple[float, float | None]] = []
    for cut in seen.torn:
        since = healed(cut, seen.outages)
        rang = min((at for at in seen.called_back if at >= cut), default=None)
        if rang is not None and rang < since:  # in a pause between two faults
            since = max([cut, *(end for _, end in seen.outages if cut < end <= rang)])
        if rang is not None or since + CALL_BACK_S <= seen.until:
            found.append((since, None if rang is None else rang - since))
    return found


def healed(cut: float, outages: Sequence[Span]) -> float:
    """From then on nothing was broken for long enough."""
    edges = [(cut, cut), *sorted(span for span in outages if span[1] > cut), (float("inf"), float("inf"))]
    free = cut
    for one, following in pairwise(edges):
        free = max(free, one[1])
        if following[0] - free > CALL_BACK_S:
            return free
    return free


def _not_called_back(seen: Seen) -> list[str]:
    return [
        f"{seen.elder_no}: his line was cut, and he was not called back within {CALL_BACK_S:g} s of Asterisk's return"
        + ("" if took is None else f" but after {took:.1f} s")
        for _, took in call_backs(seen)
        if took is None or took > CALL_BACK_S
    ]
