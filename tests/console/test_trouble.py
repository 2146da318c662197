"""When something is broken the screen says so, and mends itself."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, expect

from agent_console.keys import HUB
from agent_console.main import build_app
from tests.adapters.api_stage import Stage, stage
from tests.console.conftest import Desk

pytestmark = pytest.mark.asyncio(loop_scope="session")  # one browser for all


async def test_dead_engine_is_said_and_its_return_too(desk: Desk) -> None:
    desk.console.supervisor_says(asterisk={"pid": os.getpid(), "state": "ready", "since": "", "restarts": 0})
    page = await desk.window()
    await expect(page.locator(".banner.down")).to_have_count(0)
    desk.console.engine_says(at=datetime.now(UTC) - timedelta(seconds=9))
    await expect(page.locator(".banner.down")).to_contain_text("电话引擎中断，来电由值班电话接听", timeout=3000)
    desk.console.engine_says()
    await expect(page.locator(".banner.down")).to_have_count(0, timeout=3000)
    desk.console.supervisor_says()
    desk.console.engine_says(ami="down")
    await expect(page.locator(".banner.down")).to_contain_text("Asterisk", timeout=3000)


async def test_without_a_speech_model_the_screen_says_keys_and_people(desk: Desk) -> None:
    ready = {"pid": os.getpid(), "state": "ready", "since": "", "restarts": 0}
    desk.console.supervisor_says(asterisk=ready, engine=ready)
    desk.console.engine_says()
    page = await desk.window()
    await expect(page.locator(".deaf")).to_contain_text("来电用按键和人工", timeout=3000)
    desk.console.supervisor_says(asterisk=ready, engine=ready, speech={**ready, "state": "failed"})
    await expect(page.locator(".deaf")).to_have_count(0, timeout=3000)
    await expect(page.locator(".banner.warn", has_text="语音识别没有运行")).to_be_visible()


async def test_cut_stream_is_said_and_mended_with_what_was_missed(browser: Browser, tmp_path: Path) -> None:
    """The console process ends and comes back on the same port; the window was never touched."""
    async with stage(tmp_path) as other:
        other.engine_says()
        runner, port = await _serve(other, 0)
        window = Desk(browser, other)
        window.base = f"http://127.0.0.1:{port}/"
        page = await window.window()
        await page.evaluate("window.stayed = true")
        await runner.cleanup()
        await expect(page.locator("#stale")).to_contain_text("画面已停止更新（自", timeout=5000)
        await other.alarm(device_id="P-100")
        assert await page.locator(".card").count() == 0
        runner, _ = await _serve(other, port)
        await expect(page.locator("#stale")).to_be_hidden(timeout=8000)
        await expect(page.locator(".card.unattended")).to_contain_text("王秀英")
        assert await page.evaluate("window.stayed")
        await window.close()
        await runner.cleanup()


async def test_silent_stream_is_said_although_the_connection_stands(desk: Desk) -> None:
    page = await desk.window()
    hub: Any = desk.console.client.app[HUB]
    hub._checked_at = -1e9
    hub._render.check = _fails
    await expect(page.locator("#stale")).to_be_visible(timeout=15000)


async def test_ended_session_leads_to_the_log_in(desk: Desk) -> None:
    page = await desk.window()
    other = await page.context.new_page()
    await other.goto(desk.base)
    await other.get_by_role("button", name="退出").click()
    await page.bring_to_front()
    await page.locator("#own-ready").click()
    await expect(page).to_have_url(desk.base + "login", timeout=5000)


async def _fails() -> tuple[int, set[str]]:
    raise OSError("the database is away")


async def _serve(other: Stage, port: int) -> tuple[web.AppRunner, int]:
    runner = web.AppRunner(build_app(other.settings, other.store), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    for _ in range(50):
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            break
        except OSError:
            await asyncio.sleep(0.1)
    return runner, runner.addresses[0][1]
