"""The part of an incident's page that says who the elder is: candidates, a search, and a button for each."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from agent_console.api import identity as api
from agent_console.api.endpoint import Ask
from agent_console.api.helpers import not_found
from agent_console.api.ids import need_ulid
from agent_console.api.models import ElderIn, ElderQuery
from agent_console.api.shapes import Elders, IncidentOut
from agent_console.eyes import MASKED
from agent_console.keys import PAGES, READER
from agent_console.pages.forms import acting_form, is_htmx, need_person
from agent_console.queries import incidents
from agent_console.validation import Refused, parse
from agent_console.who import Principal, need_act


async def show(request: web.Request) -> web.Response:
    """What a search finds, in place of the part."""
    who = await need_person(request)
    need_act(who)
    opened = await _opened(request)
    if not is_htmx(request):
        raise web.HTTPSeeOther(f"/incidents/{opened.id}?{request.query_string}")
    return _part(request, await context(request, who, opened))


async def name(request: web.Request) -> web.Response:
    who, form = await acting_form(request)
    incident_id = need_ulid(request.match_info["id"], not_found)
    problem: Refused | None = None
    try:
        await api.name(Ask(request, who), incident_id, parse(ElderIn, form))
    except Refused as refused:
        if not is_htmx(request):
            raise
        problem = refused
    if not is_htmx(request):
        raise web.HTTPSeeOther(f"/incidents/{incident_id}")
    return _part(request, {**await context(request, who, await _opened(request)), "problem": problem})


async def context(request: web.Request, who: Principal, opened: IncidentOut) -> dict[str, Any]:
    """What `parts/identity.html` shows. A search that was typed is done here, and refused here."""
    typed = request.query.get("q", "")
    found: Elders | None = None
    problem: Refused | None = None
    if "q" in request.query:
        try:
            found = await api.look_for(Ask(request, who), parse(ElderQuery, {"q": typed}).q, opened.id)
        except Refused as refused:
            problem = refused
    return {
        "incident_id": opened.id,
        "elder": opened.elder,
        "candidates": opened.elder_choices,
        "found": found,
        "found_items": found.items if found else [],
        "typed": typed,
        "csrf": who.csrf,
        "problem": problem,
    }


async def _opened(request: web.Request) -> IncidentOut:
    incident_id = need_ulid(request.match_info["id"], not_found)
    found = await request.app[READER].read(incidents.one, incident_id, MASKED, events=0)
    if found is None:
        raise not_found()
    return found


def _part(request: web.Request, shown: dict[str, Any]) -> web.Response:
    # A refusal is shown where the button is: htmx puts only answers below 400 in its place.
    return web.Response(text=request.app[PAGES].part("identity", shown), content_type="text/html")
