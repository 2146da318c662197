"""Every refusal in one shape: JSON for the API, a sentence for a page."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable

from aiohttp import web

from agent_console.api.shapes import ErrorBody, ErrorOut
from agent_console.keys import PAGES
from agent_console.security import check_origin
from agent_console.validation import Refused
from ivr.services.ports import StoreUnavailable

log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HTTP = {
    400: ("bad_request", "请求无法理解。", "The request cannot be understood."),
    403: ("forbidden", "没有权限。", "You may not do this."),
    404: ("not_found", "没有找到。", "There is no such thing here."),
    405: ("method_not_allowed", "不支持这种请求方法。", "This method is not allowed here."),
    413: ("too_large", "内容太大，最多 1 MB。", "The body is larger than 1 MB."),
}


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        check_origin(request)
        return await handler(request)
    except Refused as exc:
        return _answer(request, exc)
    except StoreUnavailable:
        return _answer(request, unavailable())
    except web.HTTPException as exc:
        if exc.status < 400:
            raise
        code, zh, en = _HTTP.get(exc.status, ("refused", "请求被拒绝。", "The request was refused."))
        answer = _answer(request, Refused(exc.status, code, zh, en))
        if "Allow" in exc.headers:
            answer.headers["Allow"] = exc.headers["Allow"]
        return answer
    except ConnectionError:  # the other side is gone: nobody reads an answer
        raise
    except Exception as exc:
        # The exception's text may quote what people sent: only its class and the places are logged.
        where = "".join(traceback.format_tb(exc.__traceback__)[-4:])
        log.error("%s %s failed: %s\n%s", request.method, _route(request), type(exc).__name__, where)
        return _answer(request, Refused(500, "internal", "系统内部错误，已记录。", "Internal error; it was logged."))


def unavailable() -> Refused:
    return Refused(
        503,
        "store_unavailable",
        "数据库暂时无法写入，请立即重试。",
        "The database cannot take it now; try again.",
        retry_after_s=2,
    )


def error_json(refused: Refused) -> web.Response:
    body = ErrorOut(error=ErrorBody(code=refused.code, message=refused.message, field=refused.field))
    return web.Response(status=refused.status, text=body.model_dump_json(), content_type="application/json")


def _answer(request: web.Request, refused: Refused) -> web.Response:
    if request.path.startswith("/api/"):
        answer = error_json(refused)
        if refused.status == 401:
            answer.headers["WWW-Authenticate"] = 'Bearer realm="yinling"'
    elif "HX-Request" in request.headers:
        answer = web.Response(status=refused.status, text=refused.message)
    else:
        answer = request.app[PAGES].error(refused)
    if refused.retry_after_s is not None:
        answer.headers["Retry-After"] = str(refused.retry_after_s)
    return answer


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "(no route)"
