"""What strangers send, on every port: nothing is injected, nothing is dialled, and the next caller is served."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.calls.harness import Answers, NoAnswer, SippFailed, Town, find_prompt
from tests.calls.place import MakePlace
from tests.calls.raw_caller import RawCaller
from tests.calls.system import DUTY, Person, System, prompt

WANG = Person("E1", "王秀英", "02150001111", ["13800000001"], "P-1", "13900007777")
GREETING = prompt("hotline/greeting")


async def journal(system: System, kind: str) -> list[dict[str, Any]]:
    events = (await system.api("GET", "/events?limit=1000", status=200))["items"]
    return [event for event in events if event["kind"] == kind]


async def still_answers(town: Town, within: float = 3.0) -> None:
    """An ordinary call is answered in time and greeted."""
    elder = await town.call("02150009999", "12349")
    answered = await elder.answered(within=within + 5)
    assert answered - elder.invited_at < within
    await elder.hears(GREETING)
    await elder.hang_up()


async def until_ended(system: System, count: int) -> list[dict[str, Any]]:
    async def look() -> list[dict[str, Any]] | None:
        items = (await system.api("GET", "/calls", status=200))["items"]
        ended = [dict(item) for item in items if item["ended_at"]]
        return ended if len(ended) == len(items) == count else None

    return list(await system.until(look, 10, f"{count} ended calls on record"))


NAMES = {
    "ten-kilobytes": "王" * 3400,
    "line-breaks": r"x%0d%0aAction: Originate%0d%0aChannel: PJSIP/13800000001@trunk%0d%0a%0d%0a",
    "quotes": r"a\"b\\c'd\",e\"",
    "broken-utf8": b"\xe7\x8e\x8b\xff\xfe\xe7\xa7".decode("utf-8", "surrogateescape"),
    "shell": "${SHELL(touch /tmp/yinling-was-here)}$[1+1]",
    "markup": "<script>alert(1)</script>\x07;--",
}


@pytest.mark.timeout(240)
async def test_a_caller_with_a_hostile_name_is_served_like_any_other(place: MakePlace) -> None:
    trap = Path("/tmp/yinling-was-here")
    trap.unlink(missing_ok=True)
    async with place([WANG]) as (system, town):
        family = town.family("13800000001", NoAnswer())
        elders = [await town.call("02150001111", "12349", caller_name=name) for name in NAMES.values()]
        for what, elder in zip(NAMES, elders, strict=True):
            await elder.answered()
            heard = await elder.hears(GREETING)
            assert heard.found, what
        for elder in elders:
            await elder.hang_up()
        for call in await until_ended(system, len(NAMES)):
            assert call["caller_id"] == "02150001111"
            assert call["elder"]["elder_no"] == "E1"
        assert len(await journal(system, "ticket.opened")) == len(NAMES)
        assert family.calls == []
        assert await journal(system, "node.asterisk_lost") == []
        assert not trap.exists()
        assert town.troubles == []


CALLERS = {
    "shell": b"$%7BSHELL(id)%7D",
    "dial-string": b"500&PJSIP%2f1001%40trunk",
    "line-breaks": b"13800000001%0d%0aAction%3a%20Originate%0d%0a%0d%0a",
    "agi-fields": b"1%0aagi_network_script%3a%20seat%0aagi_arg_1%3a%2012349120%0aagi_uniqueid%3a%201.1",
    "agi-end": b"1%0a%0a200%20result=49%0a",
    "nul": b"138%0000",
    "long": b"1" * 5000,
    "semicolon": b"138;phone-context=x",
    "empty": b"",
}


@pytest.mark.timeout(240)
async def test_a_hostile_caller_id_is_digits_to_us_or_nothing(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], NoAnswer())
        family = town.family("13800000001", NoAnswer())

        async def calls(what: str, caller: bytes) -> bool:
            """Whether the call was taken: then it has heard the greeting."""
            async with RawCaller(system.settings.sip_port, town.exchange) as stranger:
                stranger.invite(b"12349", sender=b"<sip:%s@127.0.0.1:%d>" % (caller, town.exchange.port))
                status = await stranger.final()
                if status == 200:
                    await asyncio.sleep(4)
                    assert find_prompt(stranger.rtp.heard.pcm(), GREETING).found, what
                else:
                    assert status is None or 400 <= status < 500, (what, status)
                return status == 200

        taken = await asyncio.gather(*(calls(what, caller) for what, caller in CALLERS.items()))
        found = dict(zip(CALLERS, taken, strict=True))
        assert found["shell"], "an odd caller is served"
        assert found["dial-string"], "an odd caller is served"
        for call in await until_ended(system, sum(taken)):
            assert set(call["caller_id"] or "") <= set("0123456789"), "whatever it said: digits, or nothing"
            assert call["kind"] == "routine"
        assert await system.incidents() == []
        assert (agent.calls, family.calls) == ([], [])
        await still_answers(town)


async def test_a_line_break_in_the_caller_id_of_the_emergency_line_is_an_emergency(place: MakePlace) -> None:
    """The block that Asterisk hands to the engine must not end, or begin anew, where a stranger says so."""
    async with place([WANG], IVR_DUTY_PHONE="") as (system, town):
        for caller in (CALLERS["agi-end"], CALLERS["agi-fields"]):
            async with RawCaller(system.settings.sip_port, town.exchange) as stranger:
                stranger.invite(b"12349120", sender=b"<sip:%s@127.0.0.1>" % caller)
                assert await stranger.final() == 200
                await system.until(system.incidents, 8, "an incident")
                assert not (await system.incidents())[0]["needs_look"], "served by the engine, not by the lifeline"
                await asyncio.sleep(2)
            await system.close_all()
        await still_answers(town)


FOREIGN = [
    b"13800000001",
    b"0013800000001",
    b"12349@evil",
    b"12349%40evil.example",
    b"12349;13800000001",
    b"12349%26PJSIP%2f13800000001%40trunk",
    b"500&PJSIP%2f1001@trunk",
    b"$%7BSHELL(id)%7D",
    b"1001",
    b"*11",
    b"s",
    b"T",
    b"12349%0d%0ax",
    b"012349",
    b"123491",
    b"",
]


async def test_the_trunk_reaches_our_numbers_and_nothing_else(place: MakePlace) -> None:
    """No toll fraud: no number but ours is answered, and nothing goes out again."""
    async with place([WANG]) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], NoAnswer())
        family = town.family("13800000001", NoAnswer())
        for number in FOREIGN:
            async with RawCaller(system.settings.sip_port, town.exchange) as stranger:
                stranger.invite(number)
                status = await stranger.final(within=2)
                assert status is None or status >= 400, (number, status)
        assert (agent.calls, family.calls) == ([], [])
        assert town.exchange.invites() == [], "no route out"
        await still_answers(town)


async def test_who_is_not_the_trunk_and_has_no_secret_never_reaches_the_dialplan(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        for sender in (None, b"<sip:1001@127.0.0.1>", b"<sip:trunk@127.0.0.1>", b'"12349" <sip:anonymous@anonymous>'):
            for number in (b"12349", b"12349120", b"*11", b"1002"):
                async with RawCaller(system.settings.sip_port) as stranger:
                    stranger.invite(number, sender=sender)
                    assert await stranger.final() == 401, (sender, number)
        with pytest.raises(SippFailed):
            await town.agent("1001", "not-the-secret")
        guessing = await town.agent("1002", "not-the-secret", NoAnswer(), register=False)
        refused = await guessing.dials("12349120")

        def twice_refused() -> bool:
            return sum(entry.what == "401 INVITE" for entry in guessing.exchange.log) >= 2

        await guessing.exchange.bell.until(twice_refused, 5, "refused with the wrong secret too")
        assert refused.answered_at is None
        assert (await system.api("GET", "/calls", status=200))["items"] == []
        assert await system.incidents() == []
        await still_answers(town)


async def tcp(port: int, data: bytes, *, wait_s: float = 0.0) -> None:
    """Connect, say this, perhaps wait, and leave."""
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(5):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            for start in range(0, len(data), 65536):
                writer.write(data[start : start + 65536])
                await writer.drain()
            await asyncio.sleep(wait_s)
            writer.close()
            await writer.wait_closed()


ATTACKS = {
    "connect-and-close": [b""],
    "garbage": [random.Random(1).randbytes(5000), b"\0" * 2000, b"\n" * 2000, b"\r\n\r\n" * 500],
    "a-megabyte-without-a-line": [b"a" * 1_000_000],
    "half-a-header": [
        b"agi_network: yes\nagi_network_scr",
        b"Action: Login\r\nUsername: ivr-rea",
        b"POST /api/v1/alarms HTTP/1.1\r\nHost: x\r\nContent-Le",
    ],
}


@pytest.mark.timeout(240)
async def test_after_attacks_on_every_tcp_port_the_next_caller_is_answered(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        s = system.settings
        ports = (s.agi_port, s.ami_port, s.http_port)
        for attack in ATTACKS.values():
            for data in attack:
                await asyncio.gather(*(tcp(port, data) for port in ports for _ in range(5)))
            held = [asyncio.create_task(tcp(port, attack[0], wait_s=3)) for port in ports]
            await asyncio.sleep(0.2)
            await still_answers(town)
            await asyncio.gather(*held)
        assert system.engine_status()["ami"] == "up"
        assert await journal(system, "node.asterisk_lost") == []
        assert (await system.api("GET", "/health", status=200))["status"] == "ok"


async def test_the_engine_holds_no_agi_session_for_who_says_nothing(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        silent = [await asyncio.open_connection("127.0.0.1", system.settings.agi_port) for _ in range(100)]
        await still_answers(town)

        def none_left() -> bool:
            return system.engine_status()["agi_sessions"] == 0

        await system.until(none_left, 8, "no AGI session left")
        for _, writer in silent:
            writer.close()


async def test_datagrams_that_are_no_sip_cost_nobody_a_call(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        dice = random.Random(2)
        town.exchange.inject(b"\0" * 100)
        for size in (1, 10, 500, 1400, 30_000):
            town.exchange.inject(dice.randbytes(size))
        for text in (
            b"INVITE sip:12349@127.0.0.1 SIP/2.0\r\n\r\n",
            b"INVITE sip:12349@127.0.0.1 SIP/9.9\r\nVia: x\r\nContent-Length: 99999999999\r\n\r\n",
            b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK-x\r\nCSeq: 1 INVITE\r\nCall-ID: x\r\n\r\n",
            b'INVITE sip:12349@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=\r\nFrom: "\r\nTo: <\r\n'
            b"Call-ID: \r\nCSeq: -1 INVITE\r\nContent-Length: -5\r\n\r\n",
            b"BYE sip:x SIP/2.0\r\n" + b"X: y\r\n" * 2000 + b"\r\n",
        ):
            town.exchange.inject(text)
        await still_answers(town)
        assert await system.cli("core show uptime"), "the same Asterisk still runs"


async def test_an_alarm_of_a_device_nobody_registered_is_an_incident_that_a_person_sees(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        family, duty = town.family("13800000001", NoAnswer()), town.duty(DUTY, NoAnswer())
        body = {"source": "radar", "kind": "fall", "device_id": "P-999"}
        opened = await system.api("POST", "/alarms", body, status=201)
        await duty.called(within=8)
        (incident,) = await system.incidents()
        assert (incident["id"], incident["unknown_device"]) == (opened["incident_id"], True)
        (row,) = await journal(system, "incident.opened")
        assert row["unknown_device"] is True
        assert family.calls == [], "nobody's family is guessed"
        await still_answers(town)


async def test_the_same_alarm_sent_many_times_at_once_is_one(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        family = town.family("13800000001", NoAnswer())
        body = {"source": "radar", "kind": "fall", "device_id": "P-1", "idempotency_key": "k-1"}
        answers = await asyncio.gather(*(system.api("POST", "/alarms", body) for _ in range(10)))
        assert len({answer["incident_id"] for answer in answers}) == 1
        assert sum(not answer["repeated"] for answer in answers) == 1
        (incident,) = await system.incidents()
        assert len(incident["alarms"]) == 1
        await family.called()
        await asyncio.sleep(1)
        assert len(family.calls) == 1


async def test_two_megabytes_of_json_are_refused_in_our_shape_and_calls_go_on(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        huge = {"source": "radar", "kind": "fall", "elder_no": "E1", "note": "x" * 2_000_000}
        refused = await system.api("POST", "/alarms", huge, status=413)
        assert refused["error"]["code"] == "too_large"
        headers = {"Authorization": f"Bearer {system.token}", "Content-Type": "application/json"}
        async with aiohttp.ClientSession(headers=headers) as http:
            for body in (b"{", b"[" * 100_000, b"\xff\xfe", b"null", b'{"source": "\\ud800"}', b""):
                async with http.post(system.url("/alarms"), data=body) as reply:
                    answer = await reply.json()
                    assert 400 <= reply.status < 500, (body[:20], reply.status)
                    assert answer["error"]["code"], body[:20]
        assert await system.incidents() == []
        await still_answers(town)


async def test_a_flood_of_strangers_does_not_keep_an_emergency_waiting(place: MakePlace) -> None:
    """Connections on every port and INVITEs without credentials while somebody presses the key."""
    async with place([WANG], IVR_DUTY_PHONE="") as (system, town):
        s = system.settings
        family = town.family("13800000001", Answers(after_s=0.5))
        stop = time.monotonic() + 6

        async def flood(port: int) -> None:
            while time.monotonic() < stop:
                await tcp(port, b"x" * 2000)
                await asyncio.sleep(0.02)

        async def strangers() -> None:
            while time.monotonic() < stop:
                async with RawCaller(s.sip_port) as stranger:
                    stranger.invite(b"12349")
                    await stranger.final(within=1)

        floods = [asyncio.create_task(flood(port)) for port in (s.agi_port, s.ami_port, s.http_port)]
        floods.append(asyncio.create_task(strangers()))
        elder = await town.call("02150001111", "12349120")
        assert await elder.answered() - elder.invited_at < 3
        await elder.hears(prompt("emergency/help_is_coming"))
        await family.called(within=5)
        await asyncio.gather(*floods)
        await elder.hang_up()
