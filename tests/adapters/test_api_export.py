"""The record of an incident is given to those who answer for it, whole, and it is written down who took it."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text, update

from agent_console.export.take import NoIncident, export_to
from ivr.domain.chain import Content, genesis, link_hash
from ivr.store.incidents import SqlIncidents
from ivr.store.tables import incident
from tests.adapters.api_stage import Stage, stage
from tests.doubles.recorded_incident import recorded_incident


@pytest_asyncio.fixture
async def console(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        yield made


async def _recorded(console: Stage, **more: Any) -> str:
    return await recorded_incident(console.store, console.settings.recordings_dir, **more)


async def _taken(console: Stage, incident_id: str, by: str = "周强") -> tuple[zipfile.ZipFile, str]:
    """The archive and the folder in it."""
    console.client.session.cookie_jar.clear()
    await console.log_in(by)
    async with console.client.get(f"/api/v1/incidents/{incident_id}/export") as response:
        assert response.status == 200, await response.text()
        assert f"incident-{incident_id}.zip" in response.headers["Content-Disposition"]
        archive = zipfile.ZipFile(io.BytesIO(await response.read()))
    assert archive.testzip() is None
    return archive, f"incident-{incident_id}/"


async def test_the_archive_holds_page_audio_journal_and_hashes(console: Stage) -> None:
    one = await _recorded(console)
    archive, folder = await _taken(console, one)
    names = {name.removeprefix(folder) for name in archive.namelist()}
    assert {
        "index.html",
        "events.json",
        "SHA256SUMS",
        "audio/room-1795327324.wav",
        "audio/leg-1795327321.0-1.wav",
    } <= names
    assert len(names) == 6
    for line in archive.read(folder + "SHA256SUMS").decode().splitlines():
        digest, _, name = line.partition("  ")
        assert hashlib.sha256(archive.read(folder + name)).hexdigest() == digest
    page = archive.read(folder + "index.html").decode()
    assert "王秀英" in page
    assert "记录链完整" in page
    assert 'class="clip "' in page


async def test_whoever_has_the_archive_can_check_the_chain(console: Stage) -> None:
    one = await _recorded(console)
    archive, folder = await _taken(console, one)
    told = json.loads(archive.read(folder + "events.json"))
    before = genesis(one, told["chain"]["after"])
    for number, event in enumerate(told["events"], 1):
        fields = {name: event[name] for name in ("leg_id", "call_id", "ticket_no", "extension", "data")}
        before = link_hash(before, number, Content(event["kind"], datetime.fromisoformat(event["at"]), one, **fields))
        assert event["hash"] == before
    assert told["chain"]["head"] == before
    ended = [event["data"] for event in told["events"] if event["kind"] == "recording.ended"]
    assert len(ended) == 3
    for data in ended:
        audio = archive.read(folder + "audio/" + data["file"].partition("/")[2])
        assert hashlib.sha256(audio).hexdigest() == data["sha256"]


async def test_who_took_it_is_in_the_journal_and_in_what_he_took(console: Stage) -> None:
    one = await _recorded(console)
    archive, folder = await _taken(console, one)
    (event,) = await console.events("incident.exported")
    assert (event["incident_id"], event["by"]) == (one, "周强")
    assert json.loads(archive.read(folder + "events.json"))["events"][-1]["kind"] == "incident.exported"


@pytest.mark.parametrize(("name", "status"), [("李娜", 403), ("吴审", 200), ("周强", 200)])
async def test_only_those_who_answer_for_it_may_take_it(console: Stage, name: str, status: int) -> None:
    one = await _recorded(console)
    await console.log_in(name)
    async with console.client.get(f"/api/v1/incidents/{one}/export") as response:
        assert response.status == status
    async with console.client.get("/records") as response:
        assert response.status == status
    async with console.client.get("/") as response:
        assert ('href="/records"' in await response.text()) == (status == 200)
    async with console.client.get(f"/incidents/{one}") as response:
        assert ('id="export"' in await response.text()) == (status == 200)
    assert len(await console.events("incident.exported")) == (1 if status == 200 else 0)


async def test_a_machine_with_a_token_and_a_stranger_get_nothing(console: Stage) -> None:
    one = await _recorded(console)
    assert (await console.ask("GET", f"/incidents/{one}/export"))[0] == 403
    assert (await console.ask("GET", f"/incidents/{one}/export", headers={}))[0] == 401
    assert await console.events("incident.exported") == []


async def test_an_auditors_copy_has_masked_numbers(console: Stage) -> None:
    one = await _recorded(console)
    archive, folder = await _taken(console, one, "吴审")
    everything = archive.read(folder + "index.html") + archive.read(folder + "events.json")
    assert b"13900000012" not in everything
    assert b"139****0012" in everything
    archive, folder = await _taken(console, one, "周强")
    assert b"13900000012" in archive.read(folder + "index.html")


async def test_what_people_wrote_cannot_become_markup_or_script(console: Stage) -> None:
    one = await _recorded(console, note="x")
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"

    await console.store.write(lambda tx: tx.conn.execute(update(incident).values(reason=evil, closed_by=evil)))
    await console.store.write(lambda tx: tx.conn.execute(text("UPDATE leg SET name = :evil"), {"evil": evil}))
    await console.store.write(lambda tx: tx.event("leg.ringing", incident_id=one, why=evil, by='"><svg onload=x>'))
    archive, folder = await _taken(console, one)
    page = archive.read(folder + "index.html").decode()
    assert page.count("<script") == 2, "the data and the player"
    assert "<img" not in page
    assert "<svg" not in page
    assert "&lt;/script&gt;" in page
    policy = re.search(r"script-src 'sha256-([^']+)'", page)
    assert policy, "no other script may run"
    assert "http:" not in page
    assert "https:" not in page


async def test_a_broken_chain_and_changed_audio_are_said_on_the_page(console: Stage) -> None:
    one = await _recorded(console)
    room = next((console.settings.recordings_dir / one).glob("room-*"))
    room.write_bytes(room.read_bytes()[:-2] + b"\1\1")
    next((console.settings.recordings_dir / one).glob("leg-01*")).unlink()
    await console.store.write(
        lambda tx: tx.conn.execute(text("UPDATE event SET kind = 'leg.accepted' WHERE kind = 'leg.ringing'"))
    )
    archive, folder = await _taken(console, one)
    page = archive.read(folder + "index.html").decode()
    assert "记录链不完整" in page
    assert 'class="clip altered"' in page
    assert 'class="clip missing"' in page
    assert json.loads(archive.read(folder + "events.json"))["chain"]["fault"] == "changed"


async def test_unknown_incident_is_not_found(console: Stage) -> None:
    await console.log_in("周强")
    async with console.client.get("/api/v1/incidents/01HZZZZZZZZZZZZZZZZZZZZZZZ/export") as response:
        assert response.status == 404
    assert await console.events("incident.exported") == []


async def test_the_shell_gives_the_same_archive_and_writes_nothing_over(console: Stage, tmp_path: Path) -> None:
    one = await _recorded(console)
    target = tmp_path / "out.zip"
    await export_to(console.settings, one, target, by="root")
    assert {Path(name).name for name in zipfile.ZipFile(target).namelist()} >= {"index.html", "events.json"}
    (event,) = await console.events("incident.exported")
    assert event["by"] == "ivr audit (root)"
    with pytest.raises(FileExistsError):
        await export_to(console.settings, one, target, by="root")
    with pytest.raises(NoIncident):
        await export_to(console.settings, "01HZZZZZZZZZZZZZZZZZZZZZZZ", tmp_path / "none.zip", by="root")
    assert not (tmp_path / "none.zip").exists()
    assert len(await console.events("incident.exported")) == 1


async def test_closed_incidents_are_found_by_day_and_by_any_number_in_them(console: Stage) -> None:
    one = await _recorded(console)
    other = await console.alarm(phone="18800001111")
    await SqlIncidents(console.store).close(other, by="周强", outcome="false_alarm", reason="误按")
    still_open = await console.alarm(elder_no="E002")
    await console.log_in("周强")

    async def found(**query: str) -> set[str]:
        async with console.client.get("/records", params=query) as response:
            page = await response.text()
            assert response.status == 200, page
            return set(re.findall(r'data-incident="(\w+)"', page))

    today = datetime.now().astimezone().date()
    assert await found() == {one, other}
    assert await found(day=str(today)) == {one, other}
    assert await found(day=str(today - timedelta(days=1))) == set()
    for number in ("02155550001", "13800000001", "13900000012", "E001", one.lower()):
        assert await found(number=number) == {one}, number
    assert await found(number="188 0000 1111") == {other}
    assert await found(number=still_open) == set(), "open ones are on the desk"
    assert await found(number="%") == set()
    async with console.client.get("/records", params={"day": "yesterday"}) as response:
        assert response.status == 422
        assert 'role="alert"' in await response.text()


async def test_the_list_goes_on_by_pages(console: Stage) -> None:
    for _ in range(3):
        closing = await console.alarm(phone="18800001111")
        await SqlIncidents(console.store).close(closing, by="周强", outcome="test", reason="r")
    await console.log_in("周强")
    first = await (await console.client.get("/records", params={"limit": "2", "number": "18800001111"})).text()
    following = re.search(r'href="(/records\?cursor=[^"]+)"', first)
    assert following
    second = await (await console.client.get(following[1].replace("&amp;", "&"))).text()
    ids = [re.findall(r'data-incident="(\w+)"', page) for page in (first, second)]
    assert [len(page) for page in ids] == [2, 1]
    assert not set(ids[0]) & set(ids[1])
