"""Queue, seats, calls and tickets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ivr.domain.incident import ArrivedCall
from ivr.store.calls import SqlCalls
from ivr.store.tickets import SqlTickets
from tests.adapters.api_stage import Stage, stage


async def _call(api: Stage, name: str, number: str, *, queued: bool = True) -> str:
    call_id, _no = await SqlTickets(api.store).open_for_call(ArrivedCall("node1", name, name, "12349", number))
    calls = SqlCalls(api.store, "node1")
    calls.answered(call_id)
    if queued:
        await calls.queued(name, 1)
    return call_id


async def test_waiting_callers_stand_in_order_of_arrival(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        first = await _call(api, "u1", "02155550001")
        second = await _call(api, "u2", "02155550002", queued=False)
        third = await _call(api, "u3", "")
        queue = await api.get("/queue")
        assert [(one["call_id"], one["position"]) for one in queue["waiting"]] == [(first, 1), (second, 2), (third, 3)]
        one, two, _ = queue["waiting"]
        assert one["elder"]["name"] == "王秀英"
        assert one["caller_id"] == "02155550001"
        assert 0 <= one["waited_s"] < 60
        assert two["elder"] is None
        assert [choice["elder_no"] for choice in two["elder_choices"]] == ["E002", "E003"]


async def test_who_is_connected_or_gone_waits_no_longer(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        calls = SqlCalls(api.store, "node1")
        for name in ("u1", "u2", "u3"):
            await _call(api, name, "02155550001")
        await calls.connected("u1", "1001", 3.0)
        await calls.abandoned("u2", 4.0)
        await calls.ended("u3")
        assert (await api.get("/queue"))["waiting"] == []


async def test_seats_show_state_and_telephone(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        api.engine_says(devices={"1001": "in_use", "1002": "on fire"})
        status, seat = await api.ask("POST", "/agents/1001/state", {"state": "paused", "reason": "午饭"})
        assert status == 200
        assert (seat["state"], seat["reason"], seat["device"]) == ("paused", "午饭", "in_use")
        agents = {agent["extension"]: agent for agent in (await api.get("/queue"))["agents"]}
        assert {"extension", "name", "state", "since", "reason"} <= set(agents["1001"])
        assert agents["1002"]["device"] == "unknown"
        api.engine_says(devices={"1001": "idle"}, at=datetime.now(UTC) - timedelta(seconds=8))
        assert {agent["device"] for agent in (await api.get("/queue"))["agents"]} == {"unknown"}
        assert [event["state"] for event in await api.events("agent.state_changed")] == ["paused"]


@pytest.mark.parametrize(
    ("extension", "body", "status", "field"),
    [
        ("1001", {"state": "asleep"}, 422, "state"),
        ("1001", {}, 422, "state"),
        ("1001", {"state": "away", "reason": "x" * 81}, 422, "reason"),
        ("7777", {"state": "away"}, 404, None),
        ("1001'--", {"state": "away"}, 404, None),
    ],
)
async def test_wrong_seat_state_is_named(
    tmp_path: Path, extension: str, body: dict[str, Any], status: int, field: str | None
) -> None:
    async with stage(tmp_path) as api:
        answered, answer = await api.ask("POST", f"/agents/{extension}/state", body)
        assert (answered, answer["error"]["field"]) == (status, field)


async def test_calls_are_found_by_time_and_number(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        mine = await _call(api, "u1", "02155550001")
        await _call(api, "u2", "02155550002")
        await SqlCalls(api.store, "node1").connected("u1", "1001", 2.0)
        now = datetime.now(UTC)
        found = await api.get("/calls", params={"number": "+86 21 5555 0001"})
        assert [call["id"] for call in found["items"]] == [mine]
        assert len((await api.get(f"/calls?from={now - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"))["items"]) == 2
        assert (await api.get(f"/calls?from=2020-01-01&to={now - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"))[
            "items"
        ] == []
        assert len((await api.get("/calls?from=2020-01-01T00:00:00+08:00"))["items"]) == 2
        one = await api.get(f"/calls/{mine}")
        assert one["ticket"]["no"] == one["ticket_no"]
        assert (one["elder"]["elder_no"], one["legs"][0]["name"], one["heard"]) == ("E001", "李娜", [])
        assert one["connected_at"] >= one["queued_at"] >= one["answered_at"] >= one["arrived_at"]
        page = await api.get("/calls?limit=1")
        rest = await api.get("/calls", params={"limit": 1, "cursor": page["next"]})
        assert rest["next"] is None
        assert {page["items"][0]["id"], rest["items"][0]["id"]} >= {mine}
        assert (await api.ask("GET", "/calls?from=today"))[1]["error"]["field"] == "from"
        assert (await api.ask("GET", "/calls/01ARZ3NDEKTSV4RRFFQ69G5FAV"))[0] == 404


async def test_ticket_lives_from_opening_to_closing_in_the_field(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        body = {"elder_no": "E001", "category": "助浴", "note": "周三上午"}
        status, ticket = await api.ask("POST", "/tickets", body)
        assert (status, ticket["state"], ticket["elder"]["name"]) == (201, "open", "王秀英")
        path = f"/tickets/{ticket['no']}/events"
        at = "2026-11-01T09:30:00+08:00"
        for kind in ("accepted", "signed_in", "signed_out"):
            event = {"kind": kind, "worker_no": "W1", "at": at, "location": {"lat": 31.2, "lng": 121.4}}
            assert (await api.ask("POST", path, event))[0] == 201
        status, ticket = await api.ask("POST", path, {"kind": "closed", "by": "陈护理"})
        assert (status, ticket["state"]) == (201, "closed")
        kinds = [event["kind"] for event in ticket["events"]]
        assert kinds == [
            "ticket.opened",
            *(f"ticket.{kind}" for kind in ("accepted", "signed_in", "signed_out")),
            "ticket.closed",
        ]
        assert ticket["events"][2]["at"] == "2026-11-01T01:30:00Z"
        assert (await api.get("/tickets?state=closed"))["items"][0]["no"] == ticket["no"]
        assert (await api.get("/tickets?state=open"))["items"] == []
        status, answer = await api.ask("POST", path, {"kind": "signed_in", "worker_no": "W1"})
        assert (status, answer["error"]["code"]) == (409, "already_closed")


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"kind": "danced"}, "not_allowed", "kind"),
        ({"kind": "accepted"}, "missing", "worker_no"),
        ({"kind": "accepted", "worker_no": "W9"}, "unknown_worker", "worker_no"),
        ({"kind": "note"}, "missing", "note"),
    ],
)
async def test_wrong_field_event_is_named(tmp_path: Path, body: dict[str, Any], code: str, field: str) -> None:
    async with stage(tmp_path) as api:
        no = (await api.ask("POST", "/tickets", {"note": "x"}))[1]["no"]
        status, answer = await api.ask("POST", f"/tickets/{no}/events", body)
        assert (status, answer["error"]["code"], answer["error"]["field"]) == (422, code, field)


async def test_wrong_ticket_is_refused(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        assert (await api.ask("POST", "/tickets", {}))[1]["error"]["field"] == "note"
        assert (await api.ask("POST", "/tickets", {"elder_no": "E9"}))[1]["error"]["code"] == "unknown_elder"
        assert (await api.ask("GET", "/tickets/T99"))[0] == 404
        assert (await api.ask("POST", "/tickets/T99/events", {"kind": "closed"}))[0] == 404
