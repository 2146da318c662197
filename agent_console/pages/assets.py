"""Files that the browser loads: our own folder, and exactly the two scripts of others that the pages use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

_ROOM = Path(__file__).resolve().parent.parent
_OWN = {path.name: path for path in sorted((_ROOM / "static").iterdir()) if path.is_file()}
_VENDOR = {
    "htmx.min.js": _ROOM / "node_modules" / "htmx.org" / "dist" / "htmx.min.js",
    "sse.js": _ROOM / "node_modules" / "htmx-ext-sse" / "sse.js",
}


def mount(app: web.Application) -> None:
    app.router.add_get("/static/vendor/{name}", _server(_VENDOR))
    app.router.add_get("/static/{name}", _server(_OWN))


def missing() -> list[str]:
    """Scripts that `make assets` has not fetched."""
    return [name for name, path in _VENDOR.items() if not path.is_file()]


def _server(known: dict[str, Path]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        path = known.get(request.match_info["name"])
        if path is None or not path.is_file():
            raise web.HTTPNotFound
        # Asked again each time and answered 304: an update of the centre's software reaches every screen.
        return web.FileResponse(path, headers={"Cache-Control": "no-cache"})

    return serve
