"""The whole system on free ports, for one test: a private Asterisk, the engine, the console, a database of its own."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from sqlalchemy import insert
from ulid import ULID

from ivr.asterisk.portable import AsteriskProgram, asterisk_command
from ivr.secrets_file import ensure_secrets
from ivr.settings import Settings
from ivr.speech.status import SpeechStatus
from ivr.store import migrate
from ivr.store.db import Store
from ivr.store.tables import contact, device, elder
from ivr.store.tx import Tx
from ivr.store.users import SqlUsers
from ivr.supervisor.render import render_asterisk
from tests.calls.harness import PortBlock, console
from tests.calls.nursery import Child, Nursery

PROMPTS = Path(__file__).parents[2] / "prompts" / "zh_CN"
DUTY = "13700000000"
SEATS = ("1001", "1002", "1003")
ADMIN_PASSWORD = "secret-of-admin"


def prompt(name: str) -> Path:
    """The audio file of a prompt, to compare with what was heard."""
    return PROMPTS / f"{name}.alaw"


_template: tuple[Path, str] | None = None
_nursery = Nursery()


async def _database(target: Path) -> str:
    """A migrated database with users, made once per test process and copied: eight argon2 hashes and the migrations
    cost more than a second. Returns the API token in it."""
    global _template
    if _template is None:
        folder = Path(tempfile.mkdtemp(prefix="yinling-template-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        url = f"sqlite+aiosqlite:///{folder}/yinling.db"
        await asyncio.to_thread(migrate.upgrade, url)
        async with Store(url, name="test") as store:
            users = SqlUsers(store)
            await users.add("admin", "admin", ADMIN_PASSWORD)
            token = await users.add_token("tests")
            for extension in SEATS:
                await users.add(extension, "agent", "pw", extension=extension, sip_secret=seat_secret(extension))
        with contextlib.closing(sqlite3.connect(folder / "yinling.db")) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        _template = (folder / "yinling.db", token)
    shutil.copy(_template[0], target)
    return _template[1]


def seat_secret(extension: str) -> str:
    return f"sip-secret-{extension}"


@dataclass
class Person:
    """An elder with the contacts that are dialled for him."""

    elder_no: str
    name: str
    phone: str
    contacts: Sequence[str] = ()
    device: str | None = None
    device_caller_id: str | None = None


@dataclass
class System:
    """`async with System(tmp_path, ports) as system:`; everything it started is gone afterwards."""

    folder: Path
    ports: PortBlock
    people: Sequence[Person] = ()
    duty_phone: str = DUTY
    with_console: bool = True
    with_speech: bool = False
    options: dict[str, str] = field(default_factory=dict)
    engine_options: dict[str, str] = field(default_factory=dict)
    """What only the engine sees: it can be sent round by a port that a test listens on."""
    clock_env: dict[str, str] = field(default_factory=dict)
    """What gives every part a wall clock that the test can step (`tests/calls/chaos/clock.py`)."""

    def __post_init__(self) -> None:
        rtp = self.ports.take_range(120)
        self.env = {
            "IVR_DATA_DIR": str(self.folder),
            "IVR_HTTP_PORT": str(self.ports.take()),
            "IVR_SIP_PORT": str(self.ports.take()),
            "IVR_AMI_PORT": str(self.ports.take()),
            "IVR_AGI_PORT": str(self.ports.take()),
            "IVR_ASTERISK_HTTP_PORT": str(self.ports.take()),
            "IVR_SPEECH_PORT": str(self.ports.take()),
            "IVR_SPEECH_WORKERS": "1",
            "IVR_TRUNK_PORT": str(self.ports.take()),
            "IVR_RTP_START": str(rtp.start),
            "IVR_RTP_END": str(rtp.stop - 1),
            "IVR_DUTY_PHONE": self.duty_phone,
            **self.options,
        }
        self.settings = Settings(**{k.removeprefix("IVR_").lower(): v for k, v in self.env.items()})
        self.processes: dict[str, asyncio.subprocess.Process | Child] = {}
        self.agents: dict[str, str] = {}
        self.token = ""
        self._program: AsteriskProgram | None = None
        self._nursery = Nursery(self.clock_env) if self.clock_env else _nursery

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "log").mkdir(exist_ok=True)
        self._program = asterisk_command(self.settings)
        ensure_secrets(self.settings.secrets_file)
        self.token = await _database(self.folder / "yinling.db")
        self.agents = {extension: seat_secret(extension) for extension in SEATS}
        async with Store(self.settings.effective_database_url, name="test", write_timeout_s=60) as store:
            await store.write(self._seed)
        await render_asterisk(self.settings, self._program)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.start_asterisk())
                group.create_task(self.start("engine"))
                if self.with_console:
                    group.create_task(self.start("console"))
                if self.with_speech:
                    group.create_task(self.start("speech"))
        except BaseException:
            await self._stop_all()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            for name in ("asterisk", "engine", "console", "speech"):
                log = self.folder / "log" / f"{name}.log"
                if log.exists():
                    error.add_note(f"--- {name}.log\n" + log.read_text(errors="replace")[-4000:])
        await self._stop_all()

    # ---- processes

    @property
    def config(self) -> Path:
        return self.settings.asterisk_dir / "etc" / "asterisk.conf"

    async def start_asterisk(self) -> None:
        assert self._program is not None
        await self._spawn("asterisk", self._program.serve(self.config))
        await self.until(lambda: self.cli("core waitfullybooted"), 20, "Asterisk")

    async def start(self, part: str, program: Sequence[str] = ()) -> None:
        """`program`: Python's arguments, in place of the part as it is shipped."""
        await self.launch(part, program)
        await self.is_up(part)

    async def launch(self, part: str, program: Sequence[str] = ()) -> None:
        """Start it, and do not wait for it."""
        if program or "PYTEST_CURRENT_TEST" not in os.environ:  # benchmarks measure what is shipped
            await self._spawn(part, [sys.executable, *(program or ["-m", "ivr.cli", part])])
        else:
            own = self.engine_options if part == "engine" else {}
            log = self.folder / "log" / f"{part}.log"
            self.processes[part] = await self._nursery.start(part, {**self.env, **own}, log)

    async def is_up(self, part: str) -> None:
        if part == "engine":
            await self.until(self._engine_is_up, 30, "engine")
        elif part == "speech":
            await self.until(lambda: self.speech().get("free_urgent"), 30, "speech")
        else:
            await self.until(self._console_is_up, 30, "console")

    async def _spawn(self, name: str, argv: Sequence[str]) -> None:
        own = self.engine_options if name == "engine" else {}
        with (self.folder / "log" / f"{name}.log").open("ab") as log:
            self.processes[name] = await asyncio.create_subprocess_exec(
                *argv, stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL,
                env={**os.environ, **self.env, **own, **self.clock_env}, start_new_session=True,
            )  # fmt: skip

    async def cli(self, command: str) -> str | None:
        """Asterisk's answer to a CLI command; None while it is not there."""
        return await console.ask(self.settings.asterisk_dir / "run" / "asterisk.ctl", command)

    def _engine_is_up(self) -> bool:
        status = self.engine_status()
        return status.get("pid") == self.processes["engine"].pid and status.get("ami") == "up"

    def engine_status(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.folder / "run" / "engine.json").read_text()))
        except (OSError, ValueError):
            return {}

    def speech(self) -> dict[str, Any]:
        """What the speech workers say of themselves; empty when they do not."""
        return SpeechStatus(self.folder).read()

    def speech_worker(self, number: int = 1) -> int:
        """Its process id."""
        return int(self.speech()["workers"][f"worker-{number}"]["pid"])

    async def _console_is_up(self) -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            async with aiohttp.ClientSession() as http, http.get(self.url("/health")) as reply:
                return reply.status in (200, 503)
        return False

    async def kill(self, name: str) -> None:
        """kill -9, as the kernel or an impatient person would."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    def freeze(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGCONT)

    async def _stop_all(self) -> None:
        for name in ("console", "engine", "speech", "asterisk"):
            process = self.processes.pop(name, None)
            if process is None:
                continue
            if name == "asterisk":
                await self.cli("core stop now")
            else:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                    process.terminate()
            try:
                async with asyncio.timeout(5):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()

    # ---- what it says

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.settings.http_port}/api/v1{path}"

    async def api(self, method: str, path: str, body: object = None, *, status: int | None = None) -> Any:
        """One API call with our token; asserts the status when one is given."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.request(method, self.url(path), json=body) as reply,
        ):
            data = await reply.json()
            if status is not None:
                assert reply.status == status, (reply.status, data)
            return data

    async def incidents(self) -> list[dict[str, Any]]:
        """Open incidents, whole."""
        listed = await self.api("GET", "/incidents?state=open", status=200)
        return [await self.api("GET", f"/incidents/{item['id']}", status=200) for item in listed["items"]]

    async def close_all(self) -> None:
        for incident in await self.incidents():
            body = {"by": "测试", "outcome": "test", "reason": "测试到此结束了"}
            await self.api("POST", f"/incidents/{incident['id']}/close", body, status=200)

    async def sql(self, statement: str, *values: object) -> None:
        """What no interface of ours does: a fact of the elder's file changed under a living system."""
        with contextlib.closing(sqlite3.connect(self.folder / "yinling.db")) as db, db:
            db.execute(statement, values)

    async def until(self, look: Any, within: float, what: str) -> Any:
        """Poll a plain or async function until it gives something true."""
        deadline = time.monotonic() + within
        while True:
            found = look()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            assert time.monotonic() < deadline, f"not within {within} s: {what}"
            await asyncio.sleep(0.05)

    async def leg(self, role: str, phone: str, state: str, within: float = 10.0) -> dict[str, Any]:
        """The leg of the only open incident, once it has this state (or, as `ended/busy`, state and outcome)."""
        wanted, _, outcome = state.partition("/")

        async def look() -> dict[str, Any] | None:
            for incident in await self.incidents():
                for one in incident["legs"]:
                    if (one["role"], one["phone"], one["state"]) == (role, phone, wanted) and (
                        not outcome or one["outcome"] == outcome
                    ):
                        return dict(one)
            return None

        return dict(await self.until(look, within, f"{role} {phone} {state}"))

    async def in_room(self, people: int, within: float = 15.0) -> None:
        """Until Asterisk's only conference room holds that many: they have heard their short word and can talk."""

        async def look() -> bool:
            rows = (await self.cli("confbridge list") or "").splitlines()
            return any(row.split()[1:2] == [str(people)] for row in rows)

        await self.until(look, within, f"{people} in the room")

    async def ready(self, *extensions: str) -> None:
        """Seats set ready through the API, and known to be idle by Asterisk."""
        for extension in extensions:
            await self.api("POST", f"/agents/{extension}/state", {"state": "ready"}, status=200)

        async def idle() -> bool:
            members = await self.cli("queue show hotline") or ""
            devices = self.engine_status().get("devices", {})
            return all(devices.get(e) == "idle" and f"PJSIP/{e}" in members for e in extensions)

        await self.until(idle, 10, f"seats {extensions} idle")

    async def left_behind(self) -> list[str]:
        """Channels, bridges and spool files that are still there; waits a moment for the last hang-ups."""

        async def nothing() -> bool:
            return not await self._remains()

        with contextlib.suppress(AssertionError):
            await self.until(nothing, 5, "quiet")
        return await self._remains()

    async def _remains(self) -> list[str]:
        found = []
        channels = await self.cli("core show channels count") or ""
        if "0 active channels" not in channels:
            found.append((await self.cli("core show channels concise") or "").strip())
        bridges = (await self.cli("bridge show all") or "").strip().splitlines()
        if len(bridges) > 1:
            found.append("\n".join(bridges))
        found += [str(path) for path in self.settings.spool_dir.glob("*")]
        return found

    def _seed(self, tx: Tx) -> None:
        for person in self.people:
            tx.conn.execute(
                insert(elder).values(
                    elder_no=person.elder_no, name=person.name, phone=person.phone, consent_outbound=True
                )
            )
            for priority, number in enumerate(person.contacts, 1):
                tx.conn.execute(
                    insert(contact).values(
                        id=str(ULID()), elder_no=person.elder_no, name=f"亲属{priority}", relation="子女",
                        phone=number, priority=priority,
                    )
                )  # fmt: skip
            if person.device:
                tx.conn.execute(
                    insert(device).values(
                        device_id=person.device, kind="pendant", elder_no=person.elder_no,
                        caller_id=person.device_caller_id,
                    )
                )  # fmt: skip
