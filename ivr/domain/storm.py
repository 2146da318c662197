"""A storm: more alarms than people. When it begins and ends, who is called next, and in what order people are served.

Pure decisions, so that they can be tested to the corners. The order is one number per incident, greatest first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Triage(StrEnum):
    """What a machine's call to the elder has brought to light."""

    PENDING = "pending"
    CALLING = "calling"
    SAFE = "safe"
    HELP = "help"
    SILENT = "silent"  # somebody or something answered and said nothing: it counts as need
    NO_ANSWER = "no_answer"  # not reached in any try


NEED = (Triage.HELP, Triage.SILENT, Triage.NO_ANSWER)
"""Asked, and not safe: the family is called now."""

_BAND = {
    Triage.HELP: 80,
    Triage.SILENT: 70,
    Triage.NO_ANSWER: 60,
    Triage.PENDING: 40,
    Triage.CALLING: 40,
    Triage.SAFE: 0,
}
_UNKNOWN_BAND = 40
CALLED_BAND = 90
"""The elder telephoned himself: nothing a machine asked says more."""
ON_THE_LINE = 100
CALLED_US = 200
MOST_SEVERE = 9
_SEVERITY = {
    "emergency_call": 9, "one_key": 9, "call": 9, "fall": 9, "smoke": 9, "gas": 9, "sos": 8, "radar": 7,
    "press": 7, "button": 7, "pendant": 7, "inactivity": 5, "location": 0, "cancel": 0,
}  # fmt: skip
_ORDINARY_SEVERITY = 6


def severity(kind: str) -> int:
    """0 to 9; what nobody has heard of is taken seriously."""
    return _SEVERITY.get(kind, _ORDINARY_SEVERITY)


def risk(triage: Triage | None, worst: int, *, telephoned: bool) -> int:
    """The stored part of an incident's place in the order. `worst`: severity of its worst alarm.

    A safe one stays behind every other, whatever its alarm was; who is silent or needs help before all safe ones.
    """
    if triage is Triage.SAFE:
        return min(worst, MOST_SEVERE)
    band = CALLED_BAND if telephoned else _BAND.get(triage, _UNKNOWN_BAND) if triage else _UNKNOWN_BAND
    return band + min(worst, MOST_SEVERE)


def rank(stored: int, *, on_the_line: bool, called_us: bool) -> int:
    """With what is true only now: somebody is alone on the line; a new caller of his own comes first of all."""
    return stored + (CALLED_US if called_us else ON_THE_LINE if on_the_line else 0)


@dataclass(frozen=True, slots=True)
class StormPolicy:
    waiting_per_seat: int = 5
    alarms_per_min: int = 60
    ports: int = 60
    reserved_share: float = 0.3
    tries: int = 2
    again_s: float = 30.0  # between two tries of one elder
    urgency_s: float = 10.0  # one step of severity is worth this much waiting
    seats_each: int = 2  # seats that ring for one incident while others wait


@dataclass(frozen=True, slots=True)
class Pressure:
    """What decides whether there is a storm."""

    waiting: int  # open incidents that nobody attends and that hold no line; safe ones do not count
    seats: int  # ready
    alarms_last_min: int
    lines: int = 0  # of the trunk that hold a call


def is_storm(now: bool, forced: bool | None, pressure: Pressure, policy: StormPolicy) -> bool:
    """A person's word first. It ends well below where it began, so that it does not flicker."""
    if forced is not None:
        return forced
    seats = max(1, pressure.seats)
    if not now:
        return (
            pressure.waiting > seats * policy.waiting_per_seat
            or pressure.alarms_last_min >= policy.alarms_per_min
            or (pressure.lines >= max(1, paced(policy)) and pressure.waiting > seats)
        )
    return pressure.waiting > seats or pressure.alarms_last_min * 2 > policy.alarms_per_min


def paced(policy: StormPolicy) -> int:
    """Lines that calls of a storm may hold together; the rest stays free for new emergencies."""
    return int(policy.ports * (1.0 - policy.reserved_share) + 1e-9)


def held_at_most(policy: StormPolicy) -> int:
    """Elders who said that they need help stay on the line; beyond this many they are called back, or asking would
    stop while they wait for the seats."""
    return paced(policy) // 2


@dataclass(frozen=True, slots=True)
class Lines:
    """The trunk now. `others`: every line that is neither asking nor a relative of a paced incident."""

    asking: int
    family: int
    others: int


@dataclass(frozen=True, slots=True)
class Share:
    ask: int  # new triage calls
    family: int  # new calls to relatives


def share_out(lines: Lines, want_ask: int, want_family: int, policy: StormPolicy) -> Share:
    """How many calls may be begun now. Relatives of those who need help have a third of the lines while others have
    still to be asked, and the rest when nobody has."""
    most = paced(policy)
    free = max(0, most - lines.asking - lines.family - lines.others)
    family_most = max(1, most // 3) if want_ask or lines.asking else most
    family = min(want_family, max(0, family_most - lines.family), free)
    ask = min(want_ask, free - family)
    family = min(want_family, max(family, 0 if want_ask > ask else free - ask), free - ask)
    return Share(ask, family)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An incident whose elder may be called and asked."""

    id: str
    worst: int
    opened_at: datetime
    tries: int
    last_try_at: datetime | None = None


def next_calls(candidates: Sequence[Candidate], free: int, now: datetime, policy: StormPolicy) -> list[str]:
    """Whom to ask next: everybody once before anybody twice; of these the more severe first, within limits: who has
    waited longer by `urgency_s` a step goes ahead, so that a stream of graver alarms starves nobody."""
    due = [
        one
        for one in candidates
        if one.tries < policy.tries
        and (one.last_try_at is None or now - one.last_try_at >= timedelta(seconds=policy.again_s))
    ]
    due.sort(key=lambda one: (one.tries, one.opened_at - timedelta(seconds=one.worst * policy.urgency_s), one.id))
    return [one.id for one in due[: max(0, free)]]


def assign_seats(ranked: Sequence[str], idle: Sequence[str], promised: Mapping[str, str], each: int) -> dict[str, str]:
    """Idle seat -> incident, in order of risk: one seat for each, then a second, up to `each`; with a single incident
    all of them. `promised`: seats that ring for somebody already."""
    free = [seat for seat in sorted(idle) if seat not in promised]
    has = {incident: sum(1 for one in promised.values() if one == incident) for incident in ranked}
    most = each if len(ranked) > 1 else len(idle) + len(promised)
    given: dict[str, str] = {}
    for level in range(1, most + 1):
        for incident in ranked:
            if not free:
                return given
            if has[incident] < level:
                given[free.pop(0)] = incident
                has[incident] += 1
    return given


@dataclass(frozen=True, slots=True)
class CallEnd:
    """How the machine's call stands that has brought no answer so far."""

    ended: bool
    answered: bool
    counts: bool  # False: lost in a crash, or stopped by us: it was no try
    tries: int  # this one included
    answered_for_s: float = 0.0


PATIENCE_S = 60.0
"""Longer than the questions take: who is still there then has said nothing that anybody understood."""


def settle(end: CallEnd, policy: StormPolicy) -> Triage | None:
    """What such a call means; None: it is not over. Who picks up and hangs up without a word may need help."""
    if not end.ended:
        return Triage.SILENT if end.answered and end.answered_for_s > PATIENCE_S else None
    if not end.counts:
        return Triage.PENDING
    if end.answered:
        return Triage.SILENT
    return Triage.NO_ANSWER if end.tries >= policy.tries else Triage.PENDING
