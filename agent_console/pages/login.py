"""Log-in and log-out."""

from __future__ import annotations

import hmac
import secrets

from aiohttp import web

from agent_console.keys import LIMITS, PAGES, SETTINGS, USERS
from agent_console.pages.forms import read_form
from agent_console.security import behind_tls
from agent_console.validation import Refused
from agent_console.who import cookie_name, person

MOST = 200  # characters of a name or a password; hashing megabytes is nobody's wish


async def show(request: web.Request) -> web.Response:
    if await person(request) is not None:
        raise web.HTTPSeeOther("/")
    return _form(request, "")


async def log_in(request: web.Request) -> web.Response:
    form = await read_form(request)
    before = request.cookies.get(_before(request), "")
    if not before or not hmac.compare_digest(before.encode(), form.get("csrf", "").encode()):
        return _form(request, "页面已过期，请再试一次。 The page was out of date; try again.", 403)
    name, password = form.get("name", "").strip(), form.get("password", "")
    if not name or not password or len(name) > MOST or len(password) > MOST:
        return _form(request, "请输入用户名和密码。 Name and password, please.", 422)
    limits, address = request.app[LIMITS], request.remote or ""
    wait_s = limits.wait_s(name, address)
    if wait_s:
        page = _form(request, f"失败次数太多，请 {wait_s} 秒后再试。 Too many failures; try again in {wait_s} s.", 429)
        page.headers["Retry-After"] = str(wait_s)
        return page
    limits.failed(name, address)  # counted before the slow hash: a burst gets no more tries than one by one
    async with limits.hashing:
        opened = await request.app[USERS].log_in(name, password)
    if opened is None:
        return _form(request, "用户名或密码不对。 Wrong name or password.", 401)
    limits.succeeded(name, address)
    answer = web.HTTPSeeOther(_own_path(request.query.get("next", "")))
    answer.set_cookie(
        cookie_name(request),
        opened[0],
        max_age=request.app[SETTINGS].session_hours * 3600,
        httponly=True,
        samesite="Strict",
        secure=behind_tls(request),
    )
    answer.del_cookie(_before(request))
    raise answer


async def log_out(request: web.Request) -> web.Response:
    who = await person(request)
    if who is not None:
        form = await read_form(request)
        if not hmac.compare_digest(who.csrf.encode(), form.get("csrf", "").encode()):
            raise Refused(403, "bad_csrf", "页面已过期，请刷新后再试。", "The page is out of date; reload it.")
        await request.app[USERS].close_session(who.session)
    answer = web.HTTPSeeOther("/login")
    answer.del_cookie(cookie_name(request))
    raise answer


def _form(request: web.Request, problem: str, status: int = 200) -> web.Response:
    before = request.cookies.get(_before(request)) or secrets.token_urlsafe(24)
    page = request.app[PAGES].page("login", status, csrf=before, problem=problem)
    page.set_cookie(
        _before(request), before, max_age=3600, httponly=True, samesite="Strict", secure=behind_tls(request)
    )
    return page


def _before(request: web.Request) -> str:
    """The cookie that ties the log-in form to this browser while there is no session yet."""
    return cookie_name(request) + "_login"


def _own_path(wanted: str) -> str:
    return wanted if wanted.startswith("/incidents/") and wanted.isascii() and "\\" not in wanted else "/"
