"""A browser, and a console for it on a free port."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from ivr.asterisk.portable import chromium_command
from ivr.settings import Settings
from tests.adapters.api_stage import PASSWORD, Stage, stage

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE = {"width": 1280, "height": 800}


@pytest_asyncio.fixture(loop_scope="session")
async def console(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        made.engine_says()
        life = asyncio.create_task(made.engine_lives())
        yield made
        life.cancel()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    argv, env = await asyncio.to_thread(chromium_command, Settings())
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(
            executable_path=argv[0], args=[*argv[1:], *FLAGS], env={**os.environ, **env}, chromium_sandbox=False
        )
        yield made
        await made.close()


class Desk:
    """Windows of this console; every message of a page's script console is kept."""

    def __init__(self, browser: Browser, console: Stage) -> None:
        self._browser = browser
        self.console = console
        self.base = str(console.client.make_url("/"))
        self.complaints: list[str] = []
        self._contexts: list[BrowserContext] = []

    async def close(self) -> None:
        for context in self._contexts:
            await context.close()

    async def window(self, name: str = "李娜", *, context: BrowserContext | None = None, path: str = "") -> Page:
        """A logged-in window; with `context` a second one of the same person."""
        fresh = context is None
        context = context or await self._browser.new_context(viewport=WIDE, locale="zh-CN")  # type: ignore[arg-type]
        self._contexts.append(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if "Content Security" in said.text else None)
        await page.goto(self.base)
        if fresh:
            await page.get_by_label("用户名").fill(name)
            await page.get_by_label("密码").fill(PASSWORD)
            await page.get_by_role("button", name="登录").click()
            await page.wait_for_selector("#desk")
        if path:
            await page.goto(self.base.rstrip("/") + path)
        await page.wait_for_selector("#beat [data-now]", state="attached")  # the live stream is open
        return page


@pytest_asyncio.fixture(loop_scope="session")
async def desk(browser: Browser, console: Stage) -> AsyncIterator[Desk]:
    made = Desk(browser, console)
    yield made
    await made.close()
