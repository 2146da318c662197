"""Beside a caller who waits: what is heard may only raise."""

from __future__ import annotations

import pytest

from ivr.callflows.call import CallerHungUp, Said
from ivr.callflows.listening import listen_to_waiting
from ivr.domain.incident import ArrivedCall
from ivr.services.listening_desk import ListeningDesk
from ivr.services.ports import HeardCall, StoreUnavailable
from tests.doubles.memory_store import ROOM, MemoryIncidents, MemoryLegs

CALL = HeardCall("C1", "T1", ArrivedCall("n", "1700000000.1", "1700000000.1", "12349", "02150001111"))


class MemoryHeard:
    def __init__(self, story: list[str]) -> None:
        self.story = story
        self.there = True
        self.away = False

    async def waiting(self, uniqueid: str) -> HeardCall | None:
        return CALL if self.there and uniqueid == CALL.arrived.uniqueid else None

    async def heard(self, heard: HeardCall, meaning: str, score: int, *, category: bool) -> None:
        if self.away:
            raise StoreUnavailable
        self.story.append(f"heard {meaning} {score}" + (" category" if category else ""))


class Line:
    def __init__(self, story: list[str]) -> None:
        self.story = story
        self.waits = True

    async def move_to_room(self, uniqueid: str, room: str) -> bool:
        self.story.append(f"move {room}")
        return self.waits

    async def move_to_lifeline(self, uniqueid: str) -> bool:
        self.story.append(f"lifeline {uniqueid}")
        return self.waits


class Ears:
    def __init__(self, story: list[str], *said: str | None) -> None:
        self.story = story
        self._said = list(said)

    async def hear(self, grammar: str, saying: str | None) -> Said | None:
        assert grammar == "listen"
        if saying:
            self.story.append(f"say {saying}")
        if not self._said:
            raise CallerHungUp
        meaning = self._said.pop(0)
        return None if meaning is None else Said(meaning, 90)


class Scene:
    def __init__(self) -> None:
        self.story: list[str] = []
        self.heard = MemoryHeard(self.story)
        self.incidents = MemoryIncidents(self.story)
        self.line = Line(self.story)
        self.desk = ListeningDesk(self.heard, self.incidents, MemoryLegs(self.story), self.line)

    async def told(self, *said: str | None, uniqueid: str = "1700000000.1") -> list[str]:
        await listen_to_waiting(Ears(self.story, *said), self.desk, uniqueid)
        return self.story


async def test_the_incident_is_on_record_before_the_caller_is_moved() -> None:
    assert await Scene().told("distress.fall") == [
        "say speech/tell_us",
        "alarm listening 02150001111",
        "heard distress.fall 90",
        f"move {ROOM}",
        "accept 1700000000.1",
    ]


async def test_a_service_is_the_category_and_listening_goes_on() -> None:
    story = await Scene().told("service.meal", "son", "distress.breath")
    assert story[:4] == ["say speech/tell_us", "heard service.meal 90 category", "say speech/noted", "heard son 90"]
    assert "alarm listening 02150001111" in story


async def test_who_is_with_a_person_already_is_not_moved_and_the_incident_stays() -> None:
    scene = Scene()
    scene.line.waits = False
    story = await scene.told("distress.fall")
    assert story[-1] == f"move {ROOM}"
    assert not [line for line in story if line.startswith("accept")]


async def test_a_note_that_cannot_be_written_does_not_keep_the_caller_from_the_room() -> None:
    scene = Scene()
    scene.heard.away = True
    assert (await scene.told("distress.fall"))[-1] == "accept 1700000000.1"


async def test_a_cry_that_cannot_be_put_on_record_goes_to_the_lifeline() -> None:
    scene = Scene()
    scene.incidents.away = scene.heard.away = True
    assert await scene.told("distress.fall") == ["say speech/tell_us", "lifeline 1700000000.1"]


async def test_a_wish_that_cannot_be_noted_is_not_said_to_be_and_he_is_heard_on() -> None:
    scene = Scene()
    scene.heard.away = True
    assert await scene.told("service.meal", "distress.fall") == [
        "say speech/tell_us",
        "alarm listening 02150001111",
        f"move {ROOM}",
        "accept 1700000000.1",
    ]


async def test_no_recogniser_and_a_call_that_nobody_waits_in_are_the_end_of_listening() -> None:
    assert await Scene().told(None) == ["say speech/tell_us"]
    assert await Scene().told("distress.fall", uniqueid="1700000000.9") == []
    scene = Scene()
    scene.heard.there = False
    assert await scene.told("distress.fall") == []


async def test_a_caller_who_goes_ends_it() -> None:
    with pytest.raises(CallerHungUp):
        await Scene().told("service.bath")
