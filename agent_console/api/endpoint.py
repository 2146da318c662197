"""One table of endpoints: what is routed is what OpenAPI describes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel

from agent_console import signed
from agent_console.validation import parse, parse_json
from agent_console.who import Principal, api_caller, need_act

PREFIX = "/api/v1"
NOBODY = Principal("", "auditor")


@dataclass(slots=True)
class Ask:
    """What a handler is asked. `body` and `query` are the endpoint's models."""

    request: web.Request
    who: Principal
    body: Any = None
    query: Any = None
    signed: signed.Signed | None = None

    def part(self, name: str) -> str:
        return self.request.match_info[name]

    @property
    def app(self) -> web.Application:
        return self.request.app


Answer = tuple[int, BaseModel] | web.StreamResponse


@dataclass(frozen=True, slots=True)
class Endpoint:
    method: Literal["GET", "POST"]
    path: str
    summary: str
    handler: Callable[[Ask], Awaitable[Answer]]
    answers: dict[int, type[BaseModel] | None]
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    public: bool = False
    may_be_signed: bool = False
    refusals: Sequence[int] = field(default=())


def mount(app: web.Application, endpoints: Sequence[Endpoint]) -> None:
    for endpoint in endpoints:
        app.router.add_route(endpoint.method, PREFIX + endpoint.path, _serve(endpoint))


def _serve(endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        if endpoint.may_be_signed and signed.is_signed(request):
            who, by_whom = await signed.check(request, await request.read())
            ask = Ask(request, who, signed=by_whom)
        else:
            ask = Ask(request, NOBODY if endpoint.public else await api_caller(request))
        if endpoint.method != "GET":
            need_act(ask.who)
        if endpoint.query is not None:
            ask.query = parse(endpoint.query, dict(request.query))
        if endpoint.body is not None:
            ask.body = parse(endpoint.body, parse_json(await request.read()))
        answer = await endpoint.handler(ask)
        if isinstance(answer, web.StreamResponse):
            return answer
        status, model = answer
        return web.Response(status=status, body=model.model_dump_json().encode(), content_type="application/json")

    return serve


def public(handler: Callable[[Ask], Awaitable[Answer]]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A handler of the table at another path."""
    return _serve(Endpoint("GET", "", "", handler, {}, public=True))
