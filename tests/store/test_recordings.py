"""Recordings are put on record once, whenever they are found, and leave when their time is over."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivr.domain.incident import ArrivedCall, NewAlarm, Outcome
from ivr.record.shelf import Shelf
from ivr.record.verify import verify
from ivr.record.watch import RecordingWatch
from ivr.store.audit import SqlChains
from ivr.store.db import Store
from ivr.store.incidents import SqlIncidents
from ivr.store.journal import Event, Journal
from ivr.store.legs import SqlLegs
from ivr.store.recordings import SqlRecordings
from tests.doubles.recorded_incident import DEMO, write_wav

pytestmark = pytest.mark.usefixtures("town")
CHANNEL = "1795327321.0"
CRY = DEMO / "elder_press.alaw"


async def _room(store: Store) -> str:
    call = ArrivedCall("node1", CHANNEL, CHANNEL, "12349120", "02155500001")
    alarm = NewAlarm(source="call", kind="emergency_call", elder_no="E1", phone="02155500001", call=call)
    return (await SqlIncidents(store).raise_alarm(alarm)).incident_id


def _watch(store: Store, root: Path, *, keep_days: int = 180, later: timedelta = timedelta()) -> RecordingWatch:
    return RecordingWatch(
        Shelf(root), SqlRecordings(store, "node1"), keep_days, clock=lambda: datetime.now(UTC) + later
    )


async def _told(store: Store, room: str) -> list[Event]:
    return [one for one in await Journal(store).after(0, incident_id=room) if one.kind.startswith("recording.")]


async def _close(store: Store, room: str) -> None:
    await SqlIncidents(store).close(room, by="李娜", outcome="test", reason="r")


def test_a_room_s_recording_that_lies_beside_is_put_into_its_folder(tmp_path: Path) -> None:
    room = "01HZZZZZZZZZZZZZZZZZZZZZZZ"
    write_wav(tmp_path / f"confbridge-{room}-1795327324.wav", CRY)
    stranger = tmp_path / "confbridge-hall-1795327324.wav"
    stranger.write_bytes(b"none of ours")
    shelf = Shelf(tmp_path)
    assert shelf.rooms() == [room]
    assert [one.file for one in shelf.look([room])] == [f"{room}/room-1795327324.wav"]
    assert stranger.exists()
    write_wav(tmp_path / f"confbridge-{room}-1795327324.wav", None)
    shelf.put_away()
    assert (tmp_path / f"confbridge-{room}-1795327324.wav").exists(), "never over another"


async def test_a_recording_begins_goes_on_and_ends_once(store: Store, tmp_path: Path) -> None:
    room, watch = await _room(store), _watch(store, tmp_path)
    file = tmp_path / room / f"leg-{CHANNEL}-1.wav"
    write_wav(file, CRY, closed=False)
    await watch.look([room])
    await watch.look([room])
    (begun,) = await _told(store, room)
    assert (begun.kind, begun.data) == ("recording.started", {"file": f"{room}/{file.name}"})
    assert begun.leg_id is not None, "it is the elder's line"
    assert await SqlRecordings(store, "node1").live_rooms() == {room}
    write_wav(file, CRY)
    os.utime(file, (1_700_000_000, 1_700_000_000))
    await watch.look([room])
    await watch.look([room])
    _, ended = await _told(store, room)
    assert ended.kind == "recording.ended"
    assert ended.leg_id == begun.leg_id
    assert ended.data["seconds"] == 8.0
    assert ended.data["sha256"] == Shelf(tmp_path).sha256(f"{room}/{file.name}")
    assert datetime.fromisoformat(ended.data["began_at"]).timestamp() == 1_700_000_000 - 8
    assert await SqlRecordings(store, "node1").live_rooms() == set()


async def test_one_that_began_and_ended_with_the_engine_down_is_found_whole(store: Store, tmp_path: Path) -> None:
    room = await _room(store)
    write_wav(tmp_path / room / "room-1795327324.wav", CRY)
    await _watch(store, tmp_path).look(Shelf(tmp_path).rooms())
    begun, ended = await _told(store, room)
    assert (begun.kind, ended.kind) == ("recording.started", "recording.ended")
    assert begun.leg_id is None
    assert ended.leg_id is None, "the room is nobody's leg"


async def test_one_that_asterisk_did_not_close_is_mended_and_says_so(store: Store, tmp_path: Path) -> None:
    room = await _room(store)
    file = tmp_path / room / f"leg-{CHANNEL}-1.wav"
    write_wav(file, CRY, closed=False)
    await _watch(store, tmp_path, later=timedelta(seconds=9)).look([room])
    assert len(await _told(store, room)) == 1, "it may still be growing"
    long_ago = time.time() - 60
    os.utime(file, (long_ago, long_ago))
    await _watch(store, tmp_path).look([room])
    assert len(await _told(store, room)) == 1, "somebody is still there: Asterisk has it open"
    await SqlLegs(store, "node1", "engine").ended(CHANNEL, Outcome.LOST, torn=True)
    await _watch(store, tmp_path).look([room])
    _, ended = await _told(store, room)
    assert ended.data["torn"] is True
    whole = tmp_path / "whole.wav"
    write_wav(whole, CRY)
    assert file.read_bytes() == whole.read_bytes(), "every player can open it"
    assert ended.data["sha256"] == Shelf(tmp_path).sha256(f"{room}/{file.name}")


async def test_what_is_not_ours_is_left_alone(store: Store, tmp_path: Path) -> None:
    room = await _room(store)
    write_wav(tmp_path / room / "王秀英.wav", CRY)
    write_wav(tmp_path / room / "leg-..-1.wav.tmp", CRY)
    write_wav(tmp_path / "01HZZZZZZZZZZZZZZZZZZZZZZZ" / "room-1.wav", CRY)
    (tmp_path / "a file").write_text("x")
    await _watch(store, tmp_path).look(Shelf(tmp_path).rooms())
    assert await _told(store, room) == []
    assert len(list(tmp_path.rglob("*.wav*"))) == 3
    with pytest.raises(ValueError, match="not the name"):
        Shelf(tmp_path).path("../../etc/passwd")


async def test_its_time_is_over_only_once_the_incident_is_closed_and_the_record_stays_whole(
    store: Store, tmp_path: Path
) -> None:
    room = await _room(store)
    file = tmp_path / room / "room-1.wav"
    write_wav(file, CRY)
    await _watch(store, tmp_path).look([room])
    after = timedelta(days=31)
    await _watch(store, tmp_path, keep_days=30, later=after).clean()
    assert file.exists(), "the incident is open"
    await _close(store, room)
    for keep_days, later in ((30, timedelta(days=29)), (0, timedelta(days=9999))):
        await _watch(store, tmp_path, keep_days=keep_days, later=later).clean()
        assert file.exists()
    await _watch(store, tmp_path, keep_days=30, later=after).clean()
    await _watch(store, tmp_path, keep_days=30, later=after).clean()
    assert not file.parent.exists()
    removed = (await _told(store, room))[-1]
    assert (removed.kind, removed.data["file"], removed.data["why"]) == (
        "recording.removed",
        f"{room}/room-1.wav",
        "age",
    )
    assert len(await _told(store, room)) == 3
    report = await verify(SqlChains(store), shelf=Shelf(tmp_path))
    assert report.whole, report.broken


async def test_a_removal_that_was_interrupted_is_finished(store: Store, tmp_path: Path) -> None:
    room = await _room(store)
    file = tmp_path / room / "room-1.wav"
    write_wav(file, CRY)
    await _watch(store, tmp_path).look([room])
    await SqlRecordings(store, "node1").removed(f"{room}/room-1.wav")  # and then the machine stopped
    await _watch(store, tmp_path).look(Shelf(tmp_path).rooms())
    assert not file.exists()


async def test_changed_and_missing_audio_are_found(store: Store, tmp_path: Path) -> None:
    room = await _room(store)
    one, two = tmp_path / room / "room-1.wav", tmp_path / room / f"leg-{CHANNEL}-1.wav"
    for file in (one, two):
        write_wav(file, CRY)
    await _watch(store, tmp_path).look([room])
    assert (await verify(SqlChains(store), shelf=Shelf(tmp_path))).whole
    one.write_bytes(one.read_bytes()[:-2] + b"\1\1")
    two.unlink()
    found = (await verify(SqlChains(store), shelf=Shelf(tmp_path))).broken
    assert sorted(finding.what for finding in found) == ["audio_changed", "audio_missing"]
    assert (await verify(SqlChains(store))).whole, "the journal itself is"
