"""When a seat's telephone counts as dead: what is said of its registration, and whether anything comes from it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from ivr.asterisk import dead_seats
from ivr.asterisk.ami import AmiEvent, AmiRefused
from ivr.asterisk.dead_seats import DeadSeats
from ivr.asterisk.link import AsteriskLink
from tests.doubles.patience import until

QUIET_S = 0.1
DESK, LAPTOP = "sip:1001@10.0.0.5:5060", "sip:x7@10.0.0.9:4711"


class Stage:
    """One seat, 1001, with one call in a room: `C1`."""

    def __init__(self) -> None:
        self.packets = "100"
        self.sends = False
        self.talking = ["C1"]
        self.ended: list[str] = []
        self.seats = DeadSeats(cast(AsteriskLink, self), self, self.hang_up)

    async def act(self, name: str, **fields: Any) -> AmiEvent:
        assert (name, fields["Channel"]) == ("Getvar", "C1")
        if "C1" not in self.talking:
            raise AmiRefused("no such channel")
        if self.sends:
            self.packets = str(int(self.packets) + 50)
        return AmiEvent("", {"value": self.packets})

    async def seat_in_room(self, extension: str) -> list[str]:
        return list(self.talking) if extension == "1001" else []

    async def hang_up(self, uniqueid: str) -> None:
        self.ended.append(uniqueid)
        self.talking.remove(uniqueid)

    def contact(self, status: str, uri: str = DESK, aor: str = "1001") -> None:
        self.seats.heard(AmiEvent("ContactStatus", {"contactstatus": status, "uri": uri, "aor": aor}))

    async def a_while(self) -> None:
        await asyncio.sleep(4 * QUIET_S)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_seats, "QUIET_S", QUIET_S)


@pytest.mark.parametrize("word", ["Unreachable", "Removed"])
async def test_gone_and_silent_is_dead(word: str) -> None:
    stage = Stage()
    stage.contact("Reachable")
    stage.contact(word)
    await until(lambda: stage.ended == ["C1"], within=3)


async def test_gone_and_speaking_goes_on_until_it_is_silent() -> None:
    stage = Stage()
    stage.sends = True
    stage.contact("Removed")
    await stage.a_while()
    assert stage.ended == []
    stage.sends = False
    await until(lambda: stage.ended == ["C1"], within=3)


async def test_who_answers_again_may_be_silent() -> None:
    """A desk phone that sends nothing while its user listens, and one lost question."""
    stage = Stage()
    stage.contact("Unreachable")
    stage.contact("Reachable")
    await stage.a_while()
    assert stage.ended == []


async def test_another_telephone_of_the_seat_knows_nothing_of_the_call() -> None:
    """A browser's page was loaded again: there is a telephone, and the call's own is gone."""
    stage = Stage()
    stage.contact("Reachable", DESK)
    stage.contact("Created", LAPTOP)
    stage.contact("Removed", DESK)
    stage.contact("Reachable", LAPTOP)
    assert not stage.seats.is_gone("1001"), "the new one can be rung"
    await until(lambda: stage.ended == ["C1"], within=3)


async def test_what_is_not_known_ends_nothing() -> None:
    stage = Stage()
    stage.packets = ""
    stage.contact("Unreachable")
    await stage.a_while()
    assert stage.ended == []
    stage.contact("Reachable")


async def test_a_seat_without_a_telephone_is_known_until_one_answers() -> None:
    stage = Stage()
    stage.talking.clear()
    stage.contact("Unreachable")
    assert stage.seats.is_gone("1001")
    await stage.a_while()
    stage.contact("Created", LAPTOP)
    assert not stage.seats.is_gone("1001")


async def test_the_trunk_is_no_seat() -> None:
    stage = Stage()
    stage.contact("Unreachable", aor="trunk")
    assert not stage.seats.is_gone("trunk")
