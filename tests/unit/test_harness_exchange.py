"""运营商的转接与记录，端口段，报文解析。The carrier's relaying and its log; port blocks; reading SIP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from tests.calls.harness.exchange import CallRecord, Exchange
from tests.calls.harness.ports import NoFreePorts, PortBlock
from tests.calls.harness.sip import NotSip, SipMessage
from tests.calls.harness.waiting import DidNotHappen


class Socket(asyncio.DatagramProtocol):
    """A stand-in for Asterisk or for a SIPp process."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[tuple[SipMessage, tuple[str, int]]] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport
        self.port: int = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.got.put_nowait((SipMessage.parse(data), addr))

    async def next(self) -> SipMessage:
        return (await asyncio.wait_for(self.got.get(), 2))[0]


async def a_socket() -> Socket:
    return (await asyncio.get_running_loop().create_datagram_endpoint(Socket, local_addr=("127.0.0.1", 0)))[1]


SDP = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 5678 RTP/AVP 8 97\r\na=rtpmap:97 telephone-event/8000\r\n"


def request(method: str, number: str = "138", call_id: str = "a", cseq: int = 1, to: str = "", body: str = "") -> bytes:
    return (
        f"{method} sip:{number}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{cseq}{method}\r\n"
        f'f: "张三" <sip:0215000@h>;tag=1\r\nTo: <sip:{number}@h>{to}\r\ni: {call_id}\r\nCSeq: {cseq} {method}\r\n'
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def answer(status: int, call_id: str = "a", method: str = "INVITE", cseq: int = 1) -> bytes:
    return (
        f"SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\r\n"
    ).encode()


@pytest_asyncio.fixture
async def scene() -> AsyncIterator[tuple[Exchange, Socket, Socket]]:
    asterisk, phone = await a_socket(), await a_socket()
    with PortBlock(size=50) as ports:
        exchange = await Exchange(ports.take(), ("127.0.0.1", asterisk.port)).open()
        yield exchange, asterisk, phone
        await exchange.close()
    asterisk.transport.close()
    phone.transport.close()


async def test_an_invite_reaches_its_number_and_replies_go_back(scene: tuple[Exchange, Socket, Socket]) -> None:
    exchange, asterisk, phone = scene
    exchange.register("138", phone.port)
    there = ("127.0.0.1", exchange.port)
    asterisk.transport.sendto(request("INVITE", body=SDP), there)
    assert (await phone.next()).method == "INVITE"
    invite = await exchange.wait_invite("138", within=1)
    assert (invite.number, invite.caller_id, invite.caller_name, invite.call_id) == ("138", "0215000", "张三", "a")
    assert invite.from_asterisk
    call = exchange.call("a")
    assert call.far_media
    assert (call.far_media.address, call.far_media.key_payload_type) == (("127.0.0.1", 5678), 97)
    for status in (180, 200):
        phone.transport.sendto(answer(status), there)
        message, source = await asyncio.wait_for(asterisk.got.get(), 2)
        assert message.status == status
        assert source == there
    asterisk.transport.sendto(request("BYE", to=";tag=2", cseq=2), there)
    assert (await phone.next()).method == "BYE"
    assert call.rang_at is not None
    assert call.answered_at is not None
    assert call.invite.at <= call.rang_at <= call.answered_at <= (exchange.ended("a") or 0)
    assert (exchange.final_status("a"), call.ended_by) == (200, "asterisk")


async def test_repeated_invites_are_one_call(scene: tuple[Exchange, Socket, Socket]) -> None:
    exchange, asterisk, phone = scene
    exchange.register("138", phone.port)
    for _ in range(3):
        asterisk.transport.sendto(request("INVITE"), ("127.0.0.1", exchange.port))
    for _ in range(1):
        await phone.next()
    await asyncio.sleep(0.05)
    assert len(exchange.invites("138")) == 1
    assert exchange.repeated_invites == 2


async def test_unknown_numbers_are_refused_and_strangers_dialogs_too(scene: tuple[Exchange, Socket, Socket]) -> None:
    exchange, asterisk, _ = scene
    there = ("127.0.0.1", exchange.port)
    asterisk.transport.sendto(request("INVITE", "999"), there)
    assert (await asterisk.next()).status == 404
    asterisk.transport.sendto(request("ACK", "999", to=";tag=carrier"), there)
    exchange.unknown = (503, "Service Unavailable")
    asterisk.transport.sendto(request("INVITE", "999", "b"), there)
    assert (await asterisk.next()).status == 503
    asterisk.transport.sendto(request("OPTIONS", call_id="c"), there)
    assert (await asterisk.next()).status == 200
    asterisk.transport.sendto(request("BYE", call_id="d", to=";tag=x"), there)
    assert (await asterisk.next()).status == 481
    assert [exchange.final_status(call_id) for call_id in "ab"] == [404, 503]


async def test_a_cancel_waits_for_the_phone_that_is_still_being_fetched(scene: tuple[Exchange, Socket, Socket]) -> None:
    exchange, asterisk, phone = scene
    ready = asyncio.Event()

    async def slow(_call: CallRecord) -> int:
        await ready.wait()
        return phone.port

    exchange.register("138", slow)
    there = ("127.0.0.1", exchange.port)
    asterisk.transport.sendto(request("INVITE"), there)
    asterisk.transport.sendto(request("CANCEL"), there)
    await exchange.wait_invite("138", within=1)
    await asyncio.sleep(0.05)
    ready.set()
    assert [(await phone.next()).method for _ in range(2)] == ["INVITE", "CANCEL"]


async def test_a_challenge_is_not_the_end(scene: tuple[Exchange, Socket, Socket]) -> None:
    exchange, asterisk, phone = scene
    there = ("127.0.0.1", exchange.port)
    phone.transport.sendto(request("INVITE"), there)
    await asterisk.next()
    asterisk.transport.sendto(answer(401), there)
    await phone.next()
    assert exchange.final_status("a") == 401
    phone.transport.sendto(request("INVITE", cseq=2), there)
    await asterisk.next()
    assert exchange.ended("a") is None
    assert [invite.from_asterisk for invite in exchange.invites(from_asterisk=False)] == [False]


async def test_what_does_not_happen_is_said_with_the_log(scene: tuple[Exchange, Socket, Socket]) -> None:
    exchange, _, _ = scene
    with pytest.raises(DidNotHappen, match=r"INVITE no\. 1 to 110"):
        await exchange.wait_invite("110", within=0.05)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
def test_garbage_never_breaks_the_carrier(data: bytes) -> None:
    exchange = Exchange(1, ("127.0.0.1", 2))
    for source in (("127.0.0.1", 2), ("127.0.0.1", 3)):
        exchange.datagram_received(data, source)


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_invite_never_breaks_the_carrier(at: int, byte: int) -> None:
    data = bytearray(request("INVITE", "999"))
    data[at % len(data)] = byte
    Exchange(1, ("127.0.0.1", 2)).datagram_received(bytes(data), ("127.0.0.1", 2))


def test_folded_and_compact_headers_are_read() -> None:
    message = SipMessage.parse(
        b"BYE sip:1@h SIP/2.0\r\nv: SIP/2.0/UDP h\r\ni: x\r\nCSeq: 2\r\n BYE\r\nt: <sip:1@h>;tag=3\r\n\r\n"
    )
    assert (message.call_id, message.cseq_method, message.in_dialog) == ("x", "BYE", True)
    with pytest.raises(NotSip):
        SipMessage.parse(b"GET / HTTP/1.1\r\n\r\n")


def test_port_blocks_do_not_overlap(tmp_path: Path) -> None:
    with PortBlock(100, tmp_path) as one, PortBlock(250, tmp_path) as other, PortBlock(50, tmp_path) as third:
        assert len(one.ports) + len(other.ports) + len(third.ports) == 400
        assert len({*one.ports, *other.ports, *third.ports}) == 400
        rtp = one.take_range(40)
        assert rtp.start % 2 == 0
        singles = {one.take() for _ in range(50)}
        assert not singles & set(rtp)
        first = one.ports
    with PortBlock(100, tmp_path) as again:
        assert again.ports == first


def test_a_full_block_says_so(tmp_path: Path) -> None:
    with PortBlock(10, tmp_path) as block:
        for _ in range(10):
            block.take()
        with pytest.raises(NoFreePorts):
            block.take()
        with pytest.raises(NoFreePorts):
            block.take_range(4)
