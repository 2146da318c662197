"""POST /alarms: an incident opens or is joined, and bad input is refused by name."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent_console.api import alarms
from ivr.domain.incident import ArrivedCall, NewAlarm
from ivr.services.ports import StoreUnavailable
from ivr.store.incidents import SqlIncidents
from ivr.store.users import SqlUsers
from tests.adapters.api_stage import stage

PRESS = {"source": "pendant", "kind": "press", "device_id": "P-100"}


async def test_first_alarm_opens_and_second_joins(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        status, first = await api.ask("POST", "/alarms", PRESS)
        assert (status, first["joined"]) == (201, False)
        status, second = await api.ask("POST", "/alarms", {"source": "radar", "kind": "fall", "elder_no": "E001"})
        assert (status, second["joined"], second["incident_id"]) == (200, True, first["incident_id"])
        found = await api.get(f"/incidents/{first['incident_id']}")
        assert found["elder"]["elder_no"] == "E001"
        assert [alarm["kind"] for alarm in found["alarms"]] == ["press", "fall"]


async def test_same_key_is_one_alarm_even_at_the_same_moment(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        body = {**PRESS, "idempotency_key": "k1"}
        answers = await asyncio.gather(*(api.ask("POST", "/alarms", body) for _ in range(8)))
        assert sorted(status for status, _ in answers) == [200] * 7 + [201]
        assert len({answer["incident_id"] for _, answer in answers}) == 1
        assert sum(answer["repeated"] for _, answer in answers) == 7
        found = await api.get(f"/incidents/{answers[0][1]['incident_id']}")
        assert len(found["alarms"]) == 1


async def test_keys_of_two_tokens_are_not_one(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        opened = []
        for name, elder_no in (("east", "E001"), ("west", "E002")):
            headers = {"Authorization": f"Bearer {await SqlUsers(api.store).add_token(name)}"}
            body = {"source": "gateway", "kind": "press", "elder_no": elder_no, "idempotency_key": "1"}
            status, first = await api.ask("POST", "/alarms", body, headers=headers)
            assert (status, first["repeated"]) == (201, False), "the second elder's alarm is his own"
            status, again = await api.ask("POST", "/alarms", body, headers=headers)
            assert (status, again["repeated"], again["incident_id"]) == (200, True, first["incident_id"])
            opened.append(first["incident_id"])
        assert len(set(opened)) == 2


async def test_key_of_a_person_is_not_that_of_a_token_of_his_name(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        headers = {"Authorization": f"Bearer {await SqlUsers(api.store).add_token('李娜')}"}
        body = {**PRESS, "idempotency_key": "1"}
        assert (await api.ask("POST", "/alarms", body, headers=headers))[1]["repeated"] is False
        session = {"X-CSRF-Token": await api.log_in("李娜")}
        assert (await api.ask("POST", "/alarms", body, headers=session))[1]["repeated"] is False
        assert (await api.ask("POST", "/alarms", body, headers=session))[1]["repeated"] is True


async def test_nobody_takes_the_key_of_a_call_beforehand(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        key = "call:node1:1700000000.1"
        taken = await api.alarm(phone="18800001111", idempotency_key=key)
        arrived = ArrivedCall("node1", "1700000000.1", "1700000000.1", "12349120", "02155550001")
        came = NewAlarm("call", "one_key", phone="02155550001", call=arrived, idempotency_key=key)
        raised = await SqlIncidents(api.store).raise_alarm(came)
        assert (raised.repeated, raised.incident_id == taken) == (False, False)


async def test_everything_said_is_kept(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        said = {
            **PRESS,
            "phone": "+86 138 0000 0001",
            "at": "2026-11-01T08:00:00+08:00",
            "note": "厨房\n第二行",
            "location": {"lat": 31.2, "lng": 121.4},
        }
        alarm = (await api.get(f"/incidents/{await api.alarm(**said)}"))["alarms"][0]
        assert alarm["phone"] == "13800000001"
        assert alarm["at"] == "2026-11-01T00:00:00Z"
        assert (alarm["note"], alarm["location"]) == (said["note"], said["location"])


async def test_unknown_number_opens_an_incident_without_elder_and_shared_number_offers_choices(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        nobody = await api.get(f"/incidents/{await api.alarm(phone='18800001111')}")
        assert (nobody["elder"], nobody["elder_choices"]) == (None, [])
        shared = await api.get(f"/incidents/{await api.alarm(phone='02155550002')}")
        assert shared["elder"] is None
        assert [choice["elder_no"] for choice in shared["elder_choices"]] == ["E002", "E003"]


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"device_id": None, "elder_no": "E999"}, "unknown_elder", "elder_no"),
        ({"device_id": None}, "missing", "device_id"),
        ({"device_id": "", "phone": "  "}, "missing", "device_id"),
        ({"source": None}, "wrong_type", "source"),
        ({"kind": ""}, "blank", "kind"),
        ({"kind": "\u200b"}, "blank", "kind"),
        ({"kind": 5}, "wrong_type", "kind"),
        ({"kind": "x" * 10_240}, "too_long", "kind"),
        ({"note": "x" * 10_240}, "too_long", "note"),
        ({"source": "a\r\nAction: Originate"}, "bad_characters", "source"),
        ({"note": "nul\u0000"}, "bad_characters", "note"),
        ({"phone": "no digits"}, "bad_number", "phone"),
        ({"at": "yesterday"}, "bad_time", "at"),
        ({"at": "2026-11-01T08:00:00"}, "no_time_zone", "at"),
        ({"location": [1, 2]}, "wrong_type", "location"),
        ({"location": {"text": "x" * 5000}}, "too_long", "location"),
        ({"idempotency_key": ["k"]}, "wrong_type", "idempotency_key"),
    ],
)
async def test_bad_field_is_named(tmp_path: Path, change: dict[str, Any], code: str, field: str) -> None:
    async with stage(tmp_path) as api:
        status, answer = await api.ask("POST", "/alarms", {**PRESS, **change})
        assert status == 422
        assert (answer["error"]["code"], answer["error"]["field"]) == (code, field)
        assert answer["error"]["message"]
        assert (await api.get("/incidents"))["items"] == []


async def test_unknown_device_opens_an_incident_marked_as_such(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        status, answer = await api.ask("POST", "/alarms", {**PRESS, "device_id": "X-1"})
        assert (status, answer["joined"]) == (201, False)
        found = await api.get(f"/incidents/{answer['incident_id']}")
        assert (found["unknown_device"], found["elder"]) == (True, None)
        assert found["alarms"][0]["device_id"] == "X-1"
        assert (await api.get(f"/incidents/{await api.alarm(device_id='P-100')}"))["unknown_device"] is False


async def test_refusal_is_journalled(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        await api.ask("POST", "/alarms", {"source": "app", "kind": "help", "elder_no": "E999"})
        (refused,) = await api.events("alarm.refused")
        assert (refused["source"], refused["why"]) == ("app", "UnknownElder")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b'{"source": NaN}',
        b'{"source": "\xff\xfe"}',
        b'{"source": "\\ud800"}',
        b"[" * 100_000,
        b'{"source": ' + b"9" * 5000 + b"}",
    ],
)
async def test_unreadable_body_is_refused(tmp_path: Path, raw: bytes) -> None:
    async with stage(tmp_path) as api:
        headers = {"Authorization": f"Bearer {api.token}", "Content-Type": "application/json"}
        status, answer = await api.ask("POST", "/alarms", headers=headers, data=raw)
        assert status == 400
        assert answer["error"]["code"] in ("bad_json", "bad_encoding")


async def test_two_megabytes_are_too_much_and_the_next_alarm_is_taken(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        status, answer = await api.ask("POST", "/alarms", {**PRESS, "note": "x" * 2_000_000})
        assert (status, answer["error"]["code"]) == (413, "too_large")
        assert (await api.ask("POST", "/alarms", PRESS))[0] == 201


async def test_field_of_a_newer_device_does_not_cost_its_alarm(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        assert (await api.ask("POST", "/alarms", {**PRESS, "battery": 12}))[0] == 201


async def test_database_that_cannot_take_it_says_when_to_retry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(tmp_path) as api:

        async def refuse(*_: object) -> None:
            raise StoreUnavailable("full")

        monkeypatch.setattr(api.store, "write", refuse)
        monkeypatch.setattr(alarms, "PATIENCE_S", 0.5)
        async with api.client.post(
            "/api/v1/alarms", json=PRESS, headers={"Authorization": f"Bearer {api.token}"}
        ) as response:
            assert response.status == 503
            assert int(response.headers["Retry-After"]) > 0
            assert (await response.json())["error"]["code"] == "store_unavailable"


async def test_database_that_is_locked_for_a_while_costs_no_device_its_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path) as api:
        write, refused = api.store.write, 0

        async def locked_at_first(change: Any) -> Any:
            nonlocal refused
            if refused < 2:
                refused += 1
                raise StoreUnavailable("locked")
            return await write(change)

        monkeypatch.setattr(api.store, "write", locked_at_first)
        status, answer = await api.ask("POST", "/alarms", PRESS)
        assert (status, refused) == (201, 2)
        assert (await api.ask("POST", "/alarms", PRESS))[1]["incident_id"] == answer["incident_id"]
