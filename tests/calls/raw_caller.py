"""A caller that SIPp will not be: sends one INVITE whose bytes the test writes, through the trunk or from elsewhere.

Hears what Asterisk answers; acknowledges and hangs up, so that nothing is left behind.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from types import TracebackType
from typing import Self

from tests.calls.harness import Exchange, RtpPeer

_serial = itertools.count(1)


class RawCaller(asyncio.DatagramProtocol):
    """`async with RawCaller(sip_port, exchange) as caller`; with an exchange its datagrams have the trunk's port."""

    def __init__(self, asterisk_port: int, exchange: Exchange | None = None) -> None:
        self._asterisk = ("127.0.0.1", asterisk_port)
        self._exchange = exchange
        self.call_id = f"raw-{next(_serial)}@harness"
        self.replies: list[str] = []
        self._news = asyncio.Event()
        self._invite = b""

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.port = self._transport.get_extra_info("sockname")[1]
        self.rtp = await RtpPeer.open()
        self.rtp.start(None)
        if self._exchange is not None:  # replies to this Call-ID come back to us
            self._exchange._other_dialogs[self.call_id] = ("127.0.0.1", self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.status and self.status < 300:
            await self.hang_up()
        self.rtp.close()
        self._transport.close()

    @property
    def _seen_port(self) -> int:
        return self._exchange.port if self._exchange is not None else self.port

    def invite(self, number: bytes, *, sender: bytes | None = None, extra: bytes = b"") -> None:
        """`sender`: the From header's value before its tag; `extra`: whole header lines."""
        here = b"127.0.0.1:%d" % self._seen_port
        sdp = (
            b"v=0\r\no=x 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            b"m=audio %d RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n" % self.rtp.port
        )
        uri = b"sip:%s@127.0.0.1:%d" % (number, self._asterisk[1])
        self._branch = b"z9hG4bK-" + self.call_id.partition("@")[0].encode()
        self._from = (sender if sender is not None else b"<sip:02150001111@%s>" % here) + b";tag=raw"
        self._uri = uri
        self._invite = b"INVITE %s SIP/2.0\r\n" % uri + self._headers(b"INVITE", 1, b"<%s>" % uri) + extra
        self._invite += b"Contact: <sip:raw@%s>\r\nContent-Type: application/sdp\r\n" % here
        self._send(self._invite + b"Content-Length: %d\r\n\r\n" % len(sdp) + sdp)

    def _headers(self, method: bytes, cseq: int, to: bytes, branch: bytes = b"") -> bytes:
        return (
            b"Via: SIP/2.0/UDP 127.0.0.1:%d;rport;branch=%s\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\n"
            b"Call-ID: %s\r\nCSeq: %d %s\r\n"
            % (self._seen_port, branch or self._branch, self._from, to, self.call_id.encode(), cseq, method)
        )

    def _send(self, data: bytes) -> None:
        if self._exchange is not None:
            self._exchange.inject(data)
        else:
            self._transport.sendto(data, self._asterisk)

    def datagram_received(self, data: bytes, addr: object) -> None:
        text = data.decode("utf-8", "replace")
        self.replies.append(text)
        found = re.match(r"SIP/2.0 (\d+)", text)
        if found and int(found[1]) >= 200 and "INVITE" in text.partition("CSeq:")[2].partition("\r\n")[0]:
            self._acknowledge(int(found[1]))
        elif text.startswith("BYE "):
            via, cseq = (re.search(rf"^{name}: [^\r]*", text, re.MULTILINE) for name in ("Via", "CSeq"))
            assert via is not None
            assert cseq is not None
            self._send(
                b"SIP/2.0 200 OK\r\n%s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\n%s\r\nContent-Length: 0\r\n\r\n"
                % (via[0].encode(), self._to.encode(), self._from, self.call_id.encode(), cseq[0].encode())
            )
        self._news.set()

    @property
    def _to(self) -> str:
        for reply in reversed(self.replies):
            found = re.search(r"^To: (.*;tag=.*?)\r$", reply, re.MULTILINE)
            if reply.startswith("SIP/2.0") and found:
                return found[1]
        return f"<{self._uri.decode(errors='replace')}>"

    def _acknowledge(self, status: int) -> None:
        branch = self._branch if status >= 300 else self._branch + b"-ack"
        self._send(
            b"ACK %s SIP/2.0\r\n" % self._uri
            + self._headers(b"ACK", 1, self._to.encode(), branch)
            + b"Content-Length: 0\r\n\r\n"
        )

    async def hang_up(self) -> None:
        self._send(
            b"BYE %s SIP/2.0\r\n" % self._uri
            + self._headers(b"BYE", 2, self._to.encode(), self._branch + b"-bye")
            + b"Content-Length: 0\r\n\r\n"
        )
        await asyncio.sleep(0.2)

    @property
    def status(self) -> int | None:
        """The final status of the INVITE, so far."""
        found = [int(m[1]) for r in self.replies if (m := re.match(r"SIP/2.0 ([2-6]\d\d)", r)) and " INVITE" in r]
        return found[-1] if found else None

    async def final(self, within: float = 5.0) -> int | None:
        """The final status, or None when Asterisk did not answer in time."""
        deadline = asyncio.get_running_loop().time() + within
        while self.status is None:
            self._news.clear()
            try:
                async with asyncio.timeout(deadline - asyncio.get_running_loop().time()):
                    await self._news.wait()
            except TimeoutError:
                return None
        return self.status
