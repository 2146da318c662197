"""The trunk dies: calls leave by the second, what was on its way is dialled again, and people are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.calls.harness import NoAnswer, Town
from tests.calls.place import MakePlace, Place
from tests.calls.system import DUTY, Person, System, prompt

WANG = Person("E1", "王秀英", "02150001111", ["13800000001", "13800000002"])


class FirstTrunk(asyncio.DatagramProtocol):
    """A provider that answers OPTIONS, and nothing else: an INVITE meets silence."""

    def __init__(self) -> None:
        self.invites: list[float] = []
        self.answers = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        head, *lines = data.decode("utf-8", "replace").split("\r\n")
        if head.startswith("INVITE "):
            self.invites.append(asyncio.get_running_loop().time())
        if head.startswith("OPTIONS ") and self.answers:
            kept = [one for one in lines if one.lower().startswith(("via:", "from:", "to:", "call-id:", "cseq:"))]
            kept = [f"{one};tag=first" if one.lower().startswith("to:") and "tag=" not in one else one for one in kept]
            self._transport.sendto("\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]).encode(), addr)


async def state(system: System, wanted: str) -> None:
    async def look() -> bool:
        return bool((await system.api("GET", "/health"))["parts"].get("trunk", {}).get("state") == wanted)

    await system.until(look, 20, f"trunk {wanted}")


@asynccontextmanager
async def two_trunks(there: Place) -> AsyncIterator[tuple[System, Town, FirstTrunk]]:
    """The town's telephones are behind the second trunk."""
    transport, first = await asyncio.get_running_loop().create_datagram_endpoint(
        FirstTrunk, local_addr=("127.0.0.1", there.ports.take())
    )
    options = {
        "IVR_TRUNK_PORT": str(transport.get_extra_info("sockname")[1]),
        "IVR_SECOND_TRUNK_HOST": "127.0.0.1",
        "IVR_SECOND_TRUNK_PORT": str(there.ports.take()),
    }
    async with System(there.folder, there.ports, there.people, options=options) as system:
        s = system.settings
        async with Town(s.sip_port, s.second_trunk_port, there.sipp, ports=there.ports) as town:
            yield system, town, first
            await system.close_all()
    transport.close()


async def test_what_was_sent_to_a_trunk_that_dies_leaves_by_the_second_within_four_seconds(place: MakePlace) -> None:
    async with two_trunks(place([WANG])) as (system, town, first):
        phones = [town.family(number, NoAnswer()) for number in WANG.contacts]
        town.duty(DUTY, NoAnswer())
        await state(system, "ok")
        said = (system.folder / "log" / "engine.log").read_text()
        assert "trunk: down" not in said, "not asked yet is not gone"
        await system.api("POST", "/alarms", {"source": "t", "kind": "press", "elder_no": "E1"}, status=201)
        await system.until(lambda: len(first.invites) >= 2, 5, "both relatives' calls on the first trunk")
        first.answers = False
        dead = asyncio.get_running_loop().time()
        calls = [await phone.called(within=8) for phone in phones]
        took = [round(call.invited_at - dead, 1) for call in calls]
        print(f"first trunk dead to the INVITE on the second {took}")
        assert max(took) < 4.0
        await state(system, "second")
        (incident,) = await system.incidents()
        for leg in (one for one in incident["legs"] if one["role"] == "family"):
            assert leg["state"] in ("dialled", "ringing"), "a call that nobody could hear is no try"
        first.answers = True
        await state(system, "ok")


async def test_callers_come_in_by_both_and_without_any_trunk_it_is_said(place: MakePlace) -> None:
    async with two_trunks(place([WANG])) as (system, town, first):
        town.duty(DUTY, NoAnswer())
        for number in WANG.contacts:
            town.family(number, NoAnswer())
        await state(system, "ok")
        elder = await town.call("02150001111", "12349120")  # by the second
        await elder.hears(prompt("emergency/help_is_coming"))
        await elder.hang_up()
        first.answers = False
        await state(system, "second")
        assert (await system.api("GET", "/health", status=200))["down"] == []
        town.exchange.answers_options = False
        await state(system, "down")
        assert (await system.api("GET", "/health", status=503))["down"] == ["trunk"]
