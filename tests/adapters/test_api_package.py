"""The package to 120 by itself: put into the outbox by API or button, taken by 120's server, no telephone rung."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import FormData

from ivr.domain.pushing import PushPolicy
from ivr.push.client import HttpPusher
from ivr.services.packages import PackageSender
from ivr.store.packages import SqlPackages
from tests.adapters.api_stage import Stage, stage
from tests.doubles.package_receiver import Receiver
from tests.doubles.patience import until

SECRET = "agreed-with-120-0123"
ENDPOINT = {"ambulance_endpoint": "https://120.example/alarm"}
NOBODY = "01HZZZZZZZZZZZZZZZZZZZZZZZ"


async def carried(api: Stage, server: Receiver, count: int) -> None:
    """The engine's part, until 120 has so many."""
    packages = SqlPackages(api.store, "node1-1", "12349", PushPolicy())
    async with HttpPusher(5.0) as pusher:
        sender = PackageSender(packages, pusher, "node1", ambulance=(server.endpoint, SECRET))
        task = asyncio.create_task(sender.run())
        try:
            await until(lambda: len(server.taken) == count)
            await until_sent(api, count)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until_sent(api: Stage, count: int) -> None:
    async with asyncio.timeout(5):
        while len(await api.events("package.sent")) < count:  # noqa: ASYNC110  # of the journal
            await asyncio.sleep(0.05)


async def test_sent_to_120_without_a_number_and_without_a_leg(tmp_path: Path) -> None:
    async with Receiver(SECRET) as server, stage(tmp_path, ambulance_endpoint=server.endpoint) as api:
        assert api.settings.ambulance_number == ""
        incident = await api.alarm(elder_no="E001")
        path = f"/incidents/{incident}/packages"
        status, first = await api.ask("POST", path, {"by": "李娜"})
        assert (status, first["target"], first["number"], first["state"]) == (201, "120", 1, "queued")
        status, again = await api.ask("POST", path, {"target": "120", "by": "李娜"})
        assert (status, again["id"]) == (200, first["id"]), "the one that waits will say it all"
        await carried(api, server, 1)
        (got,) = server.taken
        assert got.content["patient"]["illnesses_and_medicines"].startswith("冠心病")
        assert server.refused == []
        found = await api.get(f"/incidents/{incident}")
        assert [leg["role"] for leg in found["legs"]] == ["family"] * 3, "nobody else is called"
        assert [one["state"] for one in found["packages"]] == ["sent"]
        status, second = await api.ask("POST", path, {})
        assert (status, second["number"]) == (201, 2), "asked anew, it is sent anew"
        await carried(api, server, 2)
        queued = await api.events("package.queued")
        assert [(one["target"], one["by"]) for one in queued] == [("120", "李娜"), ("120", "platform")]


async def test_the_button_is_there_where_120_takes_packages(tmp_path: Path) -> None:
    async with stage(tmp_path, **ENDPOINT) as api:
        incident = await api.alarm(elder_no="E001")
        csrf = await api.log_in("李娜")
        page = await (await api.client.get(f"/incidents/{incident}")).text()
        assert "发送资料给 120" in page
        async with api.client.post(f"/incidents/{incident}/package", data=FormData({"csrf": csrf})) as answer:
            assert answer.status == 200
        assert [one["by"] for one in await api.events("package.queued")] == ["李娜"]


async def test_where_120_takes_none_it_is_refused_and_no_button_is_shown(tmp_path: Path) -> None:
    async with stage(tmp_path, ambulance_number="120") as api:
        incident = await api.alarm(elder_no="E001")
        status, answer = await api.ask("POST", f"/incidents/{incident}/packages", {})
        assert (status, answer["error"]["code"]) == (409, "no_endpoint")
        assert await api.events("package.queued") == []
        await api.log_in("李娜")
        assert "发送资料给 120" not in await (await api.client.get(f"/incidents/{incident}")).text()


async def test_refusals(tmp_path: Path) -> None:
    async with stage(tmp_path, **ENDPOINT) as api:
        incident = await api.alarm(elder_no="E001")
        path = f"/incidents/{incident}/packages"
        status, answer = await api.ask("POST", path, {"target": "110"})
        assert (status, answer["error"]["field"]) == (422, "target")
        assert (await api.ask("POST", f"/incidents/{NOBODY}/packages", {}))[0] == 404
        csrf = await api.log_in("吴审")
        assert (await api.ask("POST", path, {}, headers={"X-CSRF-Token": csrf}))[0] == 403
        await api.ask(
            "POST", f"/incidents/{incident}/close", {"by": "周强", "outcome": "test", "reason": "线路测试结束了"}
        )
        assert (await api.ask("POST", path, {}))[0] == 409
        assert await api.events("package.queued") == []
