"""What the services need of the world, as Protocols. The store and the Asterisk room implement them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ivr.domain.incident import ArrivedCall, IncidentView, NewAlarm, Outcome, Raised, Role
from ivr.domain.people import Person


class StoreUnavailable(Exception):
    """The database could not commit in time; nothing of this change was stored."""


class DialRefused(Exception):
    """The call was surely not made."""


class DialDoubtful(Exception):
    """The call may have been made; look for its channel before making it again."""


class Incidents(Protocol):
    async def raise_alarm(self, new: NewAlarm) -> Raised: ...
    async def open_ids(self) -> list[str]: ...
    async def worsened(self, incident_id: str, why: str) -> None:
        """A worse answer of the elder, while help is on its way: whoever was told is told again."""
        ...

    async def escalated(self, incident_id: str, why: str) -> None:
        """Journal `incident.escalated` once per incident and reason."""
        ...


class Legs(Protocol):
    async def view(self, incident_id: str, now: datetime) -> IncidentView | None: ...
    async def begin_attempt(
        self,
        incident_id: str,
        role: Role,
        phone: str,
        *,
        name: str = "",
        lease_s: float = 60.0,
        uniqueid: str | None = None,
    ) -> str | None: ...
    async def unheard(self) -> list[str]:
        """Dialled by a trunk, not seen to ring or to end so far."""
        ...

    async def live(self) -> dict[str, datetime]: ...
    async def ringing(self, uniqueid: str) -> None: ...
    async def answered(self, uniqueid: str) -> None: ...
    async def accept(self, uniqueid: str, *, only_first: bool) -> bool: ...
    async def declined(self, uniqueid: str) -> None: ...
    async def describe(self, uniqueid: str) -> tuple[Role, str] | None: ...
    async def seat_in_room(self, extension: str) -> list[str]: ...
    async def ended(
        self, uniqueid: str, outcome: Outcome, *, cause: int | None = None, torn: bool = False
    ) -> str | None: ...
    async def torn(self, within_s: float) -> int:
        """Legs that ended within the last seconds were cut by Asterisk's own end."""
        ...

    async def mark(self, uniqueid: str, outcome: Outcome) -> None: ...


class Calls(Protocol):
    def answered(self, call_id: str) -> None: ...
    async def queued(self, uniqueid: str, position: int) -> None: ...
    async def connected(self, uniqueid: str, extension: str | None, waited_s: float) -> None: ...
    async def abandoned(self, uniqueid: str, waited_s: float) -> None: ...
    async def ended(self, uniqueid: str, *, at: datetime | None = None, cause: int | None = None) -> bool:
        """Whether the channel may be a leg of an incident too."""
        ...

    async def live(self) -> dict[str, datetime]: ...
    async def parked(self, uniqueid: str, extension: str, incident_id: str) -> None:
        """His agent was taken for an emergency; he waits for the same seat."""
        ...

    async def returned(self, uniqueid: str, extension: str) -> None: ...
    async def parked_now(self) -> list[str]: ...
    async def places(self) -> dict[str, tuple[bool, bool]]:
        """Uniqueid of each living routine call -> (was queued, got a person), as far as is on record."""
        ...

    async def outcome(self, call_id: str, outcome: str, *, call_back: bool = False) -> None: ...


class Categories(Protocol):
    async def categories(self, uniqueids: Sequence[str]) -> dict[str, str | None]:
        """Uniqueid -> category of the call's ticket, as far as one is known."""
        ...


class Tickets(Protocol):
    async def open_for_call(self, arrived: ArrivedCall) -> tuple[str, str] | None:
        """(call id, ticket no), or None when a registered device calls: that is no ticket."""
        ...


@dataclass(frozen=True, slots=True)
class HeardCall:
    """An ordinary call that is listened to."""

    id: str
    ticket_no: str | None
    arrived: ArrivedCall
    wish: str | None = None
    """The ticket's category by now: what he has said while he waited, or what a person chose."""


class Heard(Protocol):
    async def waiting(self, uniqueid: str) -> HeardCall | None: ...
    async def heard(self, heard: HeardCall, meaning: str, score: int, *, category: bool) -> None: ...


class WaitingLine(Protocol):
    """The queue of one Asterisk node."""

    async def move_to_room(self, uniqueid: str, room: str) -> bool:
        """Take a caller who still waits out of the queue and into a room; False when he is with a person already,
        has gone, or Asterisk cannot be told."""
        ...

    async def move_to_lifeline(self, uniqueid: str) -> bool:
        """As `move_to_room`, where no incident can be put on record: Asterisk writes him down as an emergency, speaks
        to him and rings the duty phone."""
        ...


class Seat(Protocol):
    @property
    def extension(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def state(self) -> str: ...


class Seats(Protocol):
    async def all(self) -> Sequence[Seat]: ...
    async def set_state(self, extension: str, state: str, *, reason: str | None, by: str) -> bool: ...


class Named(Protocol):
    async def of_incident(self, incident_id: str) -> Person | None:
        """The elder whom an incident is about; None while that is open."""
        ...

    async def after(self, elder_no: str, limit: int) -> Sequence[Person]:
        """The next elders by number: to go through all of them without holding them all."""
        ...


class Spoken(Protocol):
    """Prompts about somebody. Each answers at once, with a general wording when no recording is there."""

    async def family_alarm(self, incident_id: str, *, speech: bool = False) -> str: ...
    async def duty_alarm(self, incident_id: str) -> str: ...


class SpokenHelpers(Protocol):
    """As `Spoken`, for those who come to help."""

    async def worker_alarm(self, incident_id: str, *, speech: bool = False) -> str: ...
    async def hospital_details(self, incident_id: str) -> str: ...


@dataclass(frozen=True, slots=True)
class BusyWith:
    """A seat's ordinary call: the two channels' uniqueids, and since when they talk."""

    caller: str
    seat: str
    since: datetime


class Telephony(Protocol):
    """The outbound side of one Asterisk node."""

    @property
    def is_up(self) -> bool: ...

    def idle_seats(self) -> dict[str, str]:
        """Extension -> name of the seats that are ready and whose telephone is idle."""
        ...

    async def dial(self, attempt_id: str, role: Role, phone: str, room: str, ring_s: float) -> None:
        """Start one outbound leg. Raises DialRefused, DialDoubtful."""
        ...

    def busy_seats(self) -> dict[str, BusyWith]:
        """Extension -> the ordinary call that it talks on."""
        ...

    async def break_in(self, extension: str, uniqueid: str, room: str) -> None:
        """Take a seat from its ordinary call into the room; the caller is parked for it. `uniqueid`: the seat's
        channel, as it is on record. Raises DialRefused, DialDoubtful."""
        ...

    async def hang_up(self, uniqueid: str) -> None: ...

    async def interrupt(self, uniqueid: str) -> None:
        """Whoever is asked on this channel is asked no further: his flow gets the key `INTERRUPTED`."""
        ...
