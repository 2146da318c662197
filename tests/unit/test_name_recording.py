"""Names are recorded in the order of need, once, and forgotten with the person; nothing of it hurts a call."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from ivr.domain.people import Person
from ivr.services.ports import StoreUnavailable
from ivr.settings import Settings
from ivr.voice import renderer as rendering
from ivr.voice.library import Library
from ivr.voice.renderer import Renderer
from ivr.voicing import read_progress
from tests.doubles.named_people import ALONE, BOTH, DEVICE, FAMILY, NAMELESS, People, Reader, name_of
from tests.doubles.patience import until


@pytest.fixture(autouse=True)
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "KEEP_FREE", 0)
    monkeypatch.setattr(rendering, "PAGE", 2)


def make(tmp_path: Path, people: People, reader: Reader, *, addresses: bool = True) -> Renderer:
    status = tmp_path / "run" / "voice.json"
    return Renderer(Library(tmp_path / "spoken"), people, reader, status, addresses=addresses, share=1.0)


async def test_the_most_urgent_are_recorded_first_and_only_once(tmp_path: Path) -> None:
    people, reader = People(ALONE, FAMILY, DEVICE, BOTH, NAMELESS), Reader()
    assert await make(tmp_path, people, reader).once()
    assert reader.said == ["张设备", "赵都有", "李家人", "火路，三号", "王独"]
    again = make(tmp_path, people, reader)
    assert await again.once()
    assert len(reader.asked) == 5, "nothing is made twice, also by another process"
    said = json.loads((tmp_path / "run" / "voice.json").read_text())
    assert (said["state"], said["wanted"], said["made"], said["unspeakable"]) == ("idle", 5, 5, 1)
    assert read_progress(Settings(data_dir=tmp_path)) == again.progress


async def test_without_a_duty_phone_no_address_is_recorded(tmp_path: Path) -> None:
    reader = Reader()
    await make(tmp_path, People(DEVICE), reader, addresses=False).once()
    assert reader.said == ["张设备"]


async def test_it_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    people, reader = People(FAMILY, DEVICE, ALONE), Reader()
    reader.dies_at = "李家人"
    assert not await make(tmp_path, people, reader, addresses=False).once()
    assert json.loads((tmp_path / "run" / "voice.json").read_text())["state"] == "no_voice"
    assert await make(tmp_path, people, reader, addresses=False).once()
    assert reader.said == ["张设备", "李家人", "李家人", "王独"]


async def test_who_is_gone_or_renamed_is_heard_no_more(tmp_path: Path) -> None:
    people, reader = People(FAMILY, DEVICE), Reader()
    renderer = make(tmp_path, people, reader, addresses=False)
    await renderer.once()
    joined = tmp_path / "spoken" / "now" / f"{renderer.library.path(name_of('李家人')).stem}-family-alarm.alaw"
    joined.parent.mkdir()
    joined.write_bytes(b"joined")
    people.people = [Person("3", "张新名", None, has_device=True)]
    await renderer.once()
    assert list((tmp_path / "spoken").rglob("*.alaw")) == [renderer.library.path(name_of("张新名"))]
    assert renderer.library.find(name_of("李家人")) is None


async def test_a_database_that_is_gone_removes_nobody(tmp_path: Path) -> None:
    people, reader = People(FAMILY), Reader()
    renderer = make(tmp_path, people, reader)
    await renderer.once()
    people.fails = StoreUnavailable("locked")
    assert not await renderer.once()
    assert renderer.progress.state == "no_database"
    assert renderer.library.find(name_of("李家人"))


async def test_what_cannot_be_said_is_passed_over_and_not_tried_for_ever(tmp_path: Path) -> None:
    people, reader = People(FAMILY, DEVICE), Reader()
    reader.refuses = {"张设备"}
    renderer = make(tmp_path, people, reader, addresses=False)
    assert await renderer.once()
    assert await renderer.once()
    assert reader.said == ["张设备", "李家人"]
    assert renderer.progress.unspeakable == 1


async def test_somebody_new_with_a_device_goes_before_those_who_wait(tmp_path: Path) -> None:
    people, reader = People(ALONE, FAMILY), Reader()
    renderer = make(tmp_path, people, reader, addresses=False)

    def arrives() -> None:
        people.people.append(DEVICE)
        renderer.wake()

    reader.on_say["李家人"] = arrives
    assert await renderer.once()
    assert reader.said == ["李家人", "张设备", "王独"]


async def test_a_full_disk_stops_it_before_it_hurts_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "KEEP_FREE", 10**18)
    reader = Reader()
    renderer = make(tmp_path, People(FAMILY), reader)
    assert not await renderer.once()
    assert (renderer.progress.state, reader.said) == ("disk_full", [])


async def test_between_two_names_it_rests_as_long_as_it_worked(tmp_path: Path) -> None:
    class Slow(Reader):
        async def say(self, text: str) -> bytes:
            await asyncio.sleep(0.1)
            return await super().say(text)

    renderer = make(tmp_path, People(FAMILY, DEVICE), Slow(), addresses=False)
    renderer.share = 0.5
    began = time.monotonic()
    await renderer.once()
    assert time.monotonic() - began >= 0.39


async def test_it_looks_again_when_people_change_and_gives_its_memory_back(tmp_path: Path) -> None:
    people, reader = People(FAMILY), Reader()
    renderer = make(tmp_path, people, reader, addresses=False)
    task = asyncio.create_task(renderer.run())
    await until(lambda: reader.rested == 1)
    people.people.append(DEVICE)
    renderer.wake()
    await until(lambda: reader.rested == 2)
    task.cancel()
    assert reader.said == ["李家人", "张设备"]
