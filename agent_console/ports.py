"""What the console needs of the store. `main.py` joins them; nothing else here knows the store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection

from ivr.domain.cascade import Family
from ivr.domain.incident import NewAlarm, Raised, Role

T = TypeVar("T")
P = ParamSpec("P")


class User(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def extension(self) -> str | None: ...


class Session(Protocol):
    @property
    def user(self) -> User: ...
    @property
    def csrf(self) -> str: ...


class Users(Protocol):
    async def session(self, token: str) -> Session | None: ...
    async def close_session(self, token: str) -> None: ...
    async def token_name(self, token: str) -> str | None: ...
    async def log_in(self, name: str, password: str) -> tuple[str, str] | None:
        """(cookie token, CSRF token), or None for a wrong name or password."""
        ...


class Incidents(Protocol):
    async def raise_alarm(self, new: NewAlarm) -> Raised: ...
    async def close(self, incident_id: str, *, by: str, outcome: str, reason: str) -> None: ...
    async def looked_at(self, incident_id: str, *, by: str) -> None: ...
    async def family(
        self, incident_id: str, said: Family, *, by: str, word: str, reason: str | None = None
    ) -> None: ...


class Identity(Protocol):
    async def name_elder(self, incident_id: str, elder_no: str, *, by: str) -> bool: ...


class Outbox(Protocol):
    async def send_to_ambulance(self, incident_id: str, *, by: str) -> bool: ...


class Wanted(Protocol):
    @property
    def leg_id(self) -> str: ...
    @property
    def repeated(self) -> bool: ...


class Helpers(Protocol):
    """Who is wanted is put on record; the engine dials."""

    async def want(
        self, incident_id: str, role: Role, phone: str, *, name: str, by: str, worker_no: str | None = None
    ) -> Wanted: ...
    async def want_helper(self, incident_id: str, *, by: str, skill: str | None = None) -> bool: ...
    async def arrived(
        self, incident_id: str, *, by: str, at: datetime | None, worker_no: str | None = None
    ) -> bool: ...
    async def bind(self, elder_no: str, worker_no: str | None, *, by: str) -> None: ...


class Tickets(Protocol):
    async def open_by_hand(self, *, elder_no: str | None, category: str | None, note: str | None, by: str) -> str: ...
    async def field_event(self, no: str, kind: str, **data: Any) -> bool: ...


class Sources(Protocol):
    async def secret(self, name: str) -> str | None:
        """What a source of signed alarms signs with; None when it is unknown or revoked."""
        ...


class Storms(Protocol):
    async def switch(self, forced: bool | None, *, by: str) -> None: ...
    async def close_safe(self, ids: Sequence[str] | None, *, by: str, outcome: str, reason: str) -> int:
        """Close those that are safe (of these, or all); returns how many."""
        ...


class Seats(Protocol):
    async def set_state(self, extension: str, state: str, *, reason: str | None, by: str) -> bool: ...


class JournalEvent(Protocol):
    @property
    def seq(self) -> int: ...
    @property
    def at(self) -> datetime: ...
    @property
    def kind(self) -> str: ...
    @property
    def incident_id(self) -> str | None: ...
    @property
    def extension(self) -> str | None: ...


class Journal(Protocol):
    async def last_seq(self) -> int: ...
    async def after(self, seq: int, limit: int = 500) -> Sequence[JournalEvent]: ...
    def follow(self, seq: int) -> AsyncIterator[Sequence[JournalEvent]]: ...
    async def note(self, kind: str, **fields: Any) -> None: ...


class Reader(Protocol):
    """Runs a query of `agent_console.queries` on a consistent view of the database."""

    async def read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """For pages and API."""
        ...

    async def look(self, query: Callable[[Connection], T]) -> T:
        """For what goes live to the screens: one thread hop."""
        ...
