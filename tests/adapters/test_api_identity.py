"""The elder of an incident is found and named, through the API and the console's form; every search is journalled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData

from agent_console import pinyin
from ivr.domain.incident import Role
from ivr.store.legs import SqlLegs
from ivr.store.tx import Tx
from tests.adapters.api_stage import Stage, add_elder, stage

NOBODY = "01HZZZZZZZZZZZZZZZZZZZZZZZ"


async def found(api: Stage, wanted: str) -> list[str]:
    return [one["elder_no"] for one in (await api.get("/elders", params={"q": wanted}))["items"]]


@pytest.mark.parametrize(
    ("wanted", "nos"),
    [
        ("E001", ["E001"]),
        ("e00", ["E001", "E002", "E003"]),
        ("王秀英", ["E001"]),
        ("刘", ["E002", "E003"]),
        ("wxy", ["E001"]),
        ("WangXiuYing", ["E001"]),
        ("wang xiu ying", ["E001"]),
        ("xiuying", ["E001"]),
        ("liugf", ["E003"]),
        ("zzz", []),
        ("0215555 0002", ["E002", "E003"]),
        ("13800000001", ["E001"]),
        ("0001", ["E001"]),
        ("０００１", ["E001"]),
        ("13700000001", ["E001"]),
        ("13900000012", ["E001"]),
        ("延平路 501", ["E001", "E002", "E003"]),
        ("延平路 502", []),
        ("100%", []),
        ("_", []),
        ("' OR 1=1 --", []),
    ],
)
async def test_found_by_whatever_is_known_of_him(tmp_path: Path, wanted: str, nos: list[str]) -> None:
    async with stage(tmp_path) as api:
        assert await found(api, wanted) == nos


def test_names_by_their_sound() -> None:
    for letters in ("z", "zg", "zengguo", "cengguoqiang", "zgq", "zengg"):
        assert pinyin.fit("曾国强", letters) == pinyin.FIRST, letters
    assert pinyin.fit("吕梅", "lv") == pinyin.fit("吕梅", "lu") == pinyin.FIRST
    assert pinyin.fit("曾国强", "guoqiang") == pinyin.INSIDE
    for letters in ("zgqx", "zengx", "xzg"):
        assert pinyin.fit("曾国强", letters) == 0, letters
    assert pinyin.fit("John", "j") == 0
    assert pinyin.typed("Wáng") is None
    assert pinyin.typed("王w") is None


async def test_what_a_search_shows_is_masked_and_little(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        await api.log_in("李娜")
        async with api.client.get("/api/v1/elders", params={"q": "王秀英"}) as answer:
            (one,) = (await answer.json())["items"]
        assert (one["phone"], one["mobile"]) == ("021****0001", "138****0001"), "for an agent too"
        assert "延平路" in one["address"]
        assert not {"medical", "notes", "contacts"} & set(one)


async def test_twenty_at_most_and_the_rest_is_counted(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:

        def more(tx: Tx) -> None:
            for n in range(25):
                add_elder(tx.conn, f"F{n:03}", "周大年")

        await api.store.write(more)
        answer = await api.get("/elders", params={"q": "zdn"})
        assert (len(answer["items"]), answer["left_out"], answer["next"]) == (20, 5, None)


@pytest.mark.parametrize(
    ("query", "field"), [({}, "q"), ({"q": " "}, "q"), ({"q": "x" * 81}, "q"), ({"q": "a\x00b"}, "q")]
)
async def test_a_search_for_nothing_is_refused_by_name(tmp_path: Path, query: dict[str, str], field: str) -> None:
    async with stage(tmp_path) as api:
        status, answer = await api.ask("GET", "/elders", params=query)
        assert (status, answer["error"]["field"]) == (422, field)


async def test_every_search_is_journalled_without_what_was_typed(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        incident = await api.alarm(phone="18800001111")
        await api.get("/elders", params={"q": "刘", "incident": incident})
        await api.log_in("李娜")
        async with api.client.get("/api/v1/elders", params={"q": "wxy"}) as answer:
            assert answer.status == 200
        noted = await api.events("file.searched")
        assert [(one["by"], one["elder_nos"]) for one in noted] == [("platform", ["E002", "E003"]), ("李娜", ["E001"])]
        assert [one.get("incident_id") for one in noted] == [incident, None]
        assert "刘" not in str(noted)
        assert "wxy" not in str(noted)
        assert (await api.ask("GET", "/elders", params={"q": "刘", "incident": NOBODY}))[0] == 404
        assert len(await api.events("file.searched")) == 2, "a row for no incident would break its chain"


async def test_auditors_and_strangers_neither_search_nor_name(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        incident = await api.alarm(phone="18800001111")
        assert (await api.ask("GET", "/elders", params={"q": "刘"}, headers={}))[0] == 401
        csrf = await api.log_in("吴审")
        async with api.client.get("/api/v1/elders", params={"q": "刘"}) as answer:
            assert answer.status == 403
        async with api.client.get(f"/incidents/{incident}/elders", params={"q": "刘"}) as page:
            assert page.status == 403
        named = await api.ask(
            "POST", f"/incidents/{incident}/elder", {"elder_no": "E001"}, headers={"X-CSRF-Token": csrf}
        )
        assert named[0] == 403
        assert await api.events("file.searched") == []


async def test_an_unknown_caller_is_named_and_corrected(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        incident = await api.alarm(phone="18800001111")
        status, answer = await api.ask("POST", f"/incidents/{incident}/elder", {"elder_no": "E002", "by": "李娜"})
        assert (status, answer["elder"]["name"], answer["legs"]) == (200, "刘德山", [])
        for _ in range(2):
            status, answer = await api.ask("POST", f"/incidents/{incident}/elder", {"elder_no": "E001", "by": "李娜"})
            assert (status, answer["elder"]["medical"][:3]) == (200, "冠心病")
        assert [leg["name"] for leg in answer["legs"]] == ["王建国", "王丽华", "孙阿姨"]
        said = [(one["elder_no"], one["by"], one.get("was")) for one in await api.events("incident.identified")]
        assert said == [("E002", "李娜", None), ("E001", "李娜", "E002")]


async def test_a_relative_who_rang_for_the_wrong_elder_is_marked(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        incident = await api.alarm(phone="18800001111")
        await api.ask("POST", f"/incidents/{incident}/elder", {"elder_no": "E001"})
        assert await SqlLegs(api.store, "node1", "engine").begin_attempt(incident, Role.FAMILY, "13900000011")
        _, named = await api.ask("POST", f"/incidents/{incident}/elder", {"elder_no": "E002"})
        assert [(leg["name"], leg["not_his"]) for leg in named["legs"]] == [("王建国", True)]
        await api.log_in("李娜")
        async with api.client.get(f"/incidents/{incident}") as page:
            assert "另一位老人的家属，不再拨打" in await page.text()
        _, named = await api.ask("POST", f"/incidents/{incident}/elder", {"elder_no": "E001"})
        assert [leg["not_his"] for leg in named["legs"]] == [False] * 3


async def test_another_open_incident_of_the_named_one_is_shown(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        first = await api.alarm(elder_no="E001")
        second = await api.alarm(phone="18800001111")
        _, named = await api.ask("POST", f"/incidents/{second}/elder", {"elder_no": "E001"})
        assert named["others_open"] == [first]
        await api.log_in("李娜")
        async with api.client.get(f"/incidents/{second}") as page:
            assert f'href="/incidents/{first}"' in (await page.text()).partition('id="live"')[2]
        await api.ask("POST", f"/incidents/{first}/close", {"by": "李娜", "outcome": "test", "reason": "同一次呼救"})
        assert (await api.get(f"/incidents/{second}"))["others_open"] == []


REFUSED: list[tuple[dict[str, Any], int, str | None]] = [
    ({}, 422, "elder_no"),
    ({"elder_no": ""}, 422, "elder_no"),
    ({"elder_no": 5}, 422, "elder_no"),
    ({"elder_no": "E999"}, 422, "elder_no"),
    ({"elder_no": "x" * 41}, 422, "elder_no"),
    ({"elder_no": "E001", "by": "x" * 81}, 422, "by"),
]


@pytest.mark.parametrize(("body", "status", "field"), REFUSED)
async def test_what_names_nobody_is_refused(
    tmp_path: Path, body: dict[str, Any], status: int, field: str | None
) -> None:
    async with stage(tmp_path) as api:
        incident = await api.alarm(phone="18800001111")
        got, answer = await api.ask("POST", f"/incidents/{incident}/elder", body)
        assert (got, answer["error"]["field"]) == (status, field)
        assert (await api.get(f"/incidents/{incident}"))["elder"] is None


async def test_closed_and_unknown_incidents_name_nobody(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        incident = await api.alarm(phone="18800001111")
        why = {"by": "周强", "outcome": "test", "reason": "线路测试结束了"}
        await api.ask("POST", f"/incidents/{incident}/close", why)
        assert (await api.ask("POST", f"/incidents/{incident}/elder", {"elder_no": "E001"}))[0] == 409
        for path in (NOBODY, "x"):
            assert (await api.ask("POST", f"/incidents/{path}/elder", {"elder_no": "E001"}))[0] == 404


async def test_search_and_choice_without_a_script(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        incident = await api.alarm(phone="18800001111")
        csrf = await api.log_in("李娜")
        async with api.client.get(f"/incidents/{incident}/elders", params={"q": "wxy"}) as answer:
            page = await answer.text()
        assert "王秀英" in page
        assert "13800000001" not in page
        assert await api.events("incident.identified") == []
        form = FormData({"csrf": csrf, "elder_no": "E001"})
        async with api.client.post(f"/incidents/{incident}/elder", data=form) as answer:
            assert "青霉素过敏" in await answer.text()
        assert [one["by"] for one in await api.events("incident.identified")] == ["李娜"]
