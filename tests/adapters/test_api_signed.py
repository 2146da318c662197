"""POST /alarms with a signature in place of a token: whose it is, repeats, and clocks that go wrong."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from agent_console.signed import sign
from ivr.store.sources import SqlSources
from tests.adapters.api_stage import Stage, stage

PRESS = {"source": "whoever", "kind": "press", "device_id": "P-100"}


async def send(
    api: Stage, secret: str, body: dict[str, Any], *, stamp: str | None = None, name: str = "radar", **change: str
) -> tuple[int, Any]:
    raw = json.dumps(body).encode()
    stamp = stamp if stamp is not None else f"{time.time():.3f}"
    headers = {
        "X-Yinling-Source": name,
        "X-Yinling-Timestamp": stamp,
        "X-Yinling-Signature": sign(secret, stamp, raw),
        **change,
    }
    return await api.ask("POST", "/alarms", headers=headers, data=raw)


async def test_signed_alarm_is_taken_and_is_of_its_source(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        secret = await SqlSources(api.store).create("radar")
        status, answer = await send(api, secret, PRESS)
        assert (status, answer["joined"]) == (201, False)
        (alarm,) = (await api.get(f"/incidents/{answer['incident_id']}"))["alarms"]
        assert alarm["source"] == "radar", "nobody signs for another"
        assert alarm["clock_off_s"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"X-Yinling-Source": "stranger"},
        {"X-Yinling-Source": ""},
        {"X-Yinling-Timestamp": "1"},
        {"X-Yinling-Signature": "00" * 32},
        {"X-Yinling-Signature": "é"},
        {"X-Yinling-Signature": ""},
    ],
)
async def test_what_is_not_signed_by_its_source_is_refused(tmp_path: Path, change: dict[str, str]) -> None:
    async with stage(tmp_path) as api:
        secret = await SqlSources(api.store).create("radar")
        await SqlSources(api.store).create("stranger")
        status, answer = await send(api, secret, PRESS, **change)
        assert (status, answer["error"]["code"]) == (401, "bad_signature")
        assert (await api.get("/incidents"))["items"] == []


async def test_revoked_source_is_a_stranger(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        sources = SqlSources(api.store)
        secret = await sources.create("radar")
        assert await sources.revoke("radar")
        assert not await sources.revoke("radar")
        assert (await send(api, secret, PRESS))[0] == 401


async def test_signature_opens_alarms_and_nothing_else(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        secret = await SqlSources(api.store).create("radar")
        stamp = f"{time.time():.3f}"
        headers = {
            "X-Yinling-Source": "radar",
            "X-Yinling-Timestamp": stamp,
            "X-Yinling-Signature": sign(secret, stamp, b""),
        }
        assert (await api.ask("GET", "/incidents", headers=headers))[0] == 401
        assert (await api.ask("POST", "/storm", {"mode": "on", "by": "x"}, headers=headers))[0] == 401


async def test_replayed_request_is_the_same_alarm(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        secret = await SqlSources(api.store).create("radar")
        stamp = f"{time.time():.3f}"
        _, first = await send(api, secret, PRESS, stamp=stamp)
        status, again = await send(api, secret, PRESS, stamp=stamp)
        assert (status, again["incident_id"], again["repeated"]) == (200, first["incident_id"], True)
        why = {"by": "张三", "outcome": "false_alarm", "reason": "误按"}
        await api.ask("POST", f"/incidents/{first['incident_id']}/close", why)
        status, replayed = await send(api, secret, PRESS, stamp=stamp)
        assert (status, replayed["repeated"]) == (200, True)
        assert (await api.get("/incidents?state=open"))["items"] == []


@pytest.mark.parametrize("stamp", ["0", "946684800", "4102444800.5", "999999999999999"])
async def test_no_clock_is_a_reason_to_refuse(tmp_path: Path, stamp: str) -> None:
    async with stage(tmp_path) as api:
        secret = await SqlSources(api.store).create("radar")
        status, answer = await send(api, secret, {**PRESS, "at": "2031-01-01T00:00:00Z"}, stamp=stamp)
        assert status == 201
        (alarm,) = (await api.get(f"/incidents/{answer['incident_id']}"))["alarms"]
        assert alarm["at"] == "2031-01-01T00:00:00Z", "kept as said"
        assert abs(alarm["clock_off_s"]) > 300


async def test_a_time_that_is_no_number_is_named(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        secret = await SqlSources(api.store).create("radar")
        status, answer = await send(api, secret, PRESS, stamp="yesterday")
        assert (status, answer["error"]["field"]) == (422, "X-Yinling-Timestamp")


async def test_keys_of_two_sources_are_not_one(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        body = {**PRESS, "idempotency_key": "1"}
        for name in ("radar", "watch"):
            secret = await SqlSources(api.store).create(name)
            _, first = await send(api, secret, body, name=name)
            _, again = await send(api, secret, body, name=name)
            assert (first["repeated"], again["repeated"]) == (False, True)


async def test_the_description_tells_of_it(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        told = await api.get("/openapi.json")
        assert told["paths"]["/alarms"]["post"]["security"] == [{"token": []}, {"signature": []}]
        assert told["components"]["securitySchemes"]["signature"]["name"] == "X-Yinling-Signature"
