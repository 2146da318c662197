"""The live stream: what changes arrives once, in time, and a screen that does not read hurts nobody."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

from aiohttp import ClientResponse

from agent_console.keys import HUB
from agent_console.live import stream as live
from agent_console.live.client import Client, Fragment
from tests.adapters.api_stage import Stage, stage


class Reader:
    """Server-sent events of one connection."""

    def __init__(self, response: ClientResponse) -> None:
        self._response = response
        self.last_id = ""

    async def event(self, name: str, *, holding: str = "", within_s: float = 3.0) -> str:
        """Data of the next such event that holds this text."""
        async with asyncio.timeout(within_s):
            while True:
                kind, data = "", ""
                while line := (await self._response.content.readline()).decode().rstrip("\n"):
                    key, _, value = line.partition(": ")
                    if key == "event":
                        kind = value
                    elif key == "data":
                        data += value + "\n"
                    elif key == "id":
                        self.last_id = value
                if kind == name and holding in data:
                    return data


async def test_new_incident_reaches_every_screen(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        await api.log_in("李娜")
        async with api.client.get("/stream") as first, api.client.get("/stream") as second:
            assert first.headers["Content-Type"] == "text/event-stream"
            readers = [Reader(first), Reader(second)]
            incident = await api.alarm(device_id="P-100")
            for reader in readers:
                assert incident in await reader.event("incidents", holding=incident)


async def test_who_comes_back_gets_what_he_missed_and_no_more(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        await api.log_in("李娜")
        async with api.client.get("/stream") as response:
            reader = Reader(response)
            incident = await api.alarm(device_id="P-100")
            await reader.event("incidents", holding=incident)
            while not reader.last_id:
                await reader.event("beat", within_s=6)
        assert api.client.app is not None
        hub = api.client.app[HUB]
        names = frozenset({"incidents/full"})
        seen = int(reader.last_id)
        assert await (await hub.join(names, seen)).take(0.2) == b""
        missed = await api.alarm(phone="18800001111")
        assert missed.encode() in await (await hub.join(names, seen)).take(1.0)


async def test_screen_that_does_not_read_delays_nobody(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        await api.log_in("李娜")
        lazy = _lazy_connection(api)
        try:
            async with api.client.get("/stream") as response:
                reader = Reader(response)
                for number in range(30):
                    began = time.monotonic()
                    incident = await api.alarm(phone=f"1880000{number:04d}", note="x" * 3000)
                    await reader.event("incidents", holding=incident)
                    assert time.monotonic() - began < 1.0
        finally:
            lazy.close()


async def test_mailbox_of_a_slow_screen_holds_only_the_newest() -> None:
    client = Client(frozenset({"queue/full", "seats/plain"}))
    for seq in range(1000):
        client.offer(Fragment.of("queue/full", f"<p>{seq}</p>", seq))
        client.reached(seq)
    client.offer(Fragment.of("alert/full", "not mine", 1000))
    data = await client.take(0.1)
    assert data == b"event: queue\ndata: <p>999</p>\nid: 999\n\n"
    assert await client.take(0.01) == b""


async def test_ended_session_ends_the_stream(tmp_path: Path) -> None:
    async with stage(tmp_path) as api, api.client.get("/stream") as response:
        assert response.status == 204


async def test_session_that_ends_is_noticed(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(live, "SESSION_CHECK_S", 0.1)
    monkeypatch.setattr(live, "BEAT_S", 0.2)
    async with stage(tmp_path) as api:
        csrf = await api.log_in("李娜")
        async with api.client.get("/stream") as response:
            await api.client.post("/logout", data={"csrf": csrf})
            await Reader(response).event("logged-out")


def _lazy_connection(api: Stage) -> socket.socket:
    """A browser that sends its request and never reads."""
    cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in api.client.session.cookie_jar)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((api.client.host, api.client.port))
    connection.sendall(f"GET /stream HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\n\r\n".encode())
    return connection
