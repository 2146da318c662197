"""A device's signed alarm, the elder's call and a position, each by its own way into the system: one incident."""

from __future__ import annotations

import json
import time
from itertools import permutations
from typing import Any

import aiohttp
import pytest

from agent_console.signed import sign
from ivr.store.db import Store
from ivr.store.sources import SqlSources
from tests.calls.harness import NoAnswer
from tests.calls.place import MakePlace
from tests.calls.system import DUTY, Person, System, prompt

PHONE = "02150001111"
WANG = Person("E1", "王秀英", PHONE, ["13800000001"], device="P-100", device_caller_id=PHONE)
WRONG_CLOCK_S = -86400.0


async def secret_of(system: System, source: str) -> str:
    async with Store(system.settings.effective_database_url, name="test") as store:
        return await SqlSources(store).create(source)


async def signed(system: System, secret: str, body: dict[str, Any], *, stamp: float) -> tuple[int, dict[str, Any]]:
    raw, at = json.dumps(body).encode(), f"{stamp:.3f}"
    headers = {"X-Yinling-Source": "watch", "X-Yinling-Timestamp": at, "X-Yinling-Signature": sign(secret, at, raw)}
    url = system.url("/alarms")
    async with aiohttp.ClientSession() as http, http.post(url, data=raw, headers=headers) as reply:
        return reply.status, await reply.json()


@pytest.mark.parametrize("order", list(permutations(("alarm", "call", "location")))[::2])
async def test_alarm_call_and_location_are_one_incident_whichever_comes_first(
    place: MakePlace, order: tuple[str, ...]
) -> None:
    async with place([WANG]) as (system, town):
        town.duty(DUTY, NoAnswer())
        daughter = town.family("13800000001", NoAnswer())
        secret, elder = await secret_of(system, "watch"), None
        spot = {"source": "watch", "kind": "location", "device_id": "P-100", "location": {"lat": 31.2, "lng": 121.4}}
        for way in order:
            match way:
                case "alarm":
                    sent = time.time() + WRONG_CLOCK_S
                    press = {"source": "watch", "kind": "press", "device_id": "P-100"}
                    for repeated in (False, True):  # the network's retry
                        _, answer = await signed(system, secret, press, stamp=sent)
                        assert answer["repeated"] is repeated
                case "call":
                    elder = await town.call(PHONE, "12349120")
                    await elder.hears(prompt("emergency/help_is_coming"))
                case "location":
                    status, _ = await signed(system, secret, spot, stamp=time.time())
                    assert status == (201 if way == order[0] else 200)
        await daughter.called(within=5)
        (incident,) = await system.incidents()
        whole = await system.api("GET", f"/incidents/{incident['id']}", status=200)
        assert sorted(one["kind"] for one in whole["alarms"]) == ["emergency_call", "location", "press"]
        (press,) = [one for one in whole["alarms"] if one["kind"] == "press"]
        assert press["source"] == "watch"
        assert press["clock_off_s"] == pytest.approx(WRONG_CLOCK_S, abs=60), "marked, and taken all the same"
        assert len(daughter.calls) == 1, "one search"
        assert elder is not None
        await elder.hang_up()
