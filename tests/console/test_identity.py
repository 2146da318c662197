"""Saying who the elder is, from the desk: candidates of a shared number first, a search for an unknown one."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.console.conftest import Desk

SOON_MS = 2000

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all


async def test_candidate_with_one_click_then_corrected_by_a_search(desk: Desk) -> None:
    incident = await desk.console.alarm(phone="02155550002")
    page = await desk.window(path=f"/incidents/{incident}")
    await page.evaluate("window.stayed = true")
    part = page.locator(f"#identity-{incident}")
    await expect(part).to_be_in_viewport()
    await expect(part.locator(".candidates .helper")).to_contain_text(["刘德山", "刘桂芳"])
    await part.get_by_role("button", name="就是 刘德山").click()
    await expect(page.locator("#incident-title")).to_contain_text("刘德山", timeout=SOON_MS)
    await expect(part.get_by_text("认错人了？更正")).to_be_visible(timeout=SOON_MS)
    await part.get_by_text("认错人了？更正").click()
    await part.get_by_label("查找老人").fill("wxy")
    await part.get_by_label("查找老人").press("Enter")
    await expect(part.locator(".found .helper")).to_contain_text(["王秀英"], timeout=SOON_MS)
    await expect(part).not_to_contain_text("13800000001")
    await part.get_by_role("button", name="就是 王秀英").click()
    await expect(page.locator("#live")).to_contain_text("青霉素过敏", timeout=SOON_MS)
    await expect(page.locator("#live .leg", has_text="王丽华")).to_contain_text("等待拨打", timeout=SOON_MS)
    assert await page.evaluate("window.stayed"), "the page was loaded anew"
    named = await desk.console.events("incident.identified")
    assert [(one["elder_no"], one["by"]) for one in named] == [("E002", "李娜"), ("E001", "李娜")]
    assert [one["elder_nos"] for one in await desk.console.events("file.searched")] == [["E001"]]
    assert desk.complaints == []
