"""A hospital's server: real HTTP. It checks what docs/package.md says, and can be told to fail, hang or redirect."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import ssl
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass
class Taken:
    key: str
    at: float
    body: bytes
    content: dict[str, Any]


@dataclass
class Receiver:
    """`async with Receiver(secret) as hospital`; `answers`: what the next requests get, then 200.

    An answer is a status, "hang", "drop" (the line is cut after the body was read) or "redirect".
    """

    secret: str
    answers: list[int | str] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    taken: list[Taken] = field(default_factory=list)
    """Accepted with 2xx, each key once: what the hospital has on its screen."""
    tries: list[Taken] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/alarm", self._serve)
        app.router.add_route("*", "/elsewhere", self._elsewhere)
        self.elsewhere = 0
        self._never = asyncio.Event()
        self.server = TestServer(app)
        await self.server.start_server(ssl=self.tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._never.set()
        await self.server.close()

    @property
    def endpoint(self) -> str:
        return str(self.server.make_url("/alarm"))

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if (why := self.wrong_with(request, body)) is not None:
            self.refused.append(why)
            return web.Response(status=401, text=why)
        got = Taken(request.headers["Idempotency-Key"], time.monotonic(), body, json.loads(body))
        self.tries.append(got)
        answer = self.answers.pop(0) if self.answers else 200
        if answer == "hang":
            await self._never.wait()
        if answer == "redirect":
            raise web.HTTPTemporaryRedirect("/elsewhere")
        if answer in (200, "drop") and got.key not in {one.key for one in self.taken}:
            self.taken.append(got)
        if answer == "drop":
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=answer if isinstance(answer, int) else 200)

    async def _elsewhere(self, _request: web.Request) -> web.StreamResponse:
        self.elsewhere += 1
        return web.Response()

    def wrong_with(self, request: web.Request, body: bytes) -> str | None:
        """As the hospital's programmer would write it from the document, without a line of ours."""
        stamp = request.headers.get("X-Yinling-Timestamp", "")
        if not stamp.isdigit() or abs(time.time() - int(stamp)) > 300:
            return "time"
        wanted = "v1=" + hmac.new(self.secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, request.headers.get("X-Yinling-Signature", "")):
            return "signature"
        return None
