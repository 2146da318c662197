"""Sending somebody from the desk: one click, the page stays, and what becomes of it comes by itself."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from ivr.domain.incident import Role
from ivr.store.legs import SqlLegs
from tests.adapters.test_api_helpers import people
from tests.console.conftest import Desk

SOON_MS = 2000

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all


async def test_one_click_calls_a_worker_in_and_the_wish_comes_back_live(desk: Desk) -> None:
    await people(desk.console)
    incident = await desk.console.alarm(elder_no="E001")
    page = await desk.window(path=f"/incidents/{incident}")
    await page.evaluate("window.stayed = true")
    sending = page.locator(f"#helpers-{incident}")
    await expect(sending.locator(".helper").first).to_contain_text("丁建平")
    await expect(sending.locator(".helper").first).to_contain_text("绑定的护理员 bound")
    await page.get_by_label("原因").fill("还在写")
    await sending.get_by_role("button", name="接通 丁建平").click()
    await expect(page.locator("#live .leg", has_text="丁建平")).to_contain_text("等待拨打", timeout=SOON_MS)
    await expect(sending).to_contain_text("正在联系 being called")
    await sending.get_by_role("button", name="派人").click()
    await expect(page.locator("#live")).to_contain_text("正在依次打电话请护理员", timeout=SOON_MS)
    await sending.get_by_role("button", name="有人已到现场").click()
    await expect(page.locator("#live")).to_contain_text("已到达", timeout=SOON_MS)
    await expect(page.get_by_label("原因")).to_have_value("还在写")
    assert await page.evaluate("window.stayed"), "the page was loaded anew"
    found = await desk.console.get(f"/incidents/{incident}")
    assert [leg["wanted_by"] for leg in found["legs"] if leg["name"] == "丁建平"] == ["李娜"]
    assert (found["offer"]["wanted_by"], found["arrived_by"]) == ("李娜", "李娜")
    assert desk.complaints == []


async def test_a_refusal_stands_where_the_button_is(desk: Desk) -> None:
    await people(desk.console)
    incident = await desk.console.alarm(elder_no="E001")
    page = await desk.window(path=f"/incidents/{incident}")
    sending = page.locator(f"#helpers-{incident}")
    hidden = sending.locator("input[name=worker_no]").first
    await hidden.evaluate("element => element.value = 'W9'")
    await sending.get_by_role("button", name="接通 丁建平").click()
    await expect(sending.get_by_role("alert")).to_contain_text("名单里没有", timeout=SOON_MS)


async def test_the_elder_is_called_back_by_one_click_and_not_while_he_is_on_the_line(desk: Desk) -> None:
    incident = await desk.console.alarm(elder_no="E001")
    page = await desk.window(path=f"/incidents/{incident}")
    sending = page.locator(f"#helpers-{incident}")
    await sending.get_by_role("button", name="回拨老人").click()
    line = page.locator("#live .leg", has_text="02155550001")
    await expect(line).to_contain_text("等待拨打", timeout=SOON_MS)
    await expect(line.locator(".role")).to_have_text("老人")
    attempt = await SqlLegs(desk.console.store, "node1", "engine").begin_attempt(incident, Role.ELDER, "02155550001")
    assert attempt
    await SqlLegs(desk.console.store, "node1", "engine").accept(attempt, only_first=False)
    await expect(line).to_contain_text("通话中", timeout=SOON_MS)
    await sending.get_by_role("button", name="回拨老人").click()
    await expect(sending.get_by_role("alert")).to_contain_text("老人已经在线上", timeout=SOON_MS)
    assert desk.complaints == []
