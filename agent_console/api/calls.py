"""GET /calls, GET /calls/ID."""

from __future__ import annotations

from agent_console.api.endpoint import Answer, Ask
from agent_console.api.ids import need_ulid
from agent_console.api.models import CallQuery
from agent_console.api.shapes import Calls
from agent_console.keys import LOOKS, READER
from agent_console.queries import calls
from agent_console.validation import Refused


async def list_calls(ask: Ask) -> Answer:
    query: CallQuery = ask.query
    items, following = await ask.app[READER].read(
        calls.page, query.from_, query.to, query.number, query.limit, query.cursor, ask.who.eyes
    )
    return 200, Calls(items=items, next=following)


async def one_call(ask: Ask) -> Answer:
    call_id = need_ulid(ask.part("id"), _not_found)
    found = await ask.app[READER].read(calls.one, call_id, ask.who.eyes)
    if found is None:
        raise _not_found()
    if found.elder:
        await ask.app[LOOKS].note(ask.who, elder_no=found.elder.elder_no, incident_id=found.incident_id)
    return 200, found


def _not_found() -> Refused:
    return Refused(404, "unknown_call", "没有这个来电。", "There is no such call.")
