"""Who the elder of an incident is: the search, and a person's word for it."""

from __future__ import annotations

from agent_console.api.endpoint import Answer, Ask
from agent_console.api.helpers import by, find, not_found
from agent_console.api.ids import need_ulid
from agent_console.api.models import ElderIn, ElderQuery
from agent_console.api.shapes import Elders
from agent_console.keys import IDENTITY, LOOKS, READER
from agent_console.queries import search
from agent_console.validation import Refused
from agent_console.who import need_act
from ivr.domain.incident import AlreadyClosed, UnknownElder, UnknownIncident


async def search_elders(ask: Ask) -> Answer:
    query: ElderQuery = ask.query
    incident_id = need_ulid(query.incident, not_found) if query.incident else None
    if incident_id and not await ask.app[READER].look(lambda conn: search.is_incident(conn, incident_id)):
        raise not_found()
    return 200, await look_for(ask, query.q, incident_id)


async def look_for(ask: Ask, wanted: str, incident_id: str | None) -> Elders:
    """For API and pages. What was typed stays out of the journal: it may be a name."""
    need_act(ask.who)
    # In a thread of its own: a search by sound goes through every name, and calls go on meanwhile.
    items, left_out = await ask.app[READER].look(lambda conn: search.find(conn, wanted))
    await ask.app[LOOKS].searched(ask.who, [one.elder_no for one in items], incident_id=incident_id)
    return Elders(items=items, next=None, left_out=left_out)


async def name_elder(ask: Ask) -> Answer:
    incident_id = need_ulid(ask.part("id"), not_found)
    await name(ask, incident_id, ask.body)
    found = await find(ask, incident_id)
    await ask.app[LOOKS].note(ask.who, elder_no=ask.body.elder_no, incident_id=incident_id)
    return 200, found


async def name(ask: Ask, incident_id: str, body: ElderIn) -> bool:
    try:
        return await ask.app[IDENTITY].name_elder(incident_id, body.elder_no, by=by(ask.who, body.by))
    except UnknownIncident:
        raise not_found() from None
    except AlreadyClosed:
        raise Refused(409, "already_closed", "事件已经关闭。", "The incident is closed already.") from None
    except UnknownElder:
        raise Refused(422, "unknown_elder", "没有这位老人的档案。", "There is no such elder.", "elder_no") from None
