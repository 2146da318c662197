"""The one main page: waiting callers and seats, open incidents, and the opened one."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from markupsafe import Markup

from agent_console.api.ids import need_ulid
from agent_console.api.shapes import IncidentOut
from agent_console.keys import HUB, LOOKS, PAGES, READER, SETTINGS
from agent_console.live.render import names_for
from agent_console.pages.forms import need_person
from agent_console.pages.identity import context as naming_context
from agent_console.pages.sending import context as sending_context
from agent_console.queries import incidents
from agent_console.validation import Refused
from agent_console.who import Principal


async def show(request: web.Request) -> web.Response:
    who = await need_person(request)
    incident_id = request.match_info.get("id")
    return await desk(request, who, need_ulid(incident_id, _no_incident) if incident_id else None)


async def desk(
    request: web.Request,
    who: Principal,
    incident_id: str | None,
    *,
    problem: Refused | None = None,
    typed: dict[str, str] | None = None,
) -> web.Response:
    """The whole page; `problem` and `typed` when a form without script was refused."""
    opened: IncidentOut | None = None
    if incident_id:
        opened = await request.app[READER].read(incidents.one, incident_id, who.eyes)
        if opened is None:
            raise _no_incident()
        await request.app[LOOKS].note(
            who, elder_no=opened.elder.elder_no if opened.elder else None, incident_id=incident_id
        )
    sending = await sending_context(request, who, incident_id) if opened and who.may_act and incident_id else None
    naming = await naming_context(request, who, opened) if sending and opened else None
    names = names_for(who, incident_id)
    seq, fragments = await request.app[HUB].current(set(names.values()))
    context: dict[str, Any] = {
        "who": who,
        "seq": seq,
        "live": {event: Markup(fragments[name].html) for event, name in names.items()},  # rendered by us  # noqa: S704
        "opened": opened,
        "sending": sending,
        "naming": naming,
        "reason_min": request.app[SETTINGS].close_reason_min,
        "problem": problem,
        "typed": typed or {},
    }
    return request.app[PAGES].page("desk", problem.status if problem else 200, **context)


def _no_incident() -> Refused:
    return Refused(404, "unknown_incident", "没有这个事件。", "There is no such incident.")
