"""Headers on every answer, and where a request may come from."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

from agent_console.validation import Refused
from agent_console.who import SAFE

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with that a browser sends `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
}


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """On `on_response_prepare`: live streams and errors get them too."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["Server"] = "yinling"


def check_origin(request: web.Request) -> None:
    """A form of another site must not act with our cookie; programs send no Origin and are let through."""
    if request.method in SAFE:
        return
    origin = request.headers.get("Origin")
    foreign = origin is not None and urlsplit(origin).netloc.lower() != request.host.lower()
    if foreign or request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise Refused(403, "bad_origin", "请求来自其他网站。", "The request comes from another site.")


def behind_tls(request: web.Request) -> bool:
    return request.secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"
