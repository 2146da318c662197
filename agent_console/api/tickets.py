"""Service tickets and what is reported from the field."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from agent_console.api.endpoint import Answer, Ask
from agent_console.api.ids import need_word
from agent_console.api.models import FieldEventIn, TicketIn, TicketQuery
from agent_console.api.shapes import TicketOut, Tickets
from agent_console.keys import LOOKS, READER, TICKETS
from agent_console.queries import tickets
from agent_console.validation import Refused
from ivr.domain.incident import UnknownElder


async def list_tickets(ask: Ask) -> Answer:
    query: TicketQuery = ask.query
    items, following = await ask.app[READER].read(tickets.page, query.state, query.limit, query.cursor, ask.who.eyes)
    return 200, Tickets(items=items, next=following)


async def one_ticket(ask: Ask) -> Answer:
    found = await _find(ask, need_word(ask.part("no"), _not_found))
    if found.elder:
        await ask.app[LOOKS].note(ask.who, elder_no=found.elder.elder_no)
    return 200, found


async def open_ticket(ask: Ask) -> Answer:
    body: TicketIn = ask.body
    by = ask.who.name if ask.who.is_person else body.by or ask.who.name
    try:
        no = await ask.app[TICKETS].open_by_hand(elder_no=body.elder_no, category=body.category, note=body.note, by=by)
    except UnknownElder:
        raise Refused(422, "unknown_elder", "没有这位老人的档案。", "There is no such elder.", "elder_no") from None
    return 201, await _find(ask, no)


async def add_event(ask: Ask) -> Answer:
    body: FieldEventIn = ask.body
    no = need_word(ask.part("no"), _not_found)
    found = await _find(ask, no)
    if found.state == "closed" and body.kind != "note":
        raise Refused(409, "already_closed", "工单已经关闭。", "The ticket is closed already.")
    if body.worker_no and not await ask.app[READER].read(tickets.worker_exists, body.worker_no):
        raise Refused(422, "unknown_worker", "没有这位护理员。", "There is no such worker.", "worker_no")
    data: dict[str, Any] = {
        "worker_no": body.worker_no,
        "location": body.location,
        "note": body.note,
        "by": ask.who.name if ask.who.is_person else body.by or ask.who.name,
    }
    if body.at is not None:
        # The time in the field counts; when it reached us stands beside it.
        data |= {"at": body.at.astimezone(UTC), "received_at": datetime.now(UTC).isoformat()}
    kept = {name: value for name, value in data.items() if value is not None}
    if not await ask.app[TICKETS].field_event(no, body.kind, **kept):
        raise _not_found()
    return 201, await _find(ask, no)


def _not_found() -> Refused:
    return Refused(404, "unknown_ticket", "没有这张工单。", "There is no such ticket.")


async def _find(ask: Ask, no: str) -> TicketOut:
    found = await ask.app[READER].read(tickets.one, no, ask.who.eyes)
    if found is None:
        raise _not_found()
    return found
