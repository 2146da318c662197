"""Asterisk's side of AEAP: a WebSocket client that speaks as res_speech_aeap does, and worse."""

from __future__ import annotations

import asyncio
import itertools
import json
from types import TracebackType
from typing import Any, Self

import aiohttp

SPEECH_PCM = (b"\x00\x20" * 4 + b"\x00\xe0" * 4) * 20
"""20 ms of a loud square wave at 1 kHz (a sample is 2 bytes): somebody speaks."""
SILENT_PCM = bytes(320)


class AeapSide:
    """`async with AeapSide(port) as asterisk:` is connected; `set_up` before anything else."""

    def __init__(self, port: int, path: str = "/ordinary", protocol: str = "speech_to_text") -> None:
        self._url = f"http://127.0.0.1:{port}{path}"
        self._protocol = protocol
        self._ids = itertools.count(1)
        self.pace = 0.03
        """Of real time: far faster than anybody speaks, and slow enough for a thread to follow."""

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        try:
            self.ws = await self._http.ws_connect(self._url, protocols=(self._protocol,), max_msg_size=0)
        except BaseException:
            await self._http.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.ws.close()
        await self._http.close()

    async def ask(self, name: str, **fields: Any) -> dict[str, Any]:
        """One request and the answer with its id."""
        number = f"{next(self._ids)}"
        await self.ws.send_str(json.dumps({"request": name, "id": number, **fields}))
        answer = await self.said()
        assert (answer["response"], answer["id"]) == (name, number), answer
        return answer

    async def set_up(self, codec: str = "slin") -> dict[str, Any]:
        return await self.ask("setup", version="0.1.0", codecs=[{"name": codec}], params={})

    async def set(self, name: str, value: str) -> dict[str, Any]:
        return await self.ask("set", params={name: value})

    async def turn(self, grammar: str, prompt_ms: str = "0") -> None:
        for name, value in (("prompt_ms", prompt_ms), ("grammar", grammar)):
            answer = await self.set(name, value)
            assert "error_msg" not in answer, answer

    async def sound(self, pcm: bytes, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            await self.ws.send_bytes(pcm)
        await asyncio.sleep(seconds * self.pace)

    async def speech(self, seconds: float) -> None:
        """Syllables: 160 ms of voice, 40 ms of none."""
        for _ in range(round(seconds / 0.2)):
            await self.sound(SPEECH_PCM, 0.16)
            await self.sound(SILENT_PCM, 0.04)

    async def said(self, within: float = 3.0) -> dict[str, Any]:
        """The next message."""
        async with asyncio.timeout(within):
            message = await self.ws.receive()
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return dict(json.loads(message.data))

    async def result(self, within: float = 3.0) -> dict[str, Any]:
        """The next result, answered as Asterisk answers it."""
        message = await self.said(within)
        assert message["request"] == "set", message
        await self.ws.send_str(json.dumps({"response": "set", "id": message["id"]}))
        (found,) = message["params"]["results"]
        return dict(found)

    async def closed(self, within: float = 3.0) -> bool:
        async with asyncio.timeout(within):
            while (await self.ws.receive()).type not in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
                pass
        return True
