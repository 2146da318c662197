"""A small storm through the real system: every alarm acknowledged, elders asked by machine, lines kept free."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.calls.harness import Answers, NoAnswer
from tests.calls.place import MakePlace
from tests.calls.system import Person, System, prompt

ELDERS = 12
PORTS = 6
PACED = 4  # 6 × (1 − 0.3), whole lines
SAFE, HELP, SILENT, AWAY = range(6), range(6, 8), range(8, 10), range(10, 12)
CALLER = Person("E99", "来电", "02150009900", ["13800009901"])
STORM = {
    "IVR_TRUNK_PORTS": str(PORTS),
    "IVR_STORM_WAITING_PER_SEAT": "1",
    "IVR_TRIAGE_AGAIN_S": "2",
    "IVR_TRIAGE_RING_S": "6",
    "IVR_FAMILY_RING_S": "6",
    "IVR_DUTY_PHONE": "",
}


def elder(number: int) -> Person:
    return Person(f"E{number}", f"老人{number}", f"0215000{number:04d}", [f"138{number:08d}"], device=f"P-{number}",
                  device_caller_id=f"147{number:08d}")  # fmt: skip


ORDER = ["help", "silent", "no_answer", "safe"]
PEOPLE = [elder(n) for n in range(ELDERS)]


def elder_talks(incident: dict[str, Any]) -> bool:
    return any(leg["role"] == "elder" and leg["state"] == "accepted" for leg in incident["legs"])


async def listed(system: System) -> list[dict[str, Any]]:
    """The open incidents in the API's order, page by page."""
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = await system.api("GET", f"/incidents?state=open&limit=5{cursor}", status=200)
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = f"&cursor={page['next']}"


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_twelve_alarms_one_seat_six_lines(place: MakePlace) -> None:
    async with place([*PEOPLE, CALLER], **STORM) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], NoAnswer())
        await system.ready("1001")
        homes = {}
        for n, person in enumerate(PEOPLE):
            if n in SAFE:
                homes[n] = town.family(person.phone, Answers(after_s=0.3, presses="1", presses_after_s=1.5))
            elif n in HELP:
                homes[n] = town.family(person.phone, Answers(after_s=0.3, presses="2", presses_after_s=1.5))
            elif n in SILENT:
                homes[n] = town.family(person.phone, Answers(after_s=0.3))
            else:
                homes[n] = town.family(person.phone, NoAnswer())
            town.family(person.contacts[0], NoAnswer())
        await system.api("POST", "/storm", {"mode": "on", "by": "周强"}, status=200)
        bodies = [
            {"source": "pendant", "kind": "press", "device_id": p.device, "idempotency_key": p.device} for p in PEOPLE
        ]
        opened = await asyncio.gather(*(system.api("POST", "/alarms", body, status=201) for body in bodies))
        assert len({one["incident_id"] for one in opened}) == ELDERS, "every alarm is acknowledged"

        async def asked_through() -> bool:
            counts = await system.api("GET", "/storm", status=200)
            return counts["pending"] == counts["calling"] == counts["unasked"] == 0

        await system.until(asked_through, 120, "everybody asked")
        said = {item["elder"]["elder_no"]: item["triage"] for item in await listed(system)}
        assert said == {
            **{f"E{n}": "safe" for n in SAFE},
            **{f"E{n}": "help" for n in HELP},
            **{f"E{n}": "silent" for n in SILENT},
            **{f"E{n}": "no_answer" for n in AWAY},
        }
        # One page is one moment; from page to page a line may end, and its incident moves.
        items = (await system.api("GET", "/incidents?state=open&limit=50", status=200))["items"]
        places = [(not elder_talks(item), ORDER.index(item["triage"])) for item in items]
        assert places == sorted(places), f"by risk, who is on the line first: {places}"
        assert [item["triage"] for item in items][-len(SAFE) :] == ["safe"] * len(SAFE)
        assert town.exchange.most_at_once() <= PACED, "the rest of the lines stays free"
        for n in AWAY:
            assert len(homes[n].calls) == 2, "asked again before his family is called"
        # What they heard: the question; then that he is safe, or that help comes, or that he is called back.
        first = await homes[0].called()
        await first.hears(prompt("triage/question"), within=2, first_s=1.2)
        await first.hears(prompt("triage/safe"), within=2)
        needs = [await homes[n].called() for n in (*HELP, *SILENT)]
        await system.until(lambda: sum(call.talking for call in needs) <= PACED // 2, 15, "half of the lines held")
        held = [call for call in needs if call.talking]
        assert len(held) == PACED // 2
        for call in held:
            await call.hears(prompt("emergency/help_is_coming"), within=5, first_s=1.5)
        for call in needs:
            if call not in held:
                await call.hears(prompt("triage/call_back"), within=5, first_s=1.5)
        # Relatives of those in need are dialled, of those who are safe never.
        dialled = {invite.number for invite in town.exchange.invites()}
        assert not dialled & {PEOPLE[n].contacts[0] for n in SAFE}
        wanted = {PEOPLE[n].contacts[0] for n in (*HELP, *SILENT, *AWAY)}
        await system.until(
            lambda: wanted <= {i.number for i in town.exchange.invites()}, 60, "families of those in need"
        )
        assert town.exchange.most_at_once() <= PACED
        # A new caller of his own is first in the list at once, with a voice, and his family is dialled at once.
        daughter = town.family(CALLER.contacts[0], NoAnswer())
        caller = await town.call(CALLER.phone, "12349120")
        await caller.hears(prompt("emergency/help_is_coming"), within=4)
        await daughter.called(within=3)
        assert (await listed(system))[0]["elder"]["elder_no"] == "E99"
        await agent.called()
        # A supervisor closes all who are safe, with one reason; nobody else's is closed by that.
        why = {"by": "周强", "reason": "停电已恢复，本人确认平安"}
        assert await system.api("POST", "/incidents/close-safe", why, status=200) == {"closed": len(SAFE)}
        left = await listed(system)
        assert len(left) == ELDERS - len(SAFE) + 1
        assert all(item["triage"] != "safe" for item in left)
        await caller.hang_up()
        for call in held:
            await call.hang_up()
