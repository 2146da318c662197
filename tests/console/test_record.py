"""The exported page opens from its folder without a network, plays, goes where one clicks; and how one gets there."""

from __future__ import annotations

import os
import time
import zipfile
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.console.conftest import Desk
from tests.doubles.recorded_incident import recorded_incident

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all

SHOTS = os.environ.get("IVR_TEST_SHOTS")


async def _exported(desk: Desk, tmp_path: Path) -> tuple[str, Path, float]:
    """By the link that a supervisor sees; unpacked. (incident, index.html, when he pressed it)"""
    incident = await recorded_incident(desk.console.store, desk.console.settings.recordings_dir)
    window = await desk.window("周强")
    await window.goto(desk.base + "records")
    await expect(window.locator(f"tr[data-incident='{incident}']")).to_contain_text("王秀英")
    began = time.monotonic()
    async with window.expect_download() as downloading:
        await window.locator(f"tr[data-incident='{incident}'] a[download]").click()
    await (await downloading.value).save_as(tmp_path / "record.zip")
    with zipfile.ZipFile(tmp_path / "record.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    return incident, tmp_path / "unpacked" / f"incident-{incident}" / "index.html", began


async def _now(page: Page) -> float:
    return float(await page.evaluate("Number(document.body.dataset.now)"))


async def test_the_page_plays_in_step_with_its_timeline_and_goes_where_one_clicks(
    desk: Desk, browser: Browser, tmp_path: Path
) -> None:
    _, index, began = await _exported(desk, tmp_path)
    context = await browser.new_context(viewport={"width": 1400, "height": 1000}, locale="zh-CN", offline=True)
    page = await context.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(index.as_uri())
    audio = page.locator("#audio")
    await expect(audio).to_have_js_property("readyState", 4, timeout=3000)
    ready_s = time.monotonic() - began
    print(f"link pressed to timeline and audio ready: {ready_s:.2f} s")
    await expect(page.locator("#chain")).to_contain_text("记录链完整")
    await expect(page.locator("#trouble")).to_be_hidden()
    assert abs(float(await audio.evaluate("a => a.duration")) - 8.0) < 0.05

    await audio.evaluate("a => a.play()")
    left = "Number.parseFloat(document.getElementById('cursor').style.left)"
    first_at, first_left = await _now(page), await page.evaluate(left)
    await page.wait_for_timeout(1500)
    second_at, second_left = await _now(page), await page.evaluate(left)
    assert 0.8 < second_at - first_at < 2.5, "the cursor goes as fast as the sound"
    assert second_left > first_left
    clip_at = float(await page.evaluate("JSON.parse(document.getElementById('data').textContent).clips[0].at"))
    heard_at = float(await audio.evaluate("a => a.currentTime"))
    assert abs(clip_at + heard_at - await _now(page)) < 0.3, "the cursor is where the sound is"

    # An event of the journal: the sound goes there, and its line is marked.
    row = page.locator("tr[data-at]", has_text="recording.ended").first
    await audio.evaluate("a => a.pause()")
    await page.evaluate("document.getElementById('track').value = 'room'")
    early = page.locator("tr[data-at]", has_text="incident.opened")
    await early.locator("button.go").click()
    await page.wait_for_timeout(200)
    await audio.evaluate("a => a.pause()")
    assert await _now(page) < second_at, "back to the beginning"
    assert await row.count() == 1

    # Any place on the timeline: three quarters of it.
    field = await page.locator("#field").bounding_box()
    assert field
    await page.mouse.click(field["x"] + field["width"] * 0.5, field["y"] + 60)
    await page.wait_for_timeout(200)
    await audio.evaluate("a => a.pause()")
    seconds = float(await page.evaluate("JSON.parse(document.getElementById('data').textContent).seconds"))
    assert abs(await _now(page) - seconds / 2) < 0.6
    assert abs(float(await audio.evaluate("a => a.currentTime")) - (seconds / 2 - clip_at)) < 0.6

    # One leg alone: another recording, the same place.
    await page.locator("#track").select_option(index=2)
    await expect(audio).to_have_js_property("readyState", 4, timeout=3000)
    assert "leg-" in str(await audio.evaluate("a => a.src"))
    assert abs(await _now(page) - seconds / 2) < 1.0
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / "record.png", full_page=True)
    assert complaints == []
    assert all(url.startswith("file:") for url in asked), asked
    assert ready_s < 3.0 + 3.0  # the target is 3 s; the machine of the tests carries others too
    await context.close()


async def test_a_page_without_its_folder_says_what_to_do(desk: Desk, browser: Browser, tmp_path: Path) -> None:
    """As when it is opened inside the zip: only the page is unpacked."""
    _, index, _ = await _exported(desk, tmp_path)
    alone = tmp_path / "alone.html"
    alone.write_bytes(index.read_bytes())
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(alone.as_uri())
    await expect(page.locator("#trouble")).to_contain_text("先把压缩包整个解开")
    await expect(page.locator("table")).to_contain_text("leg.accepted")
    await context.close()


async def test_closed_incidents_are_reached_from_the_desk(desk: Desk) -> None:
    incident = await recorded_incident(desk.console.store, desk.console.settings.recordings_dir)
    page = await desk.window("周强")
    await page.get_by_role("link", name="已关闭的事件").click()
    await expect(page).to_have_url(desk.base + "records")
    await page.get_by_label("号码").fill("13900000012")
    await page.get_by_role("button", name="查找").click()
    row = page.locator(f"tr[data-incident='{incident}']")
    await expect(row).to_contain_text("已得到帮助")
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / "records.png")
    await row.locator("a").first.click()
    await expect(page.locator("#export")).to_be_visible()
    await expect(page.locator(".incident.closed")).to_contain_text("王秀英")
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / "closed.png")
    assert desk.complaints == []
