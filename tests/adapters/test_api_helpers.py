"""Sending somebody, through the API and the console's buttons: on record, nothing dialled, nobody who is on no list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from sqlalchemy import insert, select, update

from ivr.domain.incident import ArrivedCall, NewAlarm, Outcome, Role
from ivr.store.incidents import SqlIncidents
from ivr.store.legs import SqlLegs
from ivr.store.tables import elder, hospital, leg, worker
from ivr.store.tx import Tx
from tests.adapters.api_stage import Stage, stage

CHEN, DING = "13600000001", "13700000002"


async def people(api: Stage) -> None:
    def change(tx: Tx) -> None:
        tx.conn.execute(update(elder).where(elder.c.elder_no == "E001").values(lat=31.2, lng=121.4, helper_no="W2"))
        tx.conn.execute(update(worker).where(worker.c.worker_no == "W1").values(lat=31.21, lng=121.4, skills="急救员"))
        tx.conn.execute(insert(worker).values(worker_no="W2", name="丁建平", phone=DING, district="静安区"))
        house = {"name": "静安医院", "phone": "02155520001", "district": "静安区", "capabilities": "卒中中心"}
        tx.conn.execute(insert(hospital).values(**house, endpoint="https://h.example/x", push_secret="s" * 16))

    await api.store.write(change)


async def test_the_ranking_says_why_and_masks_numbers_for_who_may_not_see_them(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        await people(api)
        incident = await api.alarm(elder_no="E001")
        found = await api.get(f"/incidents/{incident}/helpers")
        assert [one["worker_no"] or one["name"] for one in found["items"]] == ["W2", "W1", "静安医院"]
        assert [one["role"] for one in found["items"]] == ["worker", "worker", "hospital"]
        assert "绑定的护理员 bound" in found["items"][0]["reasons"]
        assert found["items"][0]["distance_km"] is None
        assert found["items"][1]["distance_km"] == pytest.approx(1.11, abs=0.01)
        assert found["items"][1]["phone"] == CHEN
        assert found["left_out"] == 0
        able = await api.get(f"/incidents/{incident}/helpers?skill=急救&limit=1")
        assert "没有登记急救 no such skill" in able["items"][0]["reasons"]
        assert able["left_out"] == 1
        assert "push_secret" not in str(found)
        await api.log_in("吴审")
        async with api.client.get(f"/api/v1/incidents/{incident}/helpers") as answer:
            masked = await answer.json()
        assert CHEN not in str(masked)
        assert masked["items"][1]["phone"] == "136****0001"
        for path, status in (("/incidents/01HZZZZZZZZZZZZZZZZZZZZZZZ/helpers", 404), ("/incidents/x/helpers", 404)):
            assert (await api.ask("GET", path))[0] == status
        assert (await api.ask("GET", f"/incidents/{incident}/helpers?limit=0"))[0] == 422


async def test_a_wish_is_on_record_once_and_shown_on_the_incident(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        await people(api)
        incident = await api.alarm(elder_no="E001")
        body = {"role": "worker", "worker_no": "W1", "by": "周强"}
        status, first = await api.ask("POST", f"/incidents/{incident}/legs", body)
        assert (status, first["phone"], first["name"], first["state"]) == (201, CHEN, "陈护理", "waiting")
        assert (first["wanted_by"], first["worker_no"], first["attempts"]) == ("周强", "W1", 0)
        assert first["wanted_at"].endswith("Z")
        status, again = await api.ask("POST", f"/incidents/{incident}/legs", body)
        assert (status, again["id"]) == (200, first["id"])
        status, house = await api.ask(
            "POST", f"/incidents/{incident}/legs", {"role": "hospital", "hospital": "静安医院"}
        )
        assert (status, house["wanted_by"]) == (201, "platform"), "a token acts in its own name when none is given"
        found = await api.get(f"/incidents/{incident}")
        assert {one["id"] for one in found["legs"]} >= {first["id"], house["id"]}
        assert [(one["target"], one["state"]) for one in found["packages"]] == [("静安医院", "queued")]
        assert [event["role"] for event in await api.events("leg.wanted")] == ["worker", "hospital"]
        for kind in ("leg.wanted", "package.queued"):
            assert CHEN not in str(await api.events(kind))


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"role": "worker"}, "worker_no"),
    ({"role": "worker", "worker_no": "W9"}, "worker_no"),
    ({"role": "worker", "phone": "13912345678"}, "phone"),
    ({"role": "hospital", "hospital": "没有的医院"}, "hospital"),
    ({"role": "hospital", "phone": "120"}, "phone"),
    ({"role": "hospital", "phone": "110"}, "phone"),
    ({"role": "family", "phone": "13912345678"}, "phone"),
    ({"role": "family", "worker_no": "W1"}, "phone"),
    ({"role": "family", "phone": "500&PJSIP/1001"}, "phone"),
    ({"role": "agent", "phone": CHEN}, "role"),
    ({"role": "supervisor", "phone": CHEN}, "role"),
    ({}, "role"),
    ({"role": "worker", "worker_no": "W1", "by": "x" * 81}, "by"),
]


@pytest.mark.parametrize(("body", "field"), REFUSED)
async def test_only_who_is_on_a_list_is_dialled_for_anybodys_asking(
    tmp_path: Path, body: dict[str, Any], field: str
) -> None:
    async with stage(tmp_path) as api:
        await people(api)
        incident = await api.alarm(elder_no="E001")
        status, answer = await api.ask("POST", f"/incidents/{incident}/legs", body)
        assert (status, answer["error"]["field"]) == (422, field)
        assert await api.events("leg.wanted") == []


async def test_family_a_workers_number_and_120_where_it_is_set(tmp_path: Path) -> None:
    async with stage(tmp_path, ambulance_number="120", ambulance_endpoint="https://120.example/alarm") as api:
        await people(api)
        incident = await api.alarm(elder_no="E001")
        for body, name in (
            ({"role": "family", "phone": "139 0000 0012"}, "王丽华"),
            ({"role": "worker", "phone": DING}, "丁建平"),
            ({"role": "hospital", "phone": "120"}, "120"),
        ):
            status, answer = await api.ask("POST", f"/incidents/{incident}/legs", body)
            assert (status, answer["name"]) == (201, name), body
        found = await api.get(f"/incidents/{incident}")
        assert [one["target"] for one in found["packages"]] == ["120"]


async def test_the_elder_is_called_back_where_he_called_from_or_at_the_number_of_his_file(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        for alarm, more, phone, name in (
            ({"phone": "18800001111"}, {}, "18800001111", "来电人"),
            ({"elder_no": "E001"}, {}, "02155550001", "王秀英"),
            ({"elder_no": "E001"}, {"phone": "138 0000 0001"}, "13800000001", "王秀英"),
        ):
            incident = await api.alarm(**alarm)
            body = {"role": "elder", "by": "李娜", **more}
            status, leg = await api.ask("POST", f"/incidents/{incident}/legs", body)
            assert (status, leg["role"], leg["phone"], leg["name"]) == (201, "elder", phone, name)
            assert (leg["state"], leg["wanted_by"]) == ("waiting", "李娜")
            assert (await api.ask("POST", f"/incidents/{incident}/legs", body))[0] == 200
        assert [one["by"] for one in await api.events("leg.wanted")] == ["李娜"] * 3
        body = {"role": "elder", "phone": "13912345678"}
        status, answer = await api.ask("POST", f"/incidents/{incident}/legs", body)
        assert (status, answer["error"]["code"], answer["error"]["field"]) == (422, "unknown_target", "phone")
        unknown = await api.alarm(device_id="nobody's")
        status, answer = await api.ask("POST", f"/incidents/{unknown}/legs", {"role": "elder"})
        assert (status, answer["error"]["code"], answer["error"]["field"]) == (422, "no_number", "phone")
        assert (await api.ask("POST", "/incidents/01HZZZZZZZZZZZZZZZZZZZZZZZ/legs", {"role": "elder"}))[0] == 404


async def test_who_is_on_the_line_is_not_called_back_and_who_is_being_called_is_called_once(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        arrived = ArrivedCall("node1", "1.1", "1.1", "12349120", "02155550001")
        new = NewAlarm("call", "one_key", phone="02155550001", call=arrived)
        incident = (await SqlIncidents(api.store).raise_alarm(new)).incident_id
        legs = SqlLegs(api.store, "node1", "engine")

        async def ask() -> tuple[int, str | None]:
            status, answer = await api.ask("POST", f"/incidents/{incident}/legs", {"role": "elder"})
            return status, answer.get("error", {}).get("code")

        assert await ask() == (409, "on_the_line")
        await legs.accept("1.1", only_first=False)
        assert await ask() == (409, "on_the_line")
        await legs.ended("1.1", Outcome.TALKED)
        assert await ask() == (201, None)
        attempt = await legs.begin_attempt(incident, Role.ELDER, "02155550001")
        assert attempt
        assert await ask() == (200, None)
        await legs.accept(attempt, only_first=False)
        assert await ask() == (409, "on_the_line")
        await legs.ended(attempt, Outcome.TALKED)
        assert await ask() == (201, None), "after he has gone again he may be called again"


async def test_closed_and_unknown_incidents_take_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        await people(api)
        incident = await api.alarm(elder_no="E001")
        await api.ask("POST", f"/incidents/{incident}/close", {"by": "周强", "outcome": "test", "reason": "好了"})
        for path, body in (
            ("legs", {"role": "worker", "worker_no": "W1"}),
            ("helpers", {}),
            ("arrived", {"by": "陈护理"}),
        ):
            assert (await api.ask("POST", f"/incidents/{incident}/{path}", body))[0] == 409, path
            assert (await api.ask("POST", f"/incidents/01HZZZZZZZZZZZZZZZZZZZZZZZ/{path}", body))[0] == 404, path


@pytest.mark.parametrize(
    ("policy", "first", "second"), [("on_request", 201, 200), ("always", 201, 200), ("never", 409, 409)]
)
async def test_send_somebody_begins_once_where_it_is_allowed(
    tmp_path: Path, policy: str, first: int, second: int
) -> None:
    async with stage(tmp_path, offer_worker=policy) as api:
        incident = await api.alarm(elder_no="E001")
        body = {"by": "李娜", "skill": "急救"}
        assert (await api.ask("POST", f"/incidents/{incident}/helpers", body))[0] == first
        assert (await api.ask("POST", f"/incidents/{incident}/helpers", body))[0] == second
        offer = (await api.get(f"/incidents/{incident}"))["offer"]
        if policy == "never":
            assert offer is None
        else:
            assert (offer["wanted_by"], offer["skill"], offer["outcome"]) == ("李娜", "急救", None)
        assert len(await api.events("incident.helper_wanted")) == (policy != "never")


async def test_arrival_is_shown_once_and_the_time_in_the_field_counts(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        incident = await api.alarm(elder_no="E001")
        then = datetime.now(UTC) - timedelta(seconds=90)
        body = {"by": "陈护理", "worker_no": "W1", "at": then.isoformat()}
        status, found = await api.ask("POST", f"/incidents/{incident}/arrived", body)
        assert (status, found["arrived_by"]) == (200, "陈护理")
        assert datetime.fromisoformat(found["arrived_at"]) == then
        status, again = await api.ask("POST", f"/incidents/{incident}/arrived", {"by": "别人"})
        assert (status, again["arrived_by"], again["arrived_at"]) == (200, "陈护理", found["arrived_at"])
        (event,) = await api.events("incident.arrived")
        assert (event["incident_id"], event["worker_no"], event["by"]) == (incident, "W1", "陈护理")
        for wrong in ({"at": "gestern"}, {"at": "2026-11-22T08:00:00"}):
            assert (await api.ask("POST", f"/incidents/{incident}/arrived", wrong))[1]["error"]["field"] == "at"


async def test_a_helper_is_bound_through_the_api(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        status, answer = await api.ask("POST", "/elders/E001/helper", {"worker_no": "W1", "by": "周强"})
        assert (status, answer) == (200, {"elder_no": "E001", "helper_no": "W1"})
        incident = await api.alarm(elder_no="E001")
        assert (await api.get(f"/incidents/{incident}"))["elder"]["helper_no"] == "W1"
        status, answer = await api.ask("POST", "/elders/E001/helper", {"worker_no": "W9"})
        assert (status, answer["error"]["field"]) == (422, "worker_no")
        assert (await api.ask("POST", "/elders/E999/helper", {"worker_no": "W1"}))[0] == 404
        assert (await api.ask("POST", "/elders/E001/helper", {"worker_no": None}))[1]["helper_no"] is None
        assert [event["worker_no"] for event in await api.events("elder.helper_bound")] == ["W1", None]


# ---- the console's buttons, as a browser without script presses them


async def press(api: Stage, path: str, csrf: str, **fields: str) -> int:
    form = FormData({"csrf": csrf, **fields})
    async with api.client.post(path, data=form, allow_redirects=False) as answer:
        return answer.status


async def test_the_buttons_put_wishes_on_record_in_the_agents_own_name(tmp_path: Path) -> None:
    async with stage(tmp_path, ambulance_number="120") as api:
        await people(api)
        incident = await api.alarm(elder_no="E001")
        csrf = await api.log_in("李娜")
        page = await (await api.client.get(f"/incidents/{incident}")).text()
        for text in ("派人：依次打电话", "接通 120", "有人已到现场", "丁建平", "绑定的护理员 bound", "静安医院"):
            assert text in page, text
        assert await press(api, f"/incidents/{incident}/legs", csrf, role="worker", worker_no="W1", by="别人") == 303
        assert await press(api, f"/incidents/{incident}/legs", csrf, role="hospital", phone="120") == 303
        assert await press(api, f"/incidents/{incident}/send", csrf) == 303
        assert await press(api, f"/incidents/{incident}/arrived", csrf) == 303
        assert await press(api, f"/incidents/{incident}/legs", csrf, role="worker", worker_no="W9") == 422
        assert await press(api, f"/incidents/{incident}/legs", "forged", role="worker", worker_no="W2") == 403
        found = await api.get(f"/incidents/{incident}")
        wanted = {one["name"]: one["wanted_by"] for one in found["legs"] if one["wanted_at"]}
        assert wanted == {"陈护理": "李娜", "120": "李娜"}
        assert (found["offer"]["wanted_by"], found["arrived_by"]) == ("李娜", "李娜")


async def test_a_script_gets_the_list_anew_and_the_refusal_where_the_button_is(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        await people(api)
        incident = await api.alarm(elder_no="E001")
        csrf = await api.log_in("李娜")
        headers = {"HX-Request": "true"}
        for fields, words in (({"worker_no": "W1"}, "正在联系 being called"), ({"worker_no": "W9"}, "名单里没有")):
            form = FormData({"csrf": csrf, "role": "worker", **fields})
            async with api.client.post(f"/incidents/{incident}/legs", data=form, headers=headers) as answer:
                text = await answer.text()
            assert answer.status == 200
            assert text.lstrip().startswith("<section") or "<section" in text
            assert words in text
        async with api.client.get(f"/incidents/{incident}/helpers", headers=headers) as answer:
            assert "静安医院" in await answer.text()


async def test_an_auditor_sees_no_buttons_and_may_press_none(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        await people(api)
        incident = await api.alarm(elder_no="E001")
        csrf = await api.log_in("吴审")
        page = await (await api.client.get(f"/incidents/{incident}")).text()
        assert "派人：依次打电话" not in page
        assert await press(api, f"/incidents/{incident}/send", csrf) == 403
        assert await press(api, f"/incidents/{incident}/legs", csrf, role="worker", worker_no="W1") == 403


async def test_the_screen_tells_of_an_offer_a_package_that_fails_and_an_arrival(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        await people(api)
        incident = await api.alarm(elder_no="E001")
        await api.ask("POST", f"/incidents/{incident}/legs", {"role": "hospital", "hospital": "静安医院"})
        await api.ask("POST", f"/incidents/{incident}/helpers", {})
        from ivr.domain.pushing import PushPolicy
        from ivr.store.packages import SqlPackages

        packages = SqlPackages(api.store, "n", "12349", PushPolicy())
        (parcel,) = await packages.lease(1, 30)
        await packages.failed(parcel.id, "timeout")
        legs = SqlLegs(api.store, "node1", "engine")
        attempt = await legs.begin_attempt(incident, Role.HOSPITAL, "02155520001")
        assert attempt
        await legs.ended(attempt, Outcome.BUSY)
        await api.ask("POST", f"/incidents/{incident}/arrived", {"by": "陈护理"})
        await api.log_in("李娜")
        page = await (await api.client.get(f"/incidents/{incident}")).text()
        for text in (
            "资料还没有送到 静安医院",
            "正在依次打电话请护理员",
            "已到达",
            "有人到达现场",
            "资料未送达",
            "占线",
        ):
            assert text in page, text
        async with api.store.read() as conn:
            assert await conn.scalar(select(leg.c.wanted_by).where(leg.c.id == leg.c.id, leg.c.role == "hospital"))
