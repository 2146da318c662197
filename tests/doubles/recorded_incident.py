"""A closed incident with its recordings, as Asterisk and the engine leave it: legs, journal, WAV files."""

from __future__ import annotations

import os
import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ivr.domain.incident import ArrivedCall, NewAlarm, Outcome, Role
from ivr.prompts.alaw import decode
from ivr.record.shelf import Shelf
from ivr.record.watch import RecordingWatch
from ivr.store.db import Store
from ivr.store.incidents import SqlIncidents
from ivr.store.legs import SqlLegs
from ivr.store.recordings import SqlRecordings

DEMO = Path(__file__).parents[2] / "prompts" / "demo"


def write_wav(
    path: Path, alaw: Path | None, *, before_s: float = 0.0, seconds: float = 8.0, closed: bool = True
) -> None:
    """`alaw` (none: silence) after `before_s`, as Asterisk's `wav`; not `closed`: with the header of a file in use."""
    spoken = decode(alaw.read_bytes()).tobytes() if alaw else b""
    pcm = (b"\0\0" * int(before_s * 8000) + spoken).ljust(int(seconds * 16000), b"\0")
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(pcm)
    if not closed:
        with path.open("r+b") as opened:
            opened.seek(40)
            opened.write(b"\0\0\0\0")


async def recorded_incident(store: Store, recordings: Path, *, note: str = "", close: bool = True) -> str:
    """The elder's call, two relatives of whom one comes, 8 s of talk; recordings are on record."""
    incidents, legs = SqlIncidents(store), SqlLegs(store, "node1", "engine")
    call = ArrivedCall("node1", "1795327321.0", "1795327321.0", "12349120", "02155550001")
    raised = await incidents.raise_alarm(
        NewAlarm(source="call", kind="emergency_call", elder_no="E001", phone="02155550001", note=note, call=call)
    )
    room = raised.incident_id
    await legs.accept("1795327321.0", only_first=False)
    channels = ["1795327321.0"]
    for phone in ("13900000011", "13900000012"):
        attempt = await legs.begin_attempt(room, Role.FAMILY, phone)
        assert attempt
        await legs.ringing(attempt)
        if phone.endswith("11"):
            await legs.ended(attempt, Outcome.BUSY, cause=17)
        else:
            await legs.accept(attempt, only_first=False)
            channels.append(attempt)
    end = datetime.now(UTC) + timedelta(seconds=8)
    spoken = (DEMO / "elder_press.alaw", DEMO / "daughter.alaw")
    for channel, audio, late in zip(channels, spoken, (0.5, 4.5), strict=True):
        write_wav(recordings / room / f"leg-{channel}-1.wav", audio, before_s=late)
    write_wav(recordings / room / "room-1795327324.wav", spoken[0], before_s=0.5)
    for path in (recordings / room).iterdir():
        os.utime(path, (end.timestamp(), end.timestamp()))
    await RecordingWatch(Shelf(recordings), SqlRecordings(store, "node1"), 180).look([room])
    for channel in channels:
        await legs.ended(channel, Outcome.TALKED)
    if close:
        await incidents.close(room, by="李娜", outcome="helped", reason="女儿已到家 <b>&amp;</b>")
    return room
