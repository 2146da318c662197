"""The buttons that send somebody. Each answers a script with the list anew and a plain form with the page."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from agent_console.api import helpers as api
from agent_console.api.endpoint import Ask
from agent_console.api.helpers import not_found
from agent_console.api.ids import need_ulid
from agent_console.api.models import ArrivedIn, LegIn, PackageIn, SendIn
from agent_console.keys import PAGES
from agent_console.pages.desk import desk
from agent_console.pages.forms import acting_form, is_htmx, need_person
from agent_console.pages.sending import context
from agent_console.validation import Refused, parse
from agent_console.who import Principal


async def show(request: web.Request) -> web.Response:
    who = await need_person(request)
    incident_id = need_ulid(request.match_info["id"], not_found)
    return await _fragment(request, who, incident_id)


async def want(request: web.Request) -> web.Response:
    return await _act(request, LegIn, api.wish)


async def send(request: web.Request) -> web.Response:
    return await _act(request, SendIn, api.send)


async def package(request: web.Request) -> web.Response:
    return await _act(request, PackageIn, api.package)


async def arrived(request: web.Request) -> web.Response:
    return await _act(request, ArrivedIn, api.arrive)


async def _act(request: web.Request, model: Any, deed: Any) -> web.Response:
    who, form = await acting_form(request)
    incident_id = need_ulid(request.match_info["id"], not_found)
    try:
        await deed(Ask(request, who), incident_id, parse(model, form))
    except Refused as problem:
        if not is_htmx(request):
            return await desk(request, who, incident_id, problem=problem)
        return await _fragment(request, who, incident_id, problem)
    if not is_htmx(request):
        raise web.HTTPSeeOther(f"/incidents/{incident_id}")
    return await _fragment(request, who, incident_id)


async def _fragment(
    request: web.Request, who: Principal, incident_id: str, problem: Refused | None = None
) -> web.Response:
    html = request.app[PAGES].part("helpers", await context(request, who, incident_id, problem))
    # A refusal is shown where the button is: htmx puts only answers below 400 in its place.
    return web.Response(text=html, content_type="text/html")
