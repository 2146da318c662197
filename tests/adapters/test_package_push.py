"""Packages over real HTTP to a server that fails, hangs, cuts the line, redirects, or is not there."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivr.domain.pushing import PushPolicy, next_try
from ivr.push.client import HttpPusher
from ivr.push.signing import signature
from ivr.services import packages as service
from ivr.services.packages import AMBULANCE, NotTaken, PackageSender, Parcel
from ivr.services.ports import StoreUnavailable
from tests.doubles.package_receiver import Receiver
from tests.doubles.patience import until

SECRET = "agreed-with-the-hospital"
BODY = '{"patient": {"name": "王秀英"}}'.encode()


class Outbox:
    """The `Packages` port in memory, with short pauses."""

    def __init__(self, *parcels: Parcel) -> None:
        self.due = {parcel.id: (parcel, datetime.now(UTC)) for parcel in parcels}
        self.leased: set[str] = set()
        self.story: list[str] = []
        self.away = 0
        self.again = 0
        self.reclaimed: list[str] = []

    async def reclaim(self, node: str) -> None:
        self.reclaimed.append(node)

    async def lease(self, most: int, lease_s: float) -> Sequence[Parcel]:
        now = datetime.now(UTC)
        taken = [one for one, at in self.due.values() if at <= now and one.id not in self.leased][:most]
        self.leased |= {one.id for one in taken}
        return taken

    async def sent(self, package_id: str) -> None:
        if self.away:
            self.away -= 1
            raise StoreUnavailable
        del self.due[package_id]
        self.story.append(f"sent {package_id}")

    async def failed(self, package_id: str, why: str) -> None:
        self.leased.discard(package_id)
        parcel, _ = self.due[package_id]
        self.due[package_id] = (parcel, datetime.now(UTC) + timedelta(seconds=0.1))
        self.story.append(f"failed {package_id} {why}")

    async def tell_again(self, *, ambulance: bool) -> int:
        self.again += 1
        return 0

    async def next_due(self) -> datetime | None:
        return min((at for one, at in self.due.values() if one.id not in self.leased), default=None)


def parcel(server: Receiver | str, name: str = "P1") -> Parcel:
    return Parcel(name, "医院", BODY, server if isinstance(server, str) else server.endpoint, SECRET)


@asynccontextmanager
async def sending(outbox: Outbox, pusher: HttpPusher, **more: tuple[str, str]) -> AsyncIterator[PackageSender]:
    sender = PackageSender(outbox, pusher, "node1", **more)  # type: ignore[arg-type]
    async with pusher:
        task = asyncio.create_task(sender.run())
        try:
            yield sender
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def why_not(server: Receiver | str, *, timeout_s: float = 5.0, secret: str = SECRET) -> str:
    async with HttpPusher(timeout_s) as pusher:
        one = parcel(server)
        assert one.endpoint
        with pytest.raises(NotTaken) as refusal:
            await pusher.push(one, one.endpoint, secret)
    return refusal.value.why


async def test_it_arrives_whole_and_signed_under_one_key_though_the_server_fails_twice() -> None:
    async with Receiver(SECRET, answers=[500, 503]) as server:
        outbox = Outbox(parcel(server))
        async with sending(outbox, HttpPusher(5)):
            await until(lambda: outbox.story[-1:] == ["sent P1"], 5)
        assert outbox.story == ["failed P1 http_500", "failed P1 http_503", "sent P1"]
        assert {(one.key, one.body) for one in server.tries} == {("P1", BODY)}
        assert server.refused == []
        assert len(server.taken) == 1
        assert outbox.reclaimed == ["node1"]


async def test_a_line_cut_after_the_hospital_took_it_sends_it_again_and_the_key_tells() -> None:
    async with Receiver(SECRET, answers=["drop"]) as server:
        outbox = Outbox(parcel(server))
        async with sending(outbox, HttpPusher(5)):
            await until(lambda: outbox.story[-1:] == ["sent P1"], 5)
        assert len(server.tries) == 2
        assert len(server.taken) == 1, "the hospital has it once"


async def test_a_server_that_hangs_holds_no_other_hospital_up() -> None:
    async with Receiver(SECRET, answers=["hang"]) as slow, Receiver(SECRET) as quick:
        outbox = Outbox(parcel(slow, "P1"))
        async with sending(outbox, HttpPusher(1.5)) as sender:
            await until(lambda: slow.tries, 5)
            began = time.monotonic()
            outbox.due["P2"] = (parcel(quick, "P2"), datetime.now(UTC))
            sender.wake()
            await until(lambda: "sent P2" in outbox.story, 5)
            assert time.monotonic() - began < 1.0
            assert "failed P1 timeout" not in outbox.story
            await until(lambda: "sent P1" in outbox.story, 5)
        assert outbox.story.count("failed P1 timeout") == 1


async def test_a_wrong_secret_is_refused_by_the_server_as_our_document_says() -> None:
    async with Receiver(SECRET) as server:
        assert await why_not(server, secret="another one") == "http_401"
        assert server.refused == ["signature"]
        assert server.taken == []


async def test_a_redirect_is_not_followed() -> None:
    async with Receiver(SECRET, answers=["redirect"]) as server:
        assert await why_not(server) == "http_307"
        assert server.elsewhere == 0, "illnesses go where it was agreed, and nowhere else"


async def test_what_is_wrong_is_told_by_a_word_and_never_raises_anything_else() -> None:
    assert await why_not("http://127.0.0.1:9/alarm") == "unreachable"
    for endpoint in ("http://hospital.example/alarm", "ftp://x/", "file:///etc/passwd", "https://u:p@h.example/", "x"):
        assert await why_not(endpoint) == "bad_endpoint", endpoint

    async def garbage(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\xffhello\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(garbage, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await why_not(f"http://127.0.0.1:{port}/") == "broken_answer"


async def test_a_certificate_that_nobody_signed_is_refused_unless_it_is_given(tmp_path: Path) -> None:
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, *files]
    await asyncio.to_thread(subprocess.run, made, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    async with Receiver(SECRET, tls=context) as server:
        assert server.endpoint.startswith("https://")
        assert await why_not(server) == "tls"
        assert server.tries == []
        for pusher in (HttpPusher(5, ca_file=tmp_path / "cert"), HttpPusher(5, insecure=True)):
            async with pusher:
                await pusher.push(parcel(server), server.endpoint, SECRET)
        assert len(server.tries) == 2


async def test_a_database_that_is_away_when_it_was_taken_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "AFTER_FAULT_S", 0.05)
    async with Receiver(SECRET) as server:
        outbox = Outbox(parcel(server))
        outbox.away = 1
        async with sending(outbox, HttpPusher(5)):
            await until(lambda: outbox.story == ["sent P1"], 5)
        assert len(server.tries) == 1


async def test_one_round_that_fails_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "AFTER_FAULT_S", 0.05)
    async with Receiver(SECRET) as server:
        outbox = Outbox(parcel(server))
        faults: list[Exception] = [StoreUnavailable(), ZeroDivisionError(), KeyError("x")]
        asked = outbox.next_due

        async def next_due() -> datetime | None:
            if faults:
                raise faults.pop(0)
            return await asked()

        outbox.next_due = next_due  # type: ignore[method-assign]
        async with sending(outbox, HttpPusher(5)):
            await until(lambda: outbox.story == ["sent P1"], 5)


async def test_120_is_told_at_the_address_of_the_settings() -> None:
    async with Receiver(SECRET) as server:
        outbox = Outbox(Parcel("P1", AMBULANCE, BODY, None, None), Parcel("P2", "没有地址的医院", BODY, None, None))
        async with sending(outbox, HttpPusher(5), ambulance=(server.endpoint, SECRET)):
            await until(lambda: "sent P1" in outbox.story and "failed P2 no_endpoint" in outbox.story, 5)


def test_the_signature_is_that_of_the_document() -> None:
    """The example that docs/package.md gives to the hospital's programmer."""
    text = (Path(__file__).parents[2] / "docs" / "package.md").read_text(encoding="utf-8")
    wanted = signature("example-secret-0123", "1790000000", b'{"version":1}')
    assert wanted in text
    assert "1790000000" in text


def test_tries_come_slower_and_slower_and_end() -> None:
    policy, began = PushPolicy(give_up_after_s=600), datetime(2026, 11, 22, tzinfo=UTC)
    now, pauses = began, []
    while (again := next_try(len(pauses) + 1, began, now, policy)) is not None:
        pauses.append((again - now).total_seconds())
        now = again
    assert pauses[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert max(pauses) == 60
    assert (now - began).total_seconds() == 600, "the last try comes when the time is over, not before"
    assert next_try(10**6, began, began, policy) is not None
