"""kill -9 of the engine at any instant, the manager interface cut, Asterisk restarted: nobody is forgotten, nobody
skipped, nobody dialled after somebody has come.

A few kills in every test run; `make chaos` makes hundreds (`CHAOS_KILLS`, and `CHAOS_SEED` to see one again).
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.calls.ami_proxy import AmiProxy
from tests.calls.chaos_check import Seen, told, violations
from tests.calls.harness import (
    Answers,
    Behaviour,
    Busy,
    Declines,
    FamilyPhone,
    IncomingLeg,
    NoAnswer,
    PortBlock,
    SippCommand,
    Town,
    Voicemail,
)
from tests.calls.place import Place
from tests.calls.system import DUTY, Person, System, prompt

KILLS = int(os.environ.get("CHAOS_KILLS", "6"))
SEED = int(os.environ.get("CHAOS_SEED", "12349"))
PARALLEL, ROUNDS, RING_S = 2, 2, 4
AT_ONCE = 3
"""Emergencies in one round."""
REST_S = 100


@dataclass(frozen=True)
class Accepts:
    """A relative who presses 1 until somebody hears it: an engine that is away asks him again."""

    after_s: float

    async def __call__(self, call: IncomingLeg) -> None:
        await call.ring()
        await asyncio.sleep(self.after_s)
        await call.answer()
        while True:
            await asyncio.sleep(2.5)
            call.press("1")


def anybody(chance: random.Random) -> Behaviour:
    return chance.choice(
        [
            NoAnswer(),
            Busy(),
            Declines(after_s=chance.uniform(0.2, 2)),
            Voicemail(prompt("queue/still_waiting")),
            Answers(after_s=chance.uniform(0.2, 3), presses="2", presses_after_s=2.5),
            Accepts(after_s=chance.uniform(0.2, 3)),
            Accepts(after_s=chance.uniform(0.2, 3)),
        ]
    )


class Round:
    """A few emergencies at once, each with a family of its own, while the engine is killed."""

    def __init__(self, chance: random.Random, number: int, system: System, town: Town, cable: AmiProxy) -> None:
        self.chance, self.system, self.town, self.cable = chance, system, town, cable
        self.people = people(number)
        self.phones: dict[str, FamilyPhone] = {
            contact: town.family(contact, anybody(chance)) for person in self.people for contact in person.contacts
        }
        self.acknowledged: set[str] = set()
        self.kills = 0

    async def alarm(self, person: Person) -> None:
        await asyncio.sleep(self.chance.uniform(0, 4))
        if self.chance.random() < 0.5:
            elder = await self.town.call(person.phone, "12349120")
            await elder.answered(within=15)
            await asyncio.sleep(1)  # something is being said: ours, or the lifeline's
            if elder.heard.packets:
                self.acknowledged.add(person.elder_no)
            await elder.hang_up()
            return
        body = {"source": "chaos", "kind": "fall", "elder_no": person.elder_no, "idempotency_key": person.elder_no}
        for _ in range(20):  # as a device does: until somebody says that it is on record
            try:
                await self.system.api("POST", "/alarms", body)
            except (aiohttp.ClientError, AssertionError):
                await asyncio.sleep(0.5)
            else:
                self.acknowledged.add(person.elder_no)
                return

    async def kill(self, times: int) -> None:
        for _ in range(times):
            await asyncio.sleep(self.chance.uniform(0.05, 4))
            if self.chance.random() < 0.2:
                self.cable.cut()
                await asyncio.sleep(self.chance.uniform(0.1, 3))
                await self.cable.mend()
            else:
                await self.system.kill("engine")
                await asyncio.sleep(self.chance.choice([0, 0, 1, 3]))
                await self.system.start("engine")
            self.kills += 1

    async def at_rest(self) -> dict[str, dict[str, Any]]:
        """Every emergency has a relative in its room, or has tried all of them in every round."""

        async def look() -> dict[str, dict[str, Any]] | None:
            found = {i["elder"]["elder_no"]: i for i in await self.system.incidents() if i["elder"]}
            mine = {person.elder_no: found.get(person.elder_no) for person in self.people}
            if not all(incident and settled(incident) for no, incident in mine.items() if no in self.acknowledged):
                return None
            return {no: incident for no, incident in mine.items() if incident}

        return dict(await self.system.until(look, REST_S, "every emergency at rest"))

    def check(self, incidents: dict[str, dict[str, Any]]) -> list[str]:
        to_monotonic = time.monotonic() - time.time()
        found = []
        for person in self.people:
            invites = {contact: [call.invited_at for call in self.phones[contact].calls] for contact in person.contacts}
            seen = Seen(person.elder_no, person.contacts, person.elder_no in self.acknowledged, invites)
            incident = incidents.get(person.elder_no)
            record = told(incident, to_monotonic) if incident else None
            found += violations(seen, record, rounds=ROUNDS, parallel=PARALLEL)
        return found


def people(number: int) -> list[Person]:
    made = []
    for place in range(AT_ONCE):
        serial = number * AT_ONCE + place
        contacts = [f"138{serial:04d}{n:04d}" for n in range(1, 4)]
        made.append(Person(f"E{serial}", f"老人{serial}", f"0215{serial:07d}", contacts))
    return made


def settled(incident: dict[str, Any]) -> bool:
    family = [leg for leg in incident["legs"] if leg["role"] == "family"]
    if any(leg["accepted_at"] and not leg["ended_at"] for leg in family):
        return True
    kinds = [(e["kind"], e.get("why")) for e in incident["events"]]
    over = all(leg["state"] == "ended" for leg in family)
    return over and (("incident.escalated", "family_not_reached") in kinds or ("leg.accepted", None) in kinds)


@pytest.mark.long
@pytest.mark.timeout(120 + KILLS * 30)
async def test_whatever_is_killed_nobody_is_forgotten(tmp_path: Path, ports: PortBlock, sipp: SippCommand) -> None:
    chance = random.Random(SEED)
    ami, ours = ports.take(), ports.take()
    rounds = max(1, -(-KILLS // 3))
    everybody = [person for number in range(rounds) for person in people(number)]
    options = {
        "IVR_AMI_PORT": str(ami),
        "IVR_FAMILY_RING_S": str(RING_S),
        "IVR_EVERYBODY_AFTER_S": "600",
        "IVR_REDIAL_TRIES": "10",
    }
    place = Place(tmp_path / "y", ports, sipp, everybody, options, {"IVR_AMI_PORT": str(ours)})
    kills = 0
    async with AmiProxy(ours, ami) as cable, place as (system, town):
        town.duty(DUTY, NoAnswer())
        for number in range(rounds):
            scene = Round(chance, number, system, town, cable)
            async with asyncio.TaskGroup() as deeds:
                for person in scene.people:
                    town.family(person.phone, NoAnswer())
                    deeds.create_task(scene.alarm(person))
                deeds.create_task(scene.kill(min(3, KILLS - kills)))
            incidents = await scene.at_rest()
            broken = scene.check(incidents)
            kills += scene.kills
            print(f"round {number + 1} of {rounds}: {kills} kills, {len(scene.acknowledged)} acknowledged")
            assert not broken, f"CHAOS_SEED={SEED}, round {number + 1}: " + "; ".join(broken)
            assert len(scene.acknowledged) == AT_ONCE, "every alarm was answered sooner or later"
            await system.close_all()
            for phone in scene.phones.values():
                for call in phone.calls:
                    if call.talking:
                        await call.hang_up()
