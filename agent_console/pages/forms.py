"""Who uses a page, and forms that only our own pages can send."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from agent_console.validation import Refused
from agent_console.who import Principal, check_csrf, need_act, person


def is_htmx(request: web.Request) -> bool:
    return "HX-Request" in request.headers


async def need_person(request: web.Request) -> Principal:
    """Raises a redirect to the log-in (as a header for htmx, which would follow a real one unseen)."""
    who = await person(request)
    if who is not None:
        return who
    where = f"/login?next={quote(request.path)}" if request.method == "GET" and request.path != "/" else "/login"
    if is_htmx(request):
        raise web.HTTPNoContent(headers={"HX-Redirect": where})
    raise web.HTTPSeeOther(where)


async def read_form(request: web.Request) -> dict[str, str]:
    """Fields of a form, broken UTF-8 refused."""
    try:
        fields = await request.post()
        texts = {name: value for name, value in fields.items() if isinstance(value, str)}
        "".join(texts.values()).encode()
    except (ValueError, LookupError):  # UnicodeError; a charset that nobody knows
        raise Refused(400, "bad_encoding", "内容不是有效的 UTF-8。", "The form is not valid UTF-8.") from None
    return texts


async def acting_form(request: web.Request) -> tuple[Principal, dict[str, str]]:
    """The logged-in person who may act, and the form with its CSRF token checked."""
    who = await need_person(request)
    form = await read_form(request)
    check_csrf(who, form.pop("csrf", ""))
    need_act(who)
    return who, form
