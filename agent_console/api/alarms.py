"""POST /alarms and what follows from it: incidents."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC

from aiohttp import web

from agent_console.api.endpoint import Answer, Ask
from agent_console.api.ids import need_ulid
from agent_console.api.models import AlarmIn, CloseIn, FamilyIn, IncidentQuery
from agent_console.api.shapes import IncidentOut, Incidents, RaisedOut
from agent_console.keys import INCIDENTS, LOOKS, READER, SETTINGS
from agent_console.queries import incidents
from agent_console.validation import Refused
from ivr.domain.cascade import Family
from ivr.domain.incident import AlreadyClosed, NewAlarm, NotArrived, Raised, UnknownElder, UnknownIncident
from ivr.services.ports import StoreUnavailable

PATIENCE_S = 10.0
AGAIN_S = 0.3
"""A database that is busy or locked for a while costs a device an answer that comes late, not its alarm: not every
device tries again. Once more is the same alarm, by its key or within a minute by its words."""


async def raise_alarm(ask: Ask) -> Answer:
    new: AlarmIn = ask.body
    try:
        raised = await _on_record(
            ask,
            NewAlarm(
                source=ask.signed.source if ask.signed else new.source,
                kind=new.kind,
                device_id=new.device_id,
                phone=new.phone,
                elder_no=new.elder_no,
                at=new.at.astimezone(UTC) if new.at else None,
                note=new.note,
                location=new.location,
                idempotency_key=(ask.signed or ask.who).key_for(new.idempotency_key),
                sent_at=ask.signed.sent_at if ask.signed else None,
            ),
        )
    except UnknownElder:
        raise Refused(422, "unknown_elder", "没有这位老人的档案。", "There is no such elder.", "elder_no") from None
    answer = RaisedOut(incident_id=raised.incident_id, joined=raised.joined, repeated=raised.repeated)
    return 200 if raised.joined else 201, answer


async def _on_record(ask: Ask, alarm: NewAlarm) -> Raised:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await ask.app[INCIDENTS].raise_alarm(alarm)
        except StoreUnavailable:
            if time.monotonic() > until:
                raise
        await asyncio.sleep(AGAIN_S)


async def list_incidents(ask: Ask) -> Answer:
    query: IncidentQuery = ask.query
    items, following = await ask.app[READER].read(incidents.page, query.state, query.limit, query.cursor, ask.who.eyes)
    return 200, Incidents(items=items, next=following)


async def one_incident(ask: Ask) -> Answer:
    found = await _find(ask, need_ulid(ask.part("id"), _not_found))
    elder_no = found.elder.elder_no if found.elder else None
    await ask.app[LOOKS].note(ask.who, elder_no=elder_no, incident_id=found.id)
    return 200, found


async def close_incident(ask: Ask) -> Answer:
    incident_id = need_ulid(ask.part("id"), _not_found)
    body: CloseIn = ask.body
    # A person closes in his own name, whatever the body says.
    by = ask.who.name if ask.who.is_person else body.by
    if by is None:
        raise Refused(422, "missing", "“by”缺失：要写明由谁关闭。", "by is missing: say who closes it.", "by")
    try:
        await ask.app[INCIDENTS].close(incident_id, by=by, outcome=body.outcome or "other", reason=body.reason)
    except UnknownIncident:
        raise _not_found() from None
    except AlreadyClosed:
        raise Refused(409, "already_closed", "事件已经关闭。", "The incident is closed already.") from None
    except NotArrived:
        raise not_arrived(ask.app) from None
    return 200, await _find(ask, incident_id)


async def family(ask: Ask) -> Answer:
    incident_id = need_ulid(ask.part("id"), _not_found)
    body: FamilyIn = ask.body
    by = ask.who.name if ask.who.is_person else body.by
    if by is None:
        raise Refused(422, "missing", "“by”缺失：要写明是谁。", "by is missing: say who.", "by")
    said = Family.STARTED if body.action == "start" else Family.CANCELLED
    try:
        await ask.app[INCIDENTS].family(incident_id, said, by=by, word=body.word, reason=body.reason)
    except UnknownIncident:
        raise _not_found() from None
    except AlreadyClosed:
        raise Refused(409, "already_closed", "事件已经关闭。", "The incident is closed already.") from None
    return 200, await _find(ask, incident_id)


def not_arrived(app: web.Application) -> Refused:
    """One sentence, for a closing of one and of many."""
    least = app[SETTINGS].close_reason_min
    return Refused(
        422,
        "not_arrived",
        f"没有到场记录：请写明为什么可以关闭（至少 {least} 个字，不能只是重复的字）。",
        "Nobody is known to have arrived: explain why it can be closed "
        f"(at least {least} characters, not one over and over).",
        "reason",
    )


def _not_found() -> Refused:
    return Refused(404, "unknown_incident", "没有这个事件。", "There is no such incident.")


async def _find(ask: Ask, incident_id: str) -> IncidentOut:
    found = await ask.app[READER].read(incidents.one, incident_id, ask.who.eyes)
    if found is None:
        raise _not_found()
    return found
