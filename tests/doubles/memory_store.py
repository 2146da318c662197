"""The store's ports in memory: what the services wrote, in the order they wrote it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

from ivr.domain.incident import (
    ArrivedCall,
    IncidentView,
    LegState,
    LegView,
    NewAlarm,
    Outcome,
    Raised,
    Role,
)
from ivr.services.ports import StoreUnavailable

ROOM = "01ROOM00000000000000000000"


class MemoryIncidents:
    def __init__(self, story: list[str]) -> None:
        self.story = story
        self.alarms: list[NewAlarm] = []
        self.open: list[str] = []
        self.escalations: list[tuple[str, str]] = []
        self.away = False

    async def raise_alarm(self, new: NewAlarm) -> Raised:
        if self.away:
            raise StoreUnavailable
        self.alarms.append(new)
        self.story.append(f"alarm {new.source} {new.phone}")
        return Raised(ROOM, joined=False)

    async def open_ids(self) -> list[str]:
        if self.away:
            raise StoreUnavailable
        return list(self.open)

    async def worsened(self, incident_id: str, why: str) -> None:
        self.story.append(f"worsened {incident_id} {why}")

    async def escalated(self, incident_id: str, why: str) -> None:
        if (incident_id, why) not in self.escalations:
            self.escalations.append((incident_id, why))


class MemoryLegs:
    """One incident's legs. `story` tells what was put on record."""

    def __init__(self, story: list[str], *legs: LegView, elder_phone: str | None = None) -> None:
        self.story = story
        self.legs = list(legs)
        self.closed = False
        self.known = True
        self.elder_phone = elder_phone
        self.opened_at = datetime.now(UTC)
        self.awaited_since: datetime | None = None
        self.cries = 0
        self.accepts = True
        self.rounds = 0
        self.fail_rounds: list[BaseException] = []
        self.commit_s = 0.0
        """Between a row written and its writer told so."""
        self._serial = count(1)

    def leg(self, phone: str) -> LegView:
        return next(leg for leg in self.legs if leg.phone == phone)

    def _by_attempt(self, uniqueid: str) -> LegView | None:
        return next((leg for leg in self.legs if leg.attempt_id == uniqueid), None)

    async def view(self, incident_id: str, now: datetime) -> IncidentView | None:
        del now
        self.rounds += 1
        if self.fail_rounds:
            raise self.fail_rounds.pop(0)
        if not self.known:
            return None
        legs = [replace(leg) for leg in self.legs]
        view = IncidentView(incident_id, self.opened_at, self.closed, self.elder_phone, legs)
        view.awaited_since, view.cries = self.awaited_since, self.cries
        return view

    async def begin_attempt(
        self,
        incident_id: str,
        role: Role,
        phone: str,
        *,
        name: str = "",
        lease_s: float = 60.0,
        uniqueid: str | None = None,
    ) -> str | None:
        del incident_id, name
        leg = next((leg for leg in self.legs if leg.phone == phone and leg.role is role), None)
        if leg is None:
            leg = LegView(f"L-{phone}", role, phone, 0, LegState.WAITING, 0)
            self.legs.append(leg)
        if leg.live or self.closed:
            return None
        leg.attempt_id = uniqueid or f"A{next(self._serial)}-{phone}"
        leg.live, leg.state, leg.attempts, leg.dialled_at = True, LegState.DIALLED, leg.attempts + 1, datetime.now(UTC)
        leg.ring_until = leg.dialled_at + timedelta(seconds=lease_s)
        if uniqueid is not None:
            leg.state = LegState.ANSWERED
        leg.outcome = None
        self.story.append(f"attempt {phone}")
        await asyncio.sleep(self.commit_s)
        return leg.attempt_id

    async def live(self) -> dict[str, datetime]:
        return {leg.attempt_id: leg.dialled_at for leg in self.legs if leg.live and leg.attempt_id and leg.dialled_at}

    async def ringing(self, uniqueid: str) -> None:
        if leg := self._by_attempt(uniqueid):
            leg.state = LegState.RINGING
            self.story.append(f"ringing {uniqueid}")

    async def answered(self, uniqueid: str) -> None:
        if leg := self._by_attempt(uniqueid):
            leg.state, leg.answered_at = LegState.ANSWERED, datetime.now(UTC)
            self.story.append(f"answered {uniqueid}")

    async def accept(self, uniqueid: str, *, only_first: bool) -> bool:
        self.story.append(f"accept {uniqueid}{' if first' if only_first else ''}")
        return self.accepts

    async def declined(self, uniqueid: str) -> None:
        self.story.append(f"declined {uniqueid}")

    async def describe(self, uniqueid: str) -> tuple[Role, str] | None:
        leg = self._by_attempt(uniqueid)
        return (leg.role, ROOM) if leg else None

    async def seat_in_room(self, extension: str) -> list[str]:
        talking = [leg for leg in self.legs if leg.phone == extension and leg.live and leg.accepted_at]
        return [leg.attempt_id for leg in talking if leg.attempt_id]

    async def torn(self, within_s: float) -> int:
        self.story.append(f"torn {within_s:g}")
        return 0

    async def ended(
        self, uniqueid: str, outcome: Outcome, *, cause: int | None = None, torn: bool = False
    ) -> str | None:
        del cause, torn
        leg = self._by_attempt(uniqueid)
        if leg is None or not leg.live:
            return None
        leg.live, leg.state, leg.outcome, leg.ended_at = False, LegState.ENDED, outcome, datetime.now(UTC)
        if outcome is Outcome.LOST:
            leg.attempts, leg.lost = leg.attempts - 1, leg.lost + 1
        self.story.append(f"ended {leg.phone} {outcome}")
        return ROOM

    async def mark(self, uniqueid: str, outcome: Outcome) -> None:
        self.story.append(f"mark {uniqueid} {outcome}")


class MemoryCalls:
    def __init__(self, story: list[str]) -> None:
        self.story = story
        self.living: dict[str, datetime] = {}
        self.known_parked: list[str] = []
        self.known_categories: dict[str, str] = {}
        self.known_places: dict[str, tuple[bool, bool]] = {}

    def answered(self, call_id: str) -> None:
        self.story.append(f"call answered {call_id}")

    async def queued(self, uniqueid: str, position: int) -> None:
        self.story.append(f"call queued {uniqueid} {position}")

    async def connected(self, uniqueid: str, extension: str, waited_s: float) -> None:
        del waited_s
        self.story.append(f"call connected {uniqueid} {extension}")

    async def abandoned(self, uniqueid: str, waited_s: float) -> None:
        del waited_s
        self.story.append(f"call abandoned {uniqueid}")

    async def ended(self, uniqueid: str, *, at: datetime | None = None, cause: int | None = None) -> bool:
        del at, cause
        self.living.pop(uniqueid, None)
        self.story.append(f"call ended {uniqueid}")
        return True

    async def live(self) -> dict[str, datetime]:
        return dict(self.living)

    async def parked(self, uniqueid: str, extension: str, incident_id: str) -> None:
        self.story.append(f"call parked {uniqueid} {extension} {incident_id}")

    async def returned(self, uniqueid: str, extension: str) -> None:
        self.story.append(f"call returned {uniqueid} {extension}")

    async def parked_now(self) -> list[str]:
        return list(self.known_parked)

    async def categories(self, uniqueids: Sequence[str]) -> dict[str, str | None]:
        return {uniqueid: self.known_categories.get(uniqueid) for uniqueid in uniqueids}

    async def places(self) -> dict[str, tuple[bool, bool]]:
        return dict(self.known_places)

    async def outcome(self, call_id: str, outcome: str, *, call_back: bool = False) -> None:
        self.story.append(f"call {call_id} {outcome}{' call-back' if call_back else ''}")


class MemoryTickets:
    """`devices`: numbers of registered devices, whose calls are no tickets."""

    def __init__(self, story: list[str], *devices: str) -> None:
        self.story = story
        self.devices = devices
        self.away = False

    async def open_for_call(self, arrived: ArrivedCall) -> tuple[str, str] | None:
        if self.away:
            raise StoreUnavailable
        if arrived.caller_id in self.devices:
            return None
        self.story.append(f"ticket {arrived.caller_id}")
        return "C1", "T1"


class MemorySeats:
    def __init__(self, *extensions: str) -> None:
        self.states = dict.fromkeys(extensions, "away")
        self.by: list[str] = []

    async def all(self) -> list[object]:
        return []

    async def set_state(self, extension: str, state: str, *, reason: str | None, by: str) -> bool:
        del reason
        if extension not in self.states:
            return False
        self.states[extension] = state
        self.by.append(by)
        return True
