"""A seat's screen without a browser: the live stream, and the elder's file fetched as the page fetches it by itself."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from tests.calls.system import System

_CARD = re.compile(r'data-incident="([0-9A-Z]{26})" data-attention="([a-z]+)" data-name="([^"]*)"')


class Screen:
    """When each incident was seen first: in the list (which is what sounds the alarm), and its file read to the end."""

    def __init__(self, http: aiohttp.ClientSession, base: str) -> None:
        self._http, self._base = http, base
        self.listed: dict[str, float] = {}
        self.filed: dict[str, float] = {}
        self.names: dict[str, str] = {}
        self.broken = 0
        self._opening: set[asyncio.Task[None]] = set()

    async def read(self) -> None:
        """The stream until cancelled; a browser comes back when it breaks off, and so do we."""
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with self._http.get(f"{self._base}/stream") as stream:
                    assert stream.status == 200, stream.status
                    await self._events(stream.content)
            self.broken += 1
            await asyncio.sleep(1)

    async def _events(self, lines: aiohttp.StreamReader) -> None:
        event, data = "", []
        while line := await lines.readline():
            text = line.decode().rstrip("\n")
            if text.startswith("event: "):
                event = text[7:]
            elif text.startswith("data: "):
                data.append(text[6:])
            elif not text:
                if event == "incidents":
                    self._incidents("\n".join(data))
                event, data = "", []

    def _incidents(self, html: str) -> None:
        at = time.monotonic()
        for incident, attention, name in _CARD.findall(html):
            if attention == "unattended" and incident not in self.listed:
                self.listed[incident], self.names[incident] = at, name
                task = asyncio.create_task(self._open(incident, name))
                self._opening.add(task)
                task.add_done_callback(self._opening.discard)

    async def _open(self, incident: str, name: str) -> None:
        async with self._http.get(f"{self._base}/incidents/{incident}") as page:
            html = await page.text()
            if page.status == 200 and "老人档案" in html and name in html:
                self.filed[incident] = time.monotonic()


@asynccontextmanager
async def screen(system: System, name: str, password: str) -> AsyncIterator[Screen]:
    """Logged in with the page open."""
    base = f"http://127.0.0.1:{system.settings.http_port}"
    jar = aiohttp.CookieJar(unsafe=True)
    limits = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(cookie_jar=jar, timeout=limits, read_bufsize=1 << 22) as http:
        async with http.get(f"{base}/login") as page:
            csrf = (await page.text()).split('name="csrf" value="')[1].split('"')[0]
        async with http.post(f"{base}/login", data={"name": name, "password": password, "csrf": csrf}) as reply:
            assert reply.status == 200, reply.status
        shown = Screen(http, base)
        reading = asyncio.create_task(shown.read())
        try:
            yield shown
        finally:
            assert not reading.done(), "the screen was cut off"
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
