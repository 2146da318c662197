"""Storm mode over HTTP: who may switch it, the order of the list page by page, and closing those who are safe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from sqlalchemy import insert

from agent_console import keys
from agent_console.queries.board import SHOWN_IN_STORM
from ivr.domain import storm
from ivr.domain.storm import Triage
from ivr.store import triage
from ivr.store.storm import SqlStorm
from ivr.store.tables import elder
from ivr.store.tx import Tx
from tests.adapters.api_stage import Stage, stage

MANY = 2050


async def crowd(api: Stage, number: int) -> dict[str, str]:
    """So many elders with an alarm each; elder_no -> incident."""

    def people(tx: Tx) -> None:
        rows = [
            {"elder_no": f"S{n:04d}", "name": f"老人{n}", "phone": f"021{n:08d}", "consent_outbound": False}
            for n in range(number)
        ]
        tx.conn.execute(insert(elder), rows)

    await api.store.write(people)
    return {f"S{n:04d}": await api.alarm(elder_no=f"S{n:04d}") for n in range(number)}


async def answers(api: Stage, said: dict[str, Triage]) -> None:
    def change(tx: Tx) -> None:
        for incident_id, what in said.items():
            triage.mark(tx, incident_id, what)
            tx.event("incident.triaged", incident_id=incident_id, triage=what)

    await api.store.write(change)


async def pages(api: Stage, limit: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    params = {"state": "open", "limit": str(limit)}
    while True:
        page = await api.get("/incidents", params=params)
        items += page["items"]
        if page["next"] is None:
            return items
        params["cursor"] = page["next"]


async def test_only_a_supervisor_switches_it_and_the_journal_says_who(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        assert (await api.get("/storm"))["mode"] == "auto"
        for name, status in (("李娜", 403), ("吴审", 403), ("周强", 200)):
            api.client.session.cookie_jar.clear()
            csrf = await api.log_in(name)
            got, _ = await api.ask("POST", "/storm", {"mode": "on"}, headers={"X-CSRF-Token": csrf})
            assert got == status, name
        now = await api.get("/storm")
        assert (now["active"], now["mode"], now["by"]) == (True, "on", "周强")
        assert [(e["mode"], e["by"]) for e in await api.events("storm.switched")] == [("on", "周强")]
        assert len(await api.events("storm.began")) == 1
        status, refused = await api.ask("POST", "/storm", {"mode": "off"})
        assert (status, refused["error"]["field"]) == (422, "by")
        status, refused = await api.ask("POST", "/storm", {"mode": "perhaps", "by": "x"})
        assert (status, refused["error"]["field"]) == (422, "mode")
        await api.ask("POST", "/storm", {"mode": "off", "by": "平台"})
        assert (await api.get("/storm"))["active"] is False
        assert len(await api.events("storm.ended")) == 1


async def test_order_and_pages(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        by_elder = await crowd(api, 12)
        ids = list(by_elder.values())
        said = dict(zip(ids, [Triage.SAFE, Triage.SILENT, Triage.HELP, Triage.NO_ANSWER] * 2, strict=False))
        await answers(api, said)
        assert [one["id"] for one in await pages(api, 5)] == list(reversed(ids)), "no storm: newest first"
        await SqlStorm(api.store).switch(True, by="周强")
        for limit in (1, 3, 5, 200):
            found = await pages(api, limit)
            wanted = ["help"] * 2 + ["silent"] * 2 + ["no_answer"] * 2 + [None] * 4 + ["safe"] * 2
            assert [one["triage"] for one in found] == wanted
            assert sorted(one["id"] for one in found) == sorted(ids), "each once"
        assert [one["risk"] for one in found] == sorted((one["risk"] for one in found), reverse=True)
        assert (await api.ask("GET", "/incidents?state=open&cursor=nonsense"))[0] == 200


async def test_a_supervisor_closes_those_who_are_safe_and_nobody_else(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        ids = list((await crowd(api, 4)).values())
        await answers(api, {ids[0]: Triage.SAFE, ids[1]: Triage.SAFE, ids[2]: Triage.HELP})
        await api.alarm(elder_no="S0001", kind="fall")  # he cries again: safe no more
        body = {"reason": "停电已恢复"}
        csrf = await api.log_in("李娜")
        assert (await api.ask("POST", "/incidents/close-safe", body, headers={"X-CSRF-Token": csrf}))[0] == 403
        api.client.session.cookie_jar.clear()
        csrf = await api.log_in("周强")
        status, _ = await api.ask("POST", "/incidents/close-safe", {"reason": " "}, headers={"X-CSRF-Token": csrf})
        assert status == 422
        done = await api.ask("POST", "/incidents/close-safe", body, headers={"X-CSRF-Token": csrf})
        assert done == (200, {"closed": 1})
        closed = await api.get(f"/incidents/{ids[0]}")
        assert (closed["state"], closed["closed_by"], closed["reason"]) == ("closed", "周强", "停电已恢复")
        assert len(await pages(api, 50)) == 3
        assert (await api.events("incident.closed"))[0]["in_bulk"] is True


async def test_with_one_whom_somebody_was_sent_to_closing_all_needs_an_explanation(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        ids = list((await crowd(api, 2)).values())
        await answers(api, dict.fromkeys(ids, Triage.SAFE))
        assert (await api.ask("POST", f"/incidents/{ids[0]}/helpers", {"by": "李娜"}))[0] == 201
        body = {"reason": "已核实", "by": "周强"}
        status, answer = await api.ask("POST", "/incidents/close-safe", body)
        assert (status, answer["error"]["code"], answer["error"]["field"]) == (422, "not_arrived", "reason")
        csrf = await api.log_in("周强")
        async with api.client.post("/incidents/close-safe", data=FormData({"csrf": csrf, "reason": "已核实"})) as page:
            assert page.status == 422
            assert "没有到场记录" in await page.text()
        assert len(await pages(api, 50)) == 2
        body["reason"] = "已核实，护理员折返"
        assert await api.ask("POST", "/incidents/close-safe", body) == (200, {"closed": 2})


async def test_only_those_named_are_closed(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        ids = list((await crowd(api, 3)).values())
        await answers(api, dict.fromkeys(ids, Triage.SAFE))
        body = {"reason": "已核实", "by": "周强", "ids": ids[:1]}
        assert await api.ask("POST", "/incidents/close-safe", body) == (200, {"closed": 1})
        assert [one["id"] for one in await pages(api, 50)] == ids[:0:-1]


@pytest.mark.timeout(240)
async def test_screen_with_two_thousand_open_lists_the_most_urgent_and_counts_all(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:

        def many(tx: Tx) -> None:
            from ivr.store.incidents import new_id
            from ivr.store.tables import alarm, incident

            ids = [new_id() for _ in range(MANY)]
            place = storm.risk(Triage.SAFE, 7, telephoned=False)
            tx.conn.execute(
                insert(incident),
                [
                    {
                        "id": one, "state": "open", "elder_choices": [], "needs_look": False, "opened_at": tx.now,
                        "triage": "safe", "worst": 7, "risk": place, "unknown_device": False, "triage_tries": 1,
                    }
                    for one in ids
                ],
            )  # fmt: skip
            tx.conn.execute(
                insert(alarm),
                [
                    {"id": new_id(), "incident_id": one, "source": "t", "kind": "press", "received_at": tx.now}
                    for one in ids
                ],
            )
            triage.mark(tx, ids[MANY // 2], Triage.SILENT)

        await api.store.write(many)
        await SqlStorm(api.store).switch(True, by="周强")
        _, shown = await api.client.app[keys.HUB].current({"incidents/full", "storm/boss"})
        html = {name: fragment.html for name, fragment in shown.items()}
        assert html["incidents/full"].count('<a id="card-') == SHOWN_IN_STORM
        assert f'<b class="count">{MANY}</b>' in html["incidents/full"]
        first = html["incidents/full"].index("无声")
        assert first < html["incidents/full"].index("平安"), "the silent one is the first card"
        assert f"平安 <b>{MANY - 1}</b>" in html["storm/boss"]
        found = await pages(api, 200)
        assert len({one["id"] for one in found}) == MANY
        assert found[0]["triage"] == "silent"
