"""One POST to somebody else's server, which may be slow, wrong, hostile or not there."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from ivr.endpoints import is_endpoint
from ivr.push.signing import KEY, SIGNATURE, TIMESTAMP, signature
from ivr.services.packages import NotTaken, Parcel

ANSWER_LIMIT = 64 * 1024


class HttpPusher:
    """Implements the `Pusher` port; `async with HttpPusher(…) as pusher`."""

    def __init__(self, timeout_s: float, *, insecure: bool = False, ca_file: Path | None = None) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=min(5.0, timeout_s))
        self._insecure = insecure
        self._ca_file = ca_file
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        context: ssl.SSLContext | bool = False
        if not self._insecure:
            context = ssl.create_default_context(cafile=str(self._ca_file) if self._ca_file else None)
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, limit=16), timeout=self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    async def push(self, parcel: Parcel, endpoint: str, secret: str) -> None:
        assert self._http is not None
        if not is_endpoint(endpoint, insecure=self._insecure):
            raise NotTaken("bad_endpoint")
        stamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Yinling",
            KEY: parcel.id,
            TIMESTAMP: stamp,
            SIGNATURE: signature(secret, stamp, parcel.body),
        }
        try:
            # No redirect is followed: illnesses go to the address that was agreed on, and to no other.
            async with self._http.post(endpoint, data=parcel.body, headers=headers, allow_redirects=False) as answer:
                await answer.content.read(ANSWER_LIMIT)
                status = answer.status
        except TimeoutError:
            raise NotTaken("timeout") from None
        except (aiohttp.ClientSSLError, ssl.SSLError):
            raise NotTaken("tls") from None
        except aiohttp.ClientConnectorError:
            raise NotTaken("unreachable") from None
        except (aiohttp.ClientError, OSError, ValueError):
            raise NotTaken("broken_answer") from None
        if not 200 <= status < 300:
            raise NotTaken(f"http_{status}")
