"""Opening, joining and closing incidents, each in one transaction with its events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update
from ulid import ULID

from ivr.domain.cascade import Family
from ivr.domain.closing import is_explanation
from ivr.domain.incident import (
    AlreadyClosed,
    LegState,
    NewAlarm,
    NotArrived,
    Raised,
    Role,
    UnknownElder,
    UnknownIncident,
)
from ivr.domain.joining import QUIET, clock_off_s, fingerprint
from ivr.domain.people import Match
from ivr.store import calls, family, identity, joining, people, triage
from ivr.store.closing import closing_of
from ivr.store.db import Store
from ivr.store.incident_view import CALLER, WORSE
from ivr.store.tables import alarm, elder, event, incident, leg, leg_attempt
from ivr.store.tx import Tx


def new_id() -> str:
    return str(ULID())


class SqlIncidents:
    """Implements the `Incidents` port of `ivr.services.ports`."""

    def __init__(
        self, store: Store, *, join_window_s: float = 60.0, clock_tolerance_s: float = 300.0, reason_min: int = 6
    ) -> None:
        """`reason_min`: characters of an explanation, where nobody is known to have arrived."""
        self._store = store
        self._reason_min = reason_min
        self._window = timedelta(seconds=join_window_s)
        self._clock_tolerance_s = clock_tolerance_s

    async def raise_alarm(self, new: NewAlarm) -> Raised:
        """Open an incident, or join the elder's open one; the same idempotency key twice is one alarm.

        Raises:
            UnknownElder: nothing was opened; the refusal is journalled.
            StoreUnavailable: nothing was stored.
        """
        outcome = await self._store.write(lambda tx: _raise(tx, new, self._window, self._clock_tolerance_s))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def close(self, incident_id: str, *, by: str, outcome: str, reason: str) -> None:
        """Close with a person and a reason (the caller has checked that both are there).

        Raises:
            UnknownIncident, AlreadyClosed
            NotArrived: nobody is known to have arrived, and the reason is no explanation.
        """

        def change(tx: Tx) -> None:
            state = tx.conn.scalar(select(incident.c.state).where(incident.c.id == incident_id))
            if state is None:
                raise UnknownIncident(incident_id)
            if state == "closed":
                raise AlreadyClosed(incident_id)
            known = closing_of(tx.conn, incident_id)
            if known.needs_explanation(outcome) and not is_explanation(reason, self._reason_min):
                raise NotArrived(incident_id)
            tx.conn.execute(
                update(incident)
                .where(incident.c.id == incident_id)
                .values(
                    state="closed",
                    closed_at=tx.now,
                    closed_by=by,
                    outcome=outcome,
                    reason=reason,
                    needs_look=False,
                )
            )
            tx.event("incident.closed", incident_id=incident_id, by=by, outcome=outcome)

        await self._store.write(change)

    async def looked_at(self, incident_id: str, *, by: str) -> None:
        """A person has seen an incident that came through the lifeline."""

        def change(tx: Tx) -> None:
            done = tx.conn.execute(
                update(incident).where(incident.c.id == incident_id, incident.c.needs_look).values(needs_look=False)
            )
            if done.rowcount:
                tx.event("incident.looked_at", incident_id=incident_id, by=by)

        await self._store.write(change)

    async def worsened(self, incident_id: str, why: str) -> None:
        """A worse answer of the elder, or none: an alarm of its own, so that the search for people begins anew, and
        every hospital that was wanted is wanted again. The family hears of it whatever a person said before."""

        def change(tx: Tx) -> None:
            if tx.conn.scalar(select(incident.c.state).where(incident.c.id == incident_id)) != "open":
                return
            tx.conn.execute(
                insert(alarm).values(
                    id=new_id(), incident_id=incident_id, source="recall", kind=WORSE, received_at=tx.now, note=None
                )
            )
            tx.conn.execute(
                update(leg)
                .where(leg.c.incident_id == incident_id, leg.c.role == Role.HOSPITAL, leg.c.wanted_at.is_not(None))
                .values(wanted_at=tx.now)
            )
            tx.conn.execute(update(incident).where(incident.c.id == incident_id).values(family=Family.STARTED))
            triage.alarm_came(tx, incident_id, WORSE, location=None, telephoned=False, quiet=False)
            tx.event("incident.worsened", incident_id=incident_id, why=why)

        await self._store.write(change)

    async def escalated(self, incident_id: str, why: str) -> None:
        """Journal an escalation once per incident and reason."""

        def change(tx: Tx) -> None:
            rows = tx.conn.execute(
                select(event.c.data).where(event.c.incident_id == incident_id, event.c.kind == "incident.escalated")
            )
            if not any(row.data.get("why") == why for row in rows):
                tx.event("incident.escalated", incident_id=incident_id, why=why)

        await self._store.write(change)

    async def family(self, incident_id: str, said: Family, *, by: str, word: str, reason: str | None = None) -> None:
        """A person starts dialling the relatives, or stops it (误按). `word`: whose word that is, `agent` or `elder`.

        Raises:
            UnknownIncident, AlreadyClosed
        """

        def change(tx: Tx) -> None:
            now = tx.conn.execute(
                select(incident.c.state, incident.c.family).where(incident.c.id == incident_id)
            ).first()
            if now is None:
                raise UnknownIncident(incident_id)
            if now.state == "closed":
                raise AlreadyClosed(incident_id)
            if now.family == said:
                return
            tx.conn.execute(
                update(incident).where(incident.c.id == incident_id).values(family=said, family_reason=reason)
            )
            tx.event(f"incident.family_{said}", incident_id=incident_id, by=by, word=word)

        await self._store.write(change)

    async def open_ids(self) -> list[str]:
        async with self._store.read() as conn:
            return list(await conn.scalars(select(incident.c.id).where(incident.c.state == "open")))


def _raise(tx: Tx, new: NewAlarm, window: timedelta, clock_tolerance_s: float) -> Raised | UnknownElder:
    key = new.idempotency_key
    if key is not None:
        seen = joining.seen_before(tx, key, window)
        if seen is not None and seen.new_after_all:
            key = None
        elif seen is not None:
            if new.needs_look:
                _mark_unseen(tx, seen.incident_id)
            return Raised(seen.incident_id, joined=True, repeated=True, call_id=_call_id(tx, new))
    said = fingerprint(new)
    if said is not None and (again := joining.just_said(tx, said, window)) is not None:
        return Raised(again, joined=True, repeated=True)
    match = _resolve(tx, new)
    if isinstance(match, Exception):
        # Returned, not raised: the refusal itself has to be committed.
        tx.event(
            "alarm.refused", source=new.source, alarm_kind=new.kind, why=type(match).__name__, device_id=new.device_id
        )
        return match
    quiet = new.kind in QUIET and new.call is None
    unknown_device = new.device_id is not None and people.device_owner(tx.conn, new.device_id) is None
    found = joining.find(tx, match, new, window, quiet=quiet)
    open_id = found.open_id
    joined = open_id is not None
    incident_id = open_id or new_id()
    if not joined:
        tx.conn.execute(
            insert(incident).values(
                id=incident_id,
                state="open",
                elder_no=match.elder_no,
                elder_choices=list(match.choices),
                needs_look=new.needs_look,
                opened_at=tx.now,
                unknown_device=unknown_device,
                refers_to=found.refers_to,
                dial_after=tx.now + window if quiet else None,
            )
        )
        more: dict[str, Any] = {"unknown_device": True} if unknown_device else {}
        if found.refers_to:
            more["refers_to"] = found.refers_to
        tx.event(
            "incident.opened",
            incident_id=incident_id,
            source=new.source,
            alarm_kind=new.kind,
            elder_no=match.elder_no,
            elder_choices=list(match.choices),
            **more,
        )
    elif new.needs_look:
        _mark_unseen(tx, incident_id)
    if joined and not quiet:
        # Whoever presses again after "it was a mistake" means it.
        stopped = (incident.c.id == incident_id, incident.c.family == Family.CANCELLED)
        tx.conn.execute(update(incident).where(*stopped).values(family=None))
    if joined and not found.is_closed:
        match = identity.as_named(tx, incident_id, match)
        joining.complete(tx, incident_id, match, unknown_device=unknown_device, loud=not quiet)
    if not found.is_closed:
        family.add(tx, incident_id, match.choices)
    alarm_id = new_id()
    tx.conn.execute(
        insert(alarm).values(
            id=alarm_id,
            incident_id=incident_id,
            source=new.source,
            kind=new.kind,
            device_id=new.device_id or match.device_id,
            phone=new.phone,
            elder_no=match.elder_no,
            at=new.at,
            received_at=tx.now,
            note=new.note,
            location=new.location,
            idempotency_key=key,
            fingerprint=said,
            clock_off_s=clock_off_s(new, datetime.now(UTC), clock_tolerance_s),
        )
    )
    triage.alarm_came(tx, incident_id, new.kind, location=new.location, telephoned=new.call is not None, quiet=quiet)
    if joined:
        tx.event(
            "incident.alarm_joined",
            incident_id=incident_id,
            source=new.source,
            alarm_kind=new.kind,
            alarm_id=alarm_id,
        )
    call_id = None
    if new.call is not None:
        call_id = calls.add(tx, new.call, kind="emergency", elder_no=match.elder_no, incident_id=incident_id)
        calls.became_incident(tx, call_id, incident_id)
        # Of a call that only the lifeline saw too: where its channel is gone reconciliation ends it, and he is called.
        _add_elder_line(tx, incident_id, new)
    return Raised(incident_id, joined, call_id=call_id)


def _mark_unseen(tx: Tx, incident_id: str) -> None:
    tx.conn.execute(
        update(incident).where(incident.c.id == incident_id, incident.c.state == "open").values(needs_look=True)
    )


def _call_id(tx: Tx, new: NewAlarm) -> str | None:
    return calls.find(tx.conn, new.call.node, new.call.uniqueid) if new.call else None


def _resolve(tx: Tx, new: NewAlarm) -> Match | UnknownElder:
    """By the elder named, else by the device, else by the number. A device that nobody registered is somebody in need
    too; an `elder_no` that nobody has is refused only where nothing else is named: who mistyped it sees it."""
    if new.elder_no is not None:
        if people.elder_exists(tx.conn, new.elder_no):
            return Match(new.elder_no, (new.elder_no,), new.device_id)
        if new.device_id is None and new.phone is None:
            return UnknownElder(new.elder_no)
    if new.device_id is not None:
        owner = people.device_owner(tx.conn, new.device_id)
        if owner is not None:
            return Match(owner, (owner,), new.device_id)
    return people.match_number(tx.conn, new.phone or "")


def _add_elder_line(tx: Tx, incident_id: str, new: NewAlarm) -> None:
    """The caller's own line is a leg too, live from the moment it arrived."""
    assert new.call is not None
    phone = new.call.caller_id or "anonymous"
    found = tx.conn.execute(
        select(leg.c.id, leg.c.attempts).where(
            leg.c.incident_id == incident_id, leg.c.role == Role.ELDER, leg.c.phone == phone
        )
    )
    row = found.first()
    leg_id = row.id if row else new_id()
    number = (row.attempts if row else 0) + 1
    values = {
        "state": LegState.DIALLED,
        "attempts": number,
        "dialled_at": tx.now,
        "ringing_at": None,
        "answered_at": None,
        "accepted_at": None,
        "ended_at": None,
        "outcome": None,
    }
    if row:
        tx.conn.execute(update(leg).where(leg.c.id == leg_id).values(**values))
    else:
        owner = None
        if new.elder_no or new.phone:
            owner = tx.conn.scalar(
                select(elder.c.name)
                .join(incident, incident.c.elder_no == elder.c.elder_no)
                .where(incident.c.id == incident_id)
            )
        tx.conn.execute(
            insert(leg).values(
                id=leg_id,
                incident_id=incident_id,
                role=Role.ELDER,
                name=owner or "来电人",
                phone=phone,
                priority=0,
                **values,
            )
        )
    tx.conn.execute(
        insert(leg_attempt).values(
            id=new_id(),
            leg_id=leg_id,
            incident_id=incident_id,
            attempt_no=number,
            node=new.call.node,
            uniqueid=new.call.uniqueid,
            lease_owner=CALLER,
            lease_until=tx.now,
            dialled_at=tx.now,
        )
    )


__all__ = ["SqlIncidents", "new_id"]
