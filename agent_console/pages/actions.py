"""What the buttons do. Each answers a script with a fragment and a plain form with a page."""

from __future__ import annotations

from aiohttp import web

from agent_console.api.alarms import not_arrived
from agent_console.api.ids import need_ulid, need_word
from agent_console.api.models import CloseIn, CloseSafeIn, FamilyIn, SeatIn, StormIn
from agent_console.api.seats import need_seat, no_seat
from agent_console.api.storm import need_boss
from agent_console.keys import INCIDENTS, PAGES, SEATS, SETTINGS, STORMS
from agent_console.pages.desk import desk
from agent_console.pages.forms import acting_form, is_htmx
from agent_console.validation import Refused, parse
from ivr.domain.cascade import Family
from ivr.domain.incident import AlreadyClosed, NotArrived, UnknownIncident


async def close(request: web.Request) -> web.Response:
    who, form = await acting_form(request)
    incident_id = need_ulid(request.match_info["id"], _no_incident)
    try:
        body = parse(CloseIn, {**form, "by": who.name})
        try:
            await request.app[INCIDENTS].close(
                incident_id, by=who.name, outcome=body.outcome or "other", reason=body.reason
            )
        except NotArrived:
            raise not_arrived(request.app) from None
    except Refused as problem:
        if not is_htmx(request):
            return await desk(request, who, incident_id, problem=problem, typed=form)
        html = request.app[PAGES].part(
            "close",
            {
                "incident_id": incident_id,
                "csrf": who.csrf,
                "problem": problem,
                "typed": form,
                "reason_min": request.app[SETTINGS].close_reason_min,
            },
        )
        return web.Response(text=html, status=problem.status, content_type="text/html")
    except UnknownIncident:
        raise _no_incident() from None
    except AlreadyClosed:
        raise Refused(409, "already_closed", "事件已由他人关闭。", "Somebody else has closed it.") from None
    return _done(request, f"/incidents/{incident_id}", '<p class="closed-note" role="status">已关闭 Closed</p>')


async def looked(request: web.Request) -> web.Response:
    who, _form = await acting_form(request)
    incident_id = need_ulid(request.match_info["id"], _no_incident)
    await request.app[INCIDENTS].looked_at(incident_id, by=who.name)
    return _done(request, f"/incidents/{incident_id}")


async def family(request: web.Request) -> web.Response:
    """Dial the relatives, or stop it because it was pressed by mistake."""
    who, form = await acting_form(request)
    incident_id = need_ulid(request.match_info["id"], _no_incident)
    told = {"incident_id": incident_id, "csrf": who.csrf, "typed": form, "done": None, "problem": None}
    try:
        body = parse(FamilyIn, {**form, "by": who.name})
        said = Family.STARTED if body.action == "start" else Family.CANCELLED
        await request.app[INCIDENTS].family(incident_id, said, by=who.name, word=body.word, reason=body.reason)
    except Refused as problem:
        if not is_htmx(request):
            raise
        html = request.app[PAGES].part("family", {**told, "problem": problem})
        return web.Response(text=html, status=problem.status, content_type="text/html")
    except UnknownIncident:
        raise _no_incident() from None
    except AlreadyClosed:
        raise Refused(409, "already_closed", "事件已关闭。", "It is closed already.") from None
    done = "正在联系亲属" if said is Family.STARTED else "已停止联系亲属"
    html = request.app[PAGES].part("family", {**told, "typed": {}, "done": done})
    return _done(request, f"/incidents/{incident_id}", html)


async def seat(request: web.Request) -> web.Response:
    who, form = await acting_form(request)
    extension = need_word(request.match_info["ext"], no_seat)
    need_seat(who, extension)
    body = parse(SeatIn, form)
    if not await request.app[SEATS].set_state(extension, body.state, reason=body.reason, by=who.name):
        raise no_seat()
    return _done(request, "/")


async def storm(request: web.Request) -> web.Response:
    who, _form = await acting_form(request)
    need_boss(who)
    body = parse(StormIn, {"mode": request.match_info["mode"]})
    await request.app[STORMS].switch(body.forced, by=who.name)
    return _done(request, "/")


async def close_safe(request: web.Request) -> web.Response:
    who, form = await acting_form(request)
    need_boss(who)
    body = parse(CloseSafeIn, {"reason": form.get("reason")})
    try:
        await request.app[STORMS].close_safe(None, by=who.name, outcome="safe", reason=body.reason)
    except NotArrived:
        raise not_arrived(request.app) from None
    return _done(request, "/")


def _done(request: web.Request, page: str, fragment: str | None = None) -> web.Response:
    """The change itself comes back through the live stream."""
    if not is_htmx(request):
        raise web.HTTPSeeOther(page)
    if fragment is None:
        return web.Response(status=204)
    return web.Response(text=fragment, content_type="text/html")


def _no_incident() -> Refused:
    return Refused(404, "unknown_incident", "没有这个事件。", "There is no such incident.")
