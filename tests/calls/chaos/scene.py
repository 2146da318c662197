"""One round: a few emergencies at once, each with a family of its own, while things break."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import aiohttp

from tests.calls.chaos.check import Seen, Told, call_backs, settled, told, violations
from tests.calls.chaos.faults import Breaker, Fault
from tests.calls.chaos.people import anybody, elders
from tests.calls.chaos.watch import JournalWatch
from tests.calls.harness import Answers, Elder, FamilyPhone, Leg, NoAnswer, Town
from tests.calls.harness.waiting import DidNotHappen
from tests.calls.system import Person, System

PARALLEL, ROUNDS, RING_S = 2, 2, 4
AT_ONCE = 3
"""Emergencies in one round."""
REST_S = 280
"""Ten calls to a lost elder take up to 180 s, and then everybody of the family is dialled once more."""
LINGER_S = 2.0
"""A dial too many would come in this time."""


class Scene:
    def __init__(self, number: int, breaker: Breaker, town: Town, journal: JournalWatch) -> None:
        self.chance: random.Random = breaker.chance
        self.system: System = breaker.system
        self.breaker, self.town, self.journal = breaker, town, journal
        self.people = elders(number, AT_ONCE)
        self.phones: dict[str, FamilyPhone] = {
            contact: town.family(contact, anybody(self.chance)) for person in self.people for contact in person.contacts
        }
        self.homes: dict[str, FamilyPhone] = {}
        self.lines: dict[str, Elder] = {}
        """Those who stay on the line, by elder."""
        self.acknowledged: set[str] = set()
        self.torn: dict[str, list[float]] = defaultdict(list)
        breaker.on_asterisk_gone = self._asterisk_gone

    async def play(self, faults: Sequence[Fault]) -> list[str]:
        """Break these, one after the other, while the alarms come; what was violated."""
        async with asyncio.TaskGroup() as deeds:
            for person in self.people:
                deeds.create_task(self._alarm(person, within_s=3.5 * len(faults)))
            deeds.create_task(self._break(faults))
        await self._at_rest()
        await asyncio.sleep(LINGER_S)
        found = await self._violations()
        missing = {person.elder_no for person in self.people} - self.acknowledged
        return found + [f"{no}: was never answered" for no in sorted(missing)]

    async def over(self) -> None:
        await self.system.close_all()
        everybody: list[Leg] = [*self.lines.values(), *(c for phone in self._all_phones() for c in phone.calls)]
        for leg in everybody:
            if leg.talking:
                with contextlib.suppress(DidNotHappen):
                    await leg.hang_up()
        for phone in self._all_phones():
            await phone.close()
            self.town.phones.remove(phone)

    def call_backs(self) -> list[float]:
        """Seconds from when everything was back until the phone of one who had been cut rang."""
        return [took for p in self.people for _, took in call_backs(self._seen(p)) if took is not None]

    # ---- what happens

    async def _alarm(self, person: Person, within_s: float) -> None:
        kind = self.chance.choice(["device", "hangs_up", "stays"])
        behaviour = Answers(after_s=0.5) if kind == "stays" else NoAnswer()
        self.homes[person.elder_no] = self.town.family(person.phone, behaviour)
        await asyncio.sleep(self.chance.uniform(0, within_s))
        if kind == "device":
            await self._device(person)
        else:
            await self._press(person, stays=kind == "stays")

    async def _press(self, person: Person, *, stays: bool) -> None:
        """As a person does who is in need: when nobody answers, again."""
        for _ in range(10):
            try:
                elder = await self.town.call(person.phone, "12349120")
            except DidNotHappen:  # his own telephone was not ready
                continue
            if stays:
                self.lines[person.elder_no] = elder
            with contextlib.suppress(DidNotHappen):
                await elder.answered(within=20)
            if await self._hears_something(elder):
                self.acknowledged.add(person.elder_no)
                break
            await elder.finish()
        if not stays:
            await elder.hang_up()

    async def _hears_something(self, elder: Elder) -> bool:
        """Ours, or the lifeline's word: whoever hears nothing for so long hangs up and tries again."""
        for _ in range(20):
            await asyncio.sleep(0.5)
            if elder.heard.packets and elder.answered_at is not None:
                return True
        return False

    async def _device(self, person: Person) -> None:
        body = {"source": "chaos", "kind": "fall", "elder_no": person.elder_no, "idempotency_key": person.elder_no}
        for _ in range(60):  # as a device does: until somebody says that it is on record
            try:
                await self.system.api("POST", "/alarms", body, status=201)
            except AssertionError as refused:
                if refused.args[0][0] == 200:
                    self.acknowledged.add(person.elder_no)
                    return
                await asyncio.sleep(0.5)
            except aiohttp.ClientError:
                await asyncio.sleep(0.5)
            else:
                self.acknowledged.add(person.elder_no)
                return

    async def _break(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            await asyncio.sleep(self.chance.uniform(0.05, 4))
            await self.breaker.break_(fault)

    async def _asterisk_gone(self) -> None:
        """Every call is cut; the telephones notice, and their ports are somebody else's soon."""
        at = time.monotonic()
        legs: list[Leg] = []
        for person in self.people:
            mine: list[Leg] = list(self.homes[person.elder_no].calls) if person.elder_no in self.homes else []
            if person.elder_no in self.lines:
                mine.append(self.lines[person.elder_no])
            cut = [leg for leg in mine if leg.answered_at is not None and _went_on(leg, at)]
            if cut:
                self.torn[person.elder_no].append(at)
            legs += mine
        legs += [call for phone in self.phones.values() for call in phone.calls]
        await asyncio.gather(*(leg.finish() for leg in legs if leg.ended_at is None))

    # ---- what came of it

    async def _at_rest(self) -> None:
        """Every emergency has a relative in its room, or has tried all of them in every round."""

        async def look() -> bool:
            await asyncio.sleep(0.5)  # asked 20 times a second, the console took a third of a core
            found = await self._incidents()
            at_rest = {no for no, incident in found.items() if settled(self._told(incident), ROUNDS)}
            waits = [
                person.elder_no
                for person in self.people
                for _, took in call_backs(self._seen(person, until=float("inf")))
                if took is None and time.monotonic() < max(end for _, end in self.breaker.outages) + 17
            ]
            return self.acknowledged <= at_rest and not waits

        try:
            await self.system.until(look, REST_S, "every emergency at rest")
        except AssertionError as failure:
            found = await self._incidents()
            stuck = {no: i for no, i in found.items() if not settled(self._told(i), ROUNDS)}
            brief = [
                (no, [(leg["role"], leg["phone"], leg["state"], leg["outcome"]) for leg in i["legs"]])
                for no, i in stuck.items()
            ]
            lost = self.acknowledged - set(found)
            said = f"not at rest in {REST_S} s; stuck: {brief}; on no record: {sorted(lost)}"
            raise AssertionError(said) from failure

    async def _incidents(self) -> dict[str, dict[str, Any]]:
        mine = {person.elder_no for person in self.people}
        return {
            i["elder"]["elder_no"]: i
            for i in await self.system.incidents()
            if i["elder"] and i["elder"]["elder_no"] in mine
        }

    def _seen(self, person: Person, until: float | None = None) -> Seen:
        no = person.elder_no
        return Seen(
            no,
            person.contacts,
            no in self.acknowledged,
            {contact: [call.invited_at for call in self.phones[contact].calls] for contact in person.contacts},
            self.torn[no],
            [call.invited_at for call in self.homes[no].calls] if no in self.homes else [],
            self.breaker.outages,
            time.monotonic() if until is None else until,
        )

    async def _violations(self) -> list[str]:
        incidents = await self._incidents()
        found = []
        for person in self.people:
            incident = incidents.get(person.elder_no)
            record = None
            if incident is not None:
                record = self._told(incident)
            found += violations(self._seen(person), record, rounds=ROUNDS, parallel=PARALLEL)
        return found

    def _told(self, incident: dict[str, Any]) -> Told:
        family = {leg["id"]: leg["phone"] for leg in incident["legs"] if leg["role"] == "family"}
        return told(family, self.journal.of(incident["id"]))

    def _all_phones(self) -> list[FamilyPhone]:
        return [*self.phones.values(), *self.homes.values()]


def _went_on(leg: Leg, at: float) -> bool:
    """It goes on, or it was Asterisk that ended it just now (a clean stop says BYE)."""
    return leg.ended_at is None or (leg.ended_by == "asterisk" and at - leg.ended_at < 3)
