"""A console on a real store in a temporary SQLite file, with a few people in it. Used by API and browser tests."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import FormData
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import Connection, insert
from ulid import ULID

from agent_console.main import MAX_BODY, build_app
from ivr.settings import Settings
from ivr.store.db import Store
from ivr.store.migrate import upgrade
from ivr.store.tables import contact, device, elder, worker
from ivr.store.tx import Tx
from ivr.store.users import SqlUsers

PASSWORD = "correct horse"
USERS = (("李娜", "agent", "1001"), ("赵敏", "agent", "1002"), ("周强", "supervisor", None), ("吴审", "auditor", None))
TOKEN_FILE = "token"

__all__ = ["MAX_BODY", "PASSWORD", "Stage", "stage"]


@dataclass
class Stage:
    client: TestClient[Any, Any]
    store: Store
    settings: Settings
    token: str
    engine: dict[str, Any] | None = None

    async def ask(self, method: str, path: str, body: Any = None, **kwargs: Any) -> tuple[int, Any]:
        """With the token, unless `headers` are given."""
        kwargs.setdefault("headers", {"Authorization": f"Bearer {self.token}"})
        if body is not None:
            kwargs["json"] = body
        async with self.client.request(method, f"/api/v1{path}", **kwargs) as response:
            text = await response.text()
            return response.status, json.loads(text) if "json" in response.content_type else text

    async def get(self, path: str, **kwargs: Any) -> Any:
        status, answer = await self.ask("GET", path, **kwargs)
        assert status == 200, answer
        return answer

    async def alarm(self, **fields: Any) -> str:
        body = {"source": "pendant", "kind": "press", **fields}
        status, answer = await self.ask("POST", "/alarms", body)
        assert status in (200, 201), answer
        return str(answer["incident_id"])

    async def log_in(self, name: str, password: str = PASSWORD) -> str:
        """Leaves the session cookie in the client; returns the CSRF token."""
        page = await (await self.client.get("/login")).text()
        form = FormData({"name": name, "password": password, "csrf": _csrf(page)})
        async with self.client.post("/login", data=form, allow_redirects=False) as response:
            assert response.status == 303, await response.text()
        return _csrf(await (await self.client.get("/")).text())

    async def events(self, kind: str) -> list[Any]:
        found = await self.get("/events", params={"limit": 1000})
        return [event for event in found["items"] if event["kind"] == kind]

    def engine_says(
        self, *, ami: str = "up", devices: dict[str, str] | None = None, at: datetime | None = None
    ) -> None:
        """With `at` once, as an engine that died then; else again and again while `engine_lives` runs."""
        says: dict[str, Any] = {"pid": os.getpid(), "ami": ami, "devices": devices or {}}
        self.engine = None if at else says
        self._write("engine.json", {**says, "at": (at or datetime.now(UTC)).isoformat()})

    async def engine_lives(self) -> None:
        """Until cancelled: the file grows old in 5 s, and a browser test on a busy machine takes longer."""
        while True:
            await asyncio.sleep(1)
            if self.engine is not None:
                self._write("engine.json", {**self.engine, "at": datetime.now(UTC).isoformat()})

    def supervisor_says(self, **parts: dict[str, Any]) -> None:
        self._write("parts.json", parts)

    def _write(self, name: str, data: object) -> None:
        path = self.settings.data_dir / "run" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(data))
        os.replace(fresh, path)


@asynccontextmanager
async def stage(folder: Path, **settings: Any) -> AsyncIterator[Stage]:
    template = await asyncio.to_thread(_template)
    data_dir = folder / "data"
    shutil.copytree(template, data_dir)
    made = Settings(data_dir=data_dir, **settings)
    async with (
        Store(made.effective_database_url, name="console") as store,
        TestClient(TestServer(build_app(made, store))) as client,
    ):
        yield Stage(client, store, made, (data_dir / TOKEN_FILE).read_text())


def _csrf(page: str) -> str:
    return page.split('name="csrf" value="')[1].split('"')[0]


_lock = threading.Lock()


def _template() -> Path:
    with _lock:
        return _build_template()


@cache
def _build_template() -> Path:
    """Migrated and peopled once for all tests; password hashes are slow on purpose."""
    folder = Path(tempfile.mkdtemp(prefix="yinling-console-"))
    url = Settings(data_dir=folder).effective_database_url
    upgrade(url)
    asyncio.run(_people(url, folder))
    return folder


async def _people(url: str, folder: Path) -> None:
    async with Store(url) as store:
        users = SqlUsers(store)
        for name, role, extension in USERS:
            await users.add(name, role, PASSWORD, extension=extension, sip_secret="s")
        (folder / TOKEN_FILE).write_text(await users.add_token("platform"))
        await store.write(lambda tx: _rows(tx))


def _rows(tx: Tx) -> None:
    add_elder(tx.conn, "E001", "王秀英", phone="02155550001", mobile="13800000001")
    add_elder(tx.conn, "E002", "刘德山", phone="02155550002")
    add_elder(tx.conn, "E003", "刘桂芳", phone="02155550002")
    for place, (name, relation, phone) in enumerate(
        [("王建国", "儿子", "13900000011"), ("王丽华", "女儿", "13900000012"), ("孙阿姨", "邻居", "13900000013")], 1
    ):
        tx.conn.execute(
            insert(contact).values(
                id=str(ULID()), elder_no="E001", name=name, relation=relation, phone=phone, priority=place
            )
        )
    tx.conn.execute(insert(device).values(device_id="P-100", kind="pendant", elder_no="E001", caller_id="13700000001"))
    tx.conn.execute(insert(worker).values(worker_no="W1", name="陈护理", phone="13600000001"))


def add_elder(conn: Connection, elder_no: str, name: str, **more: Any) -> None:
    conn.execute(
        insert(elder).values(
            elder_no=elder_no,
            name=name,
            sex="女" if elder_no != "E002" else "男",
            birth_date=date(1944, 3, 8),
            address="静安区延平路 123 弄 4 号楼 501 室",
            district="静安区",
            medical="冠心病，2019 年支架；每日阿司匹林 100 mg；青霉素过敏",
            notes="听力弱，请大声慢说；备用钥匙在 502 室",
            dialect="上海话",
            consent_outbound=True,
            **more,
        )
    )
