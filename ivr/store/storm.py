"""The storm as the engine and the console see it: one look at everything open, and what the triage calls brought."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, bindparam, func, insert, or_, select, update

from ivr.domain.cascade import Family
from ivr.domain.closing import is_explanation
from ivr.domain.incident import NotArrived, Outcome, Role
from ivr.domain.joining import QUIET
from ivr.domain.storm import NEED, Triage
from ivr.domain.wishes import WishPolicy
from ivr.services.storm_ports import LiveLeg, OpenIncident, StormLook
from ivr.store import triage
from ivr.store.asked_for import asked_for
from ivr.store.closing import awaited
from ivr.store.db import Store
from ivr.store.tables import agent, alarm, call, incident, leg, leg_attempt, storm
from ivr.store.tx import Tx

CALLER = "caller"
"""Lease of a line that came to us (`incidents._add_elder_line`)."""
STAFF = (Role.AGENT, Role.SUPERVISOR)
LONGEST_CALL = timedelta(hours=2)
ROW = "storm"
STILL_TO_ASK = (Triage.PENDING, Triage.CALLING)
_STORM = select(storm.c.active, storm.c.forced).where(storm.c.name == ROW)
_OPEN = select(
    incident.c.id,
    incident.c.triage,
    incident.c.triage_tries,
    incident.c.triage_attempt,
    incident.c.worst,
    incident.c.risk,
    incident.c.opened_at,
    incident.c.dial_after,
    incident.c.family,
    incident.c.arrived_at,
).where(incident.c.state == "open")
_LIVE = (
    select(
        leg_attempt.c.incident_id,
        leg_attempt.c.uniqueid,
        leg_attempt.c.lease_owner,
        leg_attempt.c.answered_at,
        leg_attempt.c.accepted_at,
        leg.c.role,
        leg.c.phone,
    )
    .join(leg, leg.c.id == leg_attempt.c.leg_id)
    .where(leg_attempt.c.ended_at.is_(None))
)
_SERVED_OR_WANTED = (
    select(
        leg.c.id,
        leg.c.incident_id,
        leg.c.role,
        leg.c.phone,
        leg.c.state,
        leg.c.attempts,
        leg.c.accepted_at,
        leg.c.outcome,
        leg.c.wanted_at,
        leg.c.offer_id,
    )
    .join(incident, incident.c.id == leg.c.incident_id)
    .where(
        incident.c.state == "open",
        or_(leg.c.wanted_at.is_not(None), and_(leg.c.role.in_(STAFF), leg.c.accepted_at.is_not(None))),
    )
)
"""One pass over the legs of everything open: two would cost twice."""
_RATE = select(func.count()).where(
    alarm.c.received_at >= bindparam("since", type_=alarm.c.received_at.type), alarm.c.kind.not_in(sorted(QUIET))
)
_ORDINARY = select(func.count()).where(
    call.c.arrived_at >= bindparam("since", type_=call.c.arrived_at.type),
    call.c.ended_at.is_(None),
    call.c.kind == "routine",
)
_READY = select(func.count()).where(agent.c.state == "ready")
_TRIES = select(leg_attempt.c.id, leg_attempt.c.ended_at, leg_attempt.c.answered_at, leg_attempt.c.outcome).where(
    leg_attempt.c.id.in_(bindparam("ids", expanding=True))
)


class SqlStorm:
    """Implements `StormRecords`, and the console's port `Storms`."""

    def __init__(self, store: Store, *, reason_min: int = 6, wish_tries: int = WishPolicy().tries) -> None:
        """`reason_min`: as of `SqlIncidents`; `wish_tries`: as of `SqlWishes`."""
        self._store = store
        self._wish_tries = wish_tries
        self._reason_min = reason_min

    async def look(self, now: datetime) -> StormLook:
        return await self._store.look(lambda conn: _look(conn, now, self._wish_tries))

    async def set_active(self, active: bool, *, waiting: int, alarms_last_min: int) -> None:
        """The numbers say so. When it ends nobody is left to be asked: those not reached yet are ordinary again."""

        def change(tx: Tx) -> None:
            known = tx.conn.execute(_STORM).first()
            if known is not None and known.active == active:
                return
            _put(tx, active=active)
            if not active:
                _nobody_pending(tx)
            kind = "storm.began" if active else "storm.ended"
            tx.event(kind, waiting=waiting, alarms_last_min=alarms_last_min)

        await self._store.write(change)

    async def switch(self, forced: bool | None, *, by: str) -> None:
        """A person's word: on, off, or by the numbers again."""

        def change(tx: Tx) -> None:
            known = tx.conn.execute(_STORM).first()
            was = bool(known and known.active)
            active = was if forced is None else forced
            _put(tx, active=active, forced=forced, by=by)
            mode = {True: "on", False: "off", None: "auto"}[forced]
            tx.event("storm.switched", mode=mode, by=by)
            if active != was:
                if not active:
                    _nobody_pending(tx)
                tx.event("storm.began" if active else "storm.ended", by=by)

        await self._store.write(change)

    async def await_asking(self, ids: Sequence[str]) -> None:
        """These have still to be asked."""

        def change(tx: Tx) -> None:
            tx.conn.execute(
                update(incident)
                .where(incident.c.id.in_(list(ids)), incident.c.state == "open", incident.c.triage.is_(None))
                .values(triage=Triage.PENDING)
            )

        if ids:
            await self._store.write(change)

    async def asked(self, incident_id: str, attempt: str) -> None:
        """The call is on record as an attempt and is made now."""

        def change(tx: Tx) -> None:
            tx.conn.execute(
                update(incident)
                .where(incident.c.id == incident_id, incident.c.state == "open")
                .values(triage=Triage.CALLING, triage_attempt=attempt, triage_tries=incident.c.triage_tries + 1)
            )

        await self._store.write(change)

    async def is_asked(self, attempt: str) -> bool:
        """Whether this leg is a machine's question, and not a call to the person who waits in the room."""
        query = select(incident.c.id).where(incident.c.triage_attempt == attempt)
        joined = query.join(leg_attempt, leg_attempt.c.incident_id == incident.c.id).where(leg_attempt.c.id == attempt)
        return await self._store.look(lambda conn: conn.scalar(joined)) is not None

    async def heard(self, attempt: str, said: Triage, *, hold_at_most: int) -> bool:
        """What the elder answered. Returns whether his line may be held: not when too many wait on theirs already."""

        def change(tx: Tx) -> bool:
            row = tx.conn.execute(
                select(incident.c.id, incident.c.state, incident.c.triage)
                .join(leg_attempt, leg_attempt.c.incident_id == incident.c.id)
                .where(leg_attempt.c.id == attempt, incident.c.triage_attempt == attempt)
            ).first()
            if row is None or row.state != "open":
                return False
            if row.triage != said:
                triage.mark(tx, row.id, said)
                tx.event("incident.triaged", incident_id=row.id, triage=said)
            if said is not Triage.SAFE and _held(tx, besides=attempt) < hold_at_most:
                return True
            # He is told so and the call ends: its end is no silence, and his line is not counted as held.
            tx.conn.execute(update(leg_attempt).where(leg_attempt.c.id == attempt).values(outcome=Outcome.TALKED))
            return False

        return await self._store.write(change)

    async def settle(self, incident_id: str, attempt: str, said: Triage) -> None:
        """A call without an answer is over; the flow's own word stands."""

        def change(tx: Tx) -> None:
            row = tx.conn.execute(
                select(incident.c.triage, incident.c.triage_attempt, incident.c.triage_tries).where(
                    incident.c.id == incident_id, incident.c.state == "open"
                )
            ).first()
            if row is None or (row.triage, row.triage_attempt) != (Triage.CALLING, attempt):
                return
            outcome = tx.conn.scalar(select(leg_attempt.c.outcome).where(leg_attempt.c.id == attempt))
            lost = outcome in (Outcome.LOST, Outcome.CANCELLED)
            triage.mark(tx, incident_id, said, triage_tries=row.triage_tries - (1 if lost else 0))
            if said in NEED:
                tx.event("incident.triaged", incident_id=incident_id, triage=said)

        await self._store.write(change)

    async def cannot_be_asked(self, incident_id: str) -> None:
        """No number that could be dialled is known: that is no answer."""

        def change(tx: Tx) -> None:
            state = tx.conn.scalar(select(incident.c.state).where(incident.c.id == incident_id))
            if state == "open":
                triage.mark(tx, incident_id, Triage.NO_ANSWER)
                tx.event("incident.triaged", incident_id=incident_id, triage=Triage.NO_ANSWER, why="no_number")

        await self._store.write(change)

    async def close_safe(self, ids: Sequence[str] | None, *, by: str, outcome: str, reason: str) -> int:
        """A person closes those whose elder said that he is safe. One who has cried again since is not among them.

        Raises:
            NotArrived: to one of them somebody was sent who has not arrived, and the reason is no explanation. None of
            them is closed then.
        """
        query = select(incident.c.id).where(incident.c.state == "open", incident.c.triage == Triage.SAFE)
        if ids is not None:
            query = query.where(incident.c.id.in_(list(ids)))
        explained = is_explanation(reason, self._reason_min)

        def refuse(conn: Connection) -> None:
            if not explained and (one := awaited(conn, query)) is not None:
                raise NotArrived(one)

        def change(tx: Tx) -> int:
            refuse(tx.conn)
            found = list(tx.conn.scalars(query.order_by(incident.c.id).limit(CLOSED_AT_ONCE)))
            for one in found:
                tx.conn.execute(
                    update(incident)
                    .where(incident.c.id == one)
                    .values(
                        state="closed", closed_at=tx.now, closed_by=by, outcome=outcome, reason=reason, needs_look=False
                    )
                )
                tx.event("incident.closed", incident_id=one, by=by, outcome=outcome, in_bulk=True)
            return len(found)

        closed = 0
        while True:  # in pieces: calls of an emergency wait behind the one writer
            done = await self._store.write(change)
            closed += done
            if done < CLOSED_AT_ONCE:
                return closed


CLOSED_AT_ONCE = 200


def _put(tx: Tx, *, active: bool, **person: object) -> None:
    values = {"active": active, "since": tx.now, **person}
    if tx.conn.execute(_STORM).first() is None:
        tx.conn.execute(insert(storm).values(name=ROW, **values))
    else:
        tx.conn.execute(update(storm).where(storm.c.name == ROW).values(**values))


def _held(tx: Tx, *, besides: str) -> int:
    """Elders who need help and stay on the line, also those who are just about to enter the room."""
    lines = (
        select(func.count())
        .select_from(leg_attempt)
        .join(incident, incident.c.id == leg_attempt.c.incident_id)
        .where(
            leg_attempt.c.ended_at.is_(None),
            leg_attempt.c.outcome.is_(None),
            incident.c.triage_attempt == leg_attempt.c.id,
            leg_attempt.c.id != besides,
            incident.c.triage.in_([Triage.HELP, Triage.SILENT]),
        )
    )
    return tx.conn.scalar(lines) or 0


def _nobody_pending(tx: Tx) -> None:
    tx.conn.execute(
        update(incident).where(incident.c.state == "open", incident.c.triage == Triage.PENDING).values(triage=None)
    )


def _look(conn: Connection, now: datetime, wish_tries: int) -> StormLook:
    state = conn.execute(_STORM).first()
    rows = conn.execute(_OPEN).all()
    asking = [row.triage_attempt for row in rows if row.triage_attempt and row.triage in STILL_TO_ASK]
    tries = {}
    for start in range(0, len(asking), 400):
        for one in conn.execute(_TRIES, {"ids": asking[start : start + 400]}):
            tries[one.id] = one
    legs = conn.execute(_SERVED_OR_WANTED).all()
    arrived = {row.id for row in rows if row.arrived_at}
    wanted = asked_for(conn, [one for one in legs if one.wanted_at], arrived, wish_tries)
    open_ones = []
    for row in rows:
        last = tries.get(row.triage_attempt)
        open_ones.append(
            OpenIncident(
                id=row.id,
                triage=Triage(row.triage) if row.triage else None,
                tries=row.triage_tries,
                attempt=row.triage_attempt,
                attempt_ended_at=last.ended_at if last else None,
                attempt_answered_at=last.answered_at if last else None,
                attempt_outcome=last.outcome if last else None,
                worst=row.worst,
                risk=row.risk,
                opened_at=row.opened_at,
                held_back=row.dial_after is not None and row.dial_after > now,
                asked_for=row.id in wanted,
                family_started=row.family == Family.STARTED,
            )
        )
    live = [
        LiveLeg(
            incident_id=row.incident_id,
            uniqueid=row.uniqueid,
            role=Role(row.role),
            phone=row.phone,
            came_to_us=row.lease_owner == CALLER,
            answered=row.answered_at is not None,
            accepted=row.accepted_at is not None,
        )
        for row in conn.execute(_LIVE)
    ]
    return StormLook(
        active=bool(state and state.active),
        forced=state.forced if state else None,
        open=open_ones,
        live=live,
        served=frozenset(one.incident_id for one in legs if one.accepted_at and one.role in STAFF),
        seats_ready=conn.scalar(_READY) or 0,
        alarms_last_min=conn.scalar(_RATE, {"since": now - timedelta(seconds=60)}) or 0,
        ordinary_calls=conn.scalar(_ORDINARY, {"since": now - LONGEST_CALL}) or 0,
    )


__all__ = ["SqlStorm"]
