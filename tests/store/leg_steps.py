"""Legs of one incident in the tests of storage: begin one, and look at what is on record."""

from __future__ import annotations

from datetime import UTC, datetime

from ivr.domain.incident import IncidentView, LegView, Role
from ivr.store.legs import SqlLegs

DAUGHTER = "13900000001"


async def begin(legs: SqlLegs, incident_id: str, role: Role, phone: str) -> str:
    attempt = await legs.begin_attempt(incident_id, role, phone)
    assert attempt is not None
    return attempt


async def view_of(legs: SqlLegs, incident_id: str) -> IncidentView:
    view = await legs.view(incident_id, datetime.now(UTC))
    assert view is not None
    return view


async def leg_of(legs: SqlLegs, incident_id: str, phone: str) -> LegView:
    (found,) = [one for one in (await view_of(legs, incident_id)).legs if one.phone == phone]
    return found
