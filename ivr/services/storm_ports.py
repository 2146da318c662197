"""What the storm desk needs: one look at everything open, and a place for what it brings about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ivr.domain.incident import Role
from ivr.domain.storm import Triage


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """`attempt`: the machine's last call to the elder."""

    id: str
    triage: Triage | None
    tries: int
    attempt: str | None
    attempt_ended_at: datetime | None
    attempt_answered_at: datetime | None
    attempt_outcome: str | None
    worst: int
    risk: int
    opened_at: datetime
    held_back: bool  # only a location so far
    asked_for: bool = False
    """A person's wish is open, a worker is offered the way, or somebody was sent and has not arrived."""
    family_started: bool = False  # by a person's word, or a worse answer of the elder


@dataclass(frozen=True, slots=True)
class LiveLeg:
    incident_id: str
    uniqueid: str
    role: Role
    phone: str
    came_to_us: bool
    answered: bool
    accepted: bool


@dataclass(frozen=True, slots=True)
class StormLook:
    """One consistent state of the record."""

    active: bool
    forced: bool | None
    open: Sequence[OpenIncident]
    live: Sequence[LiveLeg]
    served: frozenset[str]
    seats_ready: int
    alarms_last_min: int
    ordinary_calls: int


class StormRecords(Protocol):
    async def look(self, now: datetime) -> StormLook: ...
    async def set_active(self, active: bool, *, waiting: int, alarms_last_min: int) -> None: ...
    async def await_asking(self, ids: Sequence[str]) -> None: ...
    async def asked(self, incident_id: str, attempt: str) -> None: ...
    async def is_asked(self, attempt: str) -> bool: ...
    async def heard(self, attempt: str, said: Triage, *, hold_at_most: int) -> bool: ...
    async def settle(self, incident_id: str, attempt: str, said: Triage) -> None: ...
    async def cannot_be_asked(self, incident_id: str) -> None: ...
