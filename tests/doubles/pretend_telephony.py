"""The outbound side of an Asterisk that is not there: dials are kept, and may be refused or lost."""

from __future__ import annotations

from ivr.domain.incident import Role
from ivr.services.ports import BusyWith


class PretendTelephony:
    def __init__(self, story: list[str], **seats: str) -> None:
        self.story = story
        self.up = True
        self.seats = seats
        self.dialled: list[tuple[Role, str, str, float]] = []
        self.hung_up: list[str] = []
        self.interrupted: list[str] = []
        self.refuse: dict[str, Exception] = {}
        """What the next dial to a number raises; "" for any number."""
        self.down_on_refusal = False
        self.talks: dict[str, BusyWith] = {}
        self.broken_in: list[tuple[str, str, str]] = []

    @property
    def is_up(self) -> bool:
        return self.up

    def idle_seats(self) -> dict[str, str]:
        return {extension.removeprefix("seat"): name for extension, name in self.seats.items()}

    def busy_seats(self) -> dict[str, BusyWith]:
        return dict(self.talks)

    async def break_in(self, extension: str, uniqueid: str, room: str) -> None:
        failure = self.refuse.pop(extension, None)
        del self.talks[extension]
        if failure is not None:
            raise failure
        self.story.append(f"break in {extension}")
        self.broken_in.append((extension, uniqueid, room))

    async def dial(self, attempt_id: str, role: Role, phone: str, room: str, ring_s: float) -> None:
        failure = self.refuse.pop(phone, None)
        if failure is not None:
            self.up = self.up and not self.down_on_refusal
            raise failure
        self.story.append(f"dial {attempt_id}")
        self.dialled.append((role, phone, room, ring_s))

    async def hang_up(self, uniqueid: str) -> None:
        self.hung_up.append(uniqueid)
        self.story.append(f"hang up {uniqueid}")

    async def interrupt(self, uniqueid: str) -> None:
        self.interrupted.append(uniqueid)
