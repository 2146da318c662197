"""What must hold whatever was killed: the far ends' logs against the journal. Pure, so that it can be tested itself.

Times are seconds on one clock: `time.monotonic()` of the far ends; the journal's are converted to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

RACE_S = 1.0
"""A dial that was under way when somebody accepted may still reach his phone."""


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


@dataclass(frozen=True)
class Told:
    """The same as the API and the journal tell it."""

    accepted_at: float | None
    dialled: Mapping[str, int]
    """Number -> `leg.dialled` events."""


def told(incident: Mapping[str, Any], to_monotonic: float) -> Told:
    """From `GET /incidents/ID`; `to_monotonic` is added to an epoch time."""
    from datetime import datetime

    phones = {leg["id"]: leg["phone"] for leg in incident["legs"] if leg["role"] == "family"}
    dialled = dict.fromkeys(phones.values(), 0)
    accepted: list[float] = []
    for event in incident["events"]:
        phone = phones.get(event.get("leg_id"))
        if phone and event["kind"] == "leg.dialled":
            dialled[phone] += 1
        if phone and event["kind"] == "leg.accepted":
            accepted.append(datetime.fromisoformat(event["at"]).timestamp() + to_monotonic)
    return Told(min(accepted, default=None), dialled)


def violations(seen: Seen, record: Told | None, *, rounds: int, parallel: int) -> list[str]:
    """Sentences; none when every invariant holds. The emergency must have come to rest before."""
    if record is None:
        return [f"{seen.elder_no}: acknowledged and on no record"] if seen.acknowledged else []
    found = []
    for number, times in seen.invites.items():
        if len(times) > record.dialled.get(number, 0):
            found.append(f"{number}: rang {len(times)} times, {record.dialled.get(number, 0)} dials on record")
    if record.accepted_at is not None:
        late = [
            (number, at - record.accepted_at)
            for number, times in seen.invites.items()
            for at in times
            if at > record.accepted_at + RACE_S
        ]
        found += [f"{number}: dialled {seconds:.1f} s after somebody had accepted" for number, seconds in late]
    else:
        found += [
            f"{number}: nobody accepted, and it rang {len(seen.invites.get(number, ()))} of {rounds} times"
            for number in seen.contacts
            if len(seen.invites.get(number, ())) < rounds
        ]
    first = [min(seen.invites.get(number, ()), default=None) for number in seen.contacts]
    for place, at in enumerate(first):
        before = first[: max(0, place - parallel + 1)]
        if at is not None and any(other is None or other > at for other in before):
            found.append(f"{seen.contacts[place]}: dialled before somebody whose turn it was")
    return found
