"""People who have a name to be said, and a synthesiser that notes what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ivr.domain.people import Person
from ivr.voice.synthesiser import Unspeakable, VoiceMissing


def name_of(name: str) -> str:
    return f"求助的老人是{name}。"


class People:
    """The `Named` port, from a list."""

    def __init__(self, *people: Person) -> None:
        self.people = list(people)
        self.fails: Exception | None = None
        self.delay_s = 0.0

    async def of_incident(self, incident_id: str) -> Person | None:
        await asyncio.sleep(self.delay_s)
        if self.fails:
            raise self.fails
        return next((p for p in self.people if p.elder_no == incident_id), None)

    async def after(self, elder_no: str, limit: int) -> Sequence[Person]:
        if self.fails:
            raise self.fails
        return sorted((p for p in self.people if p.elder_no > elder_no), key=lambda p: p.elder_no)[:limit]


class Reader:
    """A synthesiser that notes what it was asked, in order."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refuses: set[str] = set()
        self.dies_at = ""
        self.on_say: dict[str, object] = {}
        self.rested = 0

    @property
    def said(self) -> list[str]:
        """The names and addresses, without the sentence around each."""
        return [text.removeprefix("求助的老人是").removeprefix("住址是").rstrip("。") for text in self.asked]

    async def say(self, text: str) -> bytes:
        self.asked.append(text)
        text = self.said[-1]
        if text == self.dies_at:
            self.dies_at = ""
            raise VoiceMissing("killed")
        if text in self.refuses:
            raise Unspeakable("unknown character")
        if callable(then := self.on_say.pop(text, None)):
            then()
        return self.asked[-1].encode()

    async def rest(self) -> None:
        self.rested += 1


ALONE = Person("1", "王独", "山路1号")
FAMILY = Person("2", "李家人", "水路2号", has_family=True)
DEVICE = Person("3", "张设备", "火路3号", has_device=True)
BOTH = Person("4", "赵都有", None, has_device=True, has_family=True)
NAMELESS = Person("5", "X", None, has_device=True)
