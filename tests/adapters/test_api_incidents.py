"""Incidents as others read and close them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData

from ivr.domain.incident import Outcome, Role
from ivr.store.legs import SqlLegs
from tests.adapters.api_stage import stage

CLOSE = {"by": "周强", "outcome": "helped", "reason": "女儿已到家照看"}
TIMES = {"dialled_at", "ringing_at", "answered_at", "accepted_at", "ended_at"}


async def test_one_incident_has_the_shape_of_the_contract(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        incident = await api.alarm(device_id="P-100")
        legs = SqlLegs(api.store, "node1", "engine")
        daughter = await legs.begin_attempt(incident, Role.FAMILY, "13900000012")
        assert daughter
        await legs.ringing(daughter)
        await legs.accept(daughter, only_first=False)
        await legs.ended(daughter, Outcome.TALKED)
        found = await api.get(f"/incidents/{incident}")
        assert {"id", "state", "elder", "opened_at", "closed_at", "alarms", "legs", "events"} <= set(found)
        assert {"elder_no", "name", "address", "medical", "notes", "contacts"} <= set(found["elder"])
        assert (found["state"], found["closed_at"]) == ("open", None)
        leg = next(leg for leg in found["legs"] if leg["phone"] == "13900000012")
        assert {"id", "role", "name", "phone", "state", "attempts", "outcome"} | TIMES <= set(leg)
        assert (leg["role"], leg["name"], leg["state"], leg["outcome"]) == ("family", "王丽华", "ended", "talked")
        assert all(leg[name].endswith("Z") for name in TIMES)
        seqs = [event["seq"] for event in found["events"]]
        assert seqs == sorted(seqs)
        kinds = [event["kind"] for event in found["events"]]
        assert kinds[0] == "incident.opened"
        assert kinds[-4:] == ["leg.ringing", "leg.answered", "leg.accepted", "leg.ended"]
        assert all({"seq", "at", "kind"} <= set(event) for event in found["events"])


async def test_list_is_by_state_newest_first_and_in_pages(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        ids = [await api.alarm(phone=f"1880000{n:04d}") for n in range(5)]
        await api.ask("POST", f"/incidents/{ids[1]}/close", CLOSE)
        assert [one["id"] for one in (await api.get("/incidents?state=closed"))["items"]] == [ids[1]]
        assert len((await api.get("/incidents?state=all"))["items"]) == 5
        seen, cursor = [], ""
        while cursor is not None:
            page = await api.get("/incidents", params={"state": "open", "limit": 2, "cursor": cursor})
            seen += [one["id"] for one in page["items"]]
            cursor = page["next"]
        assert sorted(seen) == sorted(set(ids) - {ids[1]})
        assert len(seen) == 4


@pytest.mark.parametrize("query", ["state=nonsense", "limit=0", "limit=many", "limit=99999"])
async def test_wrong_query_is_named(tmp_path: Path, query: str) -> None:
    async with stage(tmp_path) as api:
        status, answer = await api.ask("GET", f"/incidents?{query}")
        assert (status, answer["error"]["field"]) == (422, query.split("=")[0])


async def test_closing_needs_a_person_and_a_reason_and_happens_once(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        incident = await api.alarm(device_id="P-100")
        path = f"/incidents/{incident}/close"
        for change, field in (
            ({"by": None}, "by"),
            ({"by": "  "}, "by"),
            ({"reason": ""}, "reason"),
            ({"reason": "　 \n"}, "reason"),
            ({"reason": None}, "reason"),
        ):
            status, answer = await api.ask("POST", path, {**CLOSE, **change})
            assert (status, answer["error"]["field"]) == (422, field), change
        assert (await api.get(f"/incidents/{incident}"))["state"] == "open"
        status, closed = await api.ask("POST", path, CLOSE)
        assert status == 200
        assert (closed["state"], closed["closed_by"], closed["outcome"]) == ("closed", "周强", "helped")
        assert closed["reason"] == CLOSE["reason"]
        status, answer = await api.ask("POST", path, CLOSE)
        assert (status, answer["error"]["code"]) == (409, "already_closed")


@pytest.mark.parametrize("least", [6, 12])
async def test_without_an_arrival_the_reason_is_an_explanation_and_the_form_says_so(tmp_path: Path, least: int) -> None:
    async with stage(tmp_path, close_reason_min=least) as api:
        incident = await api.alarm(device_id="P-100")
        path = f"/incidents/{incident}/close"
        for reason in ("x", "aaaaaaaaaaaaaaaa", "老" * least, "老人没事了啊哈哈哈哈哈"[: least - 1]):
            status, answer = await api.ask("POST", path, {**CLOSE, "reason": reason})
            told = (status, answer["error"]["code"], answer["error"]["field"])
            assert told == (422, "not_arrived", "reason"), reason
            assert f"至少 {least} 个字" in answer["error"]["message"]
        csrf = await api.log_in("李娜")
        async with api.client.get(f"/incidents/{incident}") as page:
            assert f"至少写 {least} 个字" in await page.text()
        form = FormData({"csrf": csrf, "outcome": "helped", "reason": "x"})
        async with api.client.post(path, data=form, headers={"HX-Request": "true"}) as part:
            text = await part.text()
            assert part.status == 422
        assert f"至少 {least} 个字" in text
        assert f"至少写 {least} 个字" in text
        assert (await api.ask("POST", path, {**CLOSE, "reason": "老人没事了啊哈哈哈哈哈哈"}))[0] == 200


@pytest.mark.parametrize("name", ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "nonsense", "%00", "%ff", "x" * 3000, "..%2f.."])
async def test_unknown_incident_is_404(tmp_path: Path, name: str) -> None:
    async with stage(tmp_path) as api:
        for method, path, body in (("GET", "", None), ("POST", "/close", CLOSE)):
            status, answer = await api.ask(method, f"/incidents/{name}{path}", body)
            assert status == 404
            assert answer["error"]["code"] in ("unknown_incident", "not_found")


async def test_a_person_closes_in_his_own_name(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        incident = await api.alarm(device_id="P-100")
        csrf = await api.log_in("李娜")
        headers = {"X-CSRF-Token": csrf}
        status, closed = await api.ask("POST", f"/incidents/{incident}/close", CLOSE, headers=headers)
        assert (status, closed["closed_by"]) == (200, "李娜")


async def test_looks_of_people_are_journalled_and_those_of_machines_are_not(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        incident = await api.alarm(device_id="P-100")
        await api.get(f"/incidents/{incident}")
        assert await api.events("file.viewed") == []
        await api.log_in("李娜")
        await api.ask("GET", f"/incidents/{incident}", headers={})
        await api.client.get(f"/incidents/{incident}")
        looks: list[dict[str, Any]] = await api.events("file.viewed")
        assert [(look["by"], look["elder_no"]) for look in looks] == [("李娜", "E001")] * 2
