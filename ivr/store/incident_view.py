"""All that is needed to decide about one incident, read in one look: `IncidentView`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, func, select

from ivr.domain.cascade import is_available
from ivr.domain.incident import IncidentView, LegState, LegView, Outcome, Role
from ivr.domain.joining import QUIET
from ivr.store.tables import alarm, contact, elder, incident, leg, leg_attempt, offer
from ivr.store.wishes import wish_of

# Contacts' hours are China's, whatever the server's clock shows; no daylight saving since 1991.
CHINA = timezone(timedelta(hours=8))
CALLER = "caller"
"""Who "leases" the attempt that is an elder's own call."""
STAFF = (Role.AGENT, Role.SUPERVISOR)
# Asked in every round of an incident, and for every channel that rings, answers or ends: built once.
_INCIDENT: BindParameter[str] = bindparam("incident")
_HEAD = (
    select(
        incident.c.state,
        incident.c.family,
        incident.c.opened_at,
        incident.c.elder_choices,
        incident.c.dial_after,
        incident.c.arrived_at,
        elder.c.consent_hospital,
        elder.c.phone,
        elder.c.mobile,
    )
    .outerjoin(elder, elder.c.elder_no == incident.c.elder_no)
    .where(incident.c.id == _INCIDENT)
)
_LEGS = select(leg).where(leg.c.incident_id == _INCIDENT)
_ATTEMPTS = select(leg_attempt).where(leg_attempt.c.incident_id == _INCIDENT).order_by(leg_attempt.c.attempt_no)
_ALARMS = (
    select(alarm.c.received_at, alarm.c.phone, alarm.c.kind)
    .where(alarm.c.incident_id == _INCIDENT)
    .order_by(alarm.c.id)
)
_OFFERED = select(func.min(offer.c.wanted_at)).where(offer.c.incident_id == _INCIDENT)
WORSE = "worse"
"""Kind of the alarm that is an elder's worse answer."""
REFUSED_FREE = 3
"""So many refusals cost a relative no round; each is followed by a rest (`CascadePolicy.failed_rest_s`)."""
CRY_AGAIN = timedelta(seconds=60)
"""As long as alarm and call of one elder are one incident."""
_HOURS = select(contact.c.phone, contact.c.available_from, contact.c.available_to).where(
    contact.c.elder_no.in_(bindparam("elders", expanding=True))
)


def incident_view(conn: Connection, incident_id: str, now: datetime) -> IncidentView | None:
    asked = {"incident": incident_id}
    head = conn.execute(_HEAD, asked).first()
    if head is None:
        return None
    legs = conn.execute(_LEGS, asked).all()
    attempts = conn.execute(_ATTEMPTS, asked).all()
    local = now.astimezone(CHINA).strftime("%H:%M")
    reachable: dict[str, bool] = {}
    if head.elder_choices:
        for row in conn.execute(_HOURS, {"elders": head.elder_choices}):
            now_ok = is_available(local, row.available_from, row.available_to)
            reachable[row.phone] = reachable.get(row.phone, False) or now_ok
    alarms = conn.execute(_ALARMS, asked).all()
    loud = [a for a in alarms if a.kind not in QUIET]
    since = _search_began(head.opened_at, [a.received_at for a in loud], attempts, legs)
    family_since = _family_began(since, loud, attempts, legs)
    called_from = next((a.phone for a in reversed(alarms) if a.phone), None)
    phone = called_from or head.phone or head.mobile
    view = IncidentView(incident_id, since, head.state == "closed", phone, dial_after=head.dial_after)
    view.family = head.family
    view.cries = _cries(family_since, loud)
    elders = _tell_elder(view, legs, attempts)
    _tell_arrival(conn, view, head, legs, elders)
    view.worse = bool(alarms) and alarms[-1].kind == WORSE
    for row in legs:
        every = [a for a in attempts if a.leg_id == row.id]
        last = every[-1] if every else None
        began = family_since if row.role == Role.FAMILY else since
        own = [a for a in every if a.ended_at is None or a.dialled_at >= began]
        view.legs.append(
            LegView(
                id=row.id,
                role=Role(row.role),
                phone=row.phone,
                priority=row.priority,
                state=LegState(row.state),
                attempts=_counted(row.role, own),
                lost=sum(1 for a in own if a.outcome == Outcome.LOST),
                attempt_id=last.uniqueid if last else None,
                live=last is not None and last.ended_at is None,
                dialled_at=row.dialled_at,
                answered_at=row.answered_at,
                accepted_at=row.accepted_at,
                ended_at=row.ended_at,
                ever_accepted=any(a.accepted_at is not None and a.outcome != Outcome.LOST for a in own),
                ring_until=last.lease_until if last and last.lease_owner != CALLER else None,
                outcome=Outcome(row.outcome) if row.outcome else None,
                available=reachable.get(row.phone, True),
                wish=wish_of(row, every),
            )
        )
    return view


def _counted(role: str, own: Sequence[Any]) -> int:
    """Attempts that use up a round. A relative whom the network refused has not been rung: an engine that starts while
    Asterisk goes down meets nothing but refusals, and a whole family counted as tried (make chaos)."""
    counts = sum(1 for a in own if a.outcome != Outcome.LOST)
    refused = sum(1 for a in own if a.outcome == Outcome.FAILED) if role == Role.FAMILY else 0
    return counts - min(refused, REFUSED_FREE)


def _tell_elder(view: IncidentView, legs: Sequence[Any], attempts: Sequence[Any]) -> list[Any]:
    """Whether his own call was cut, and who has spoken with him since. Returns his attempts in this search."""
    roles = {row.id: row.role for row in legs}
    elders = [
        a
        for a in attempts
        if roles.get(a.leg_id) == Role.ELDER and (a.ended_at is None or a.dialled_at >= view.opened_at)
    ]
    inbound = max((a.dialled_at for a in elders if a.lease_owner == CALLER), default=None)
    since_call = [a for a in elders if inbound is None or a.dialled_at >= inbound]
    own = next((a for a in since_call if a.lease_owner == CALLER), None)
    view.elder_lost_since = own.ended_at if own is not None else None
    view.elder_redials = sum(1 for a in since_call if a.lease_owner != CALLER and a.outcome != Outcome.LOST)
    staff = [a for a in attempts if roles.get(a.leg_id) in STAFF]
    view.elder_met = any(_together(a, b) for a in since_call for b in staff)
    return elders


def _tell_arrival(conn: Connection, view: IncidentView, head: Any, legs: Sequence[Any], elders: Sequence[Any]) -> None:
    """Whether somebody is on his way, and what has been heard of the elder since."""
    sent = [row.wanted_at for row in legs if row.wanted_at and row.role in (Role.WORKER, Role.HOSPITAL)]
    offered = conn.scalar(_OFFERED, {"incident": view.id})
    view.awaited_since = min([*sent, *([offered] if offered else [])], default=None)
    view.arrived = head.arrived_at is not None
    view.hospital_allowed = bool(head.consent_hospital)
    view.elder_last_called = max((a.ended_at for a in elders if a.ended_at), default=None)
    for a in elders:
        if a.accepted_at is not None or a.outcome == Outcome.TALKED:
            view.recalls_missed = 0
        elif view.awaited_since and a.dialled_at >= view.awaited_since and a.ended_at and a.outcome != Outcome.LOST:
            view.recalls_missed += 1


def _together(one: Any, other: Any) -> bool:
    """Both had accepted, and neither had gone before the other came. A line that Asterisk lost was cut: no talk."""
    if one.accepted_at is None or other.accepted_at is None or one.outcome == Outcome.LOST:
        return False
    return (one.ended_at is None or one.ended_at > other.accepted_at) and (
        other.ended_at is None or other.ended_at > one.accepted_at
    )


def _search_began(
    opened_at: datetime, alarms: list[datetime], attempts: Sequence[Any], legs: Sequence[Any]
) -> datetime:
    """When the present search for people began: with the incident, or with an alarm that came after all had left.

    A second press while somebody is there changes nothing; one after they have gone is a new cry for help, and it
    stays the beginning when somebody has come for it: else an acceptance of the search before would stop every phone
    that still rings for this one.
    """
    elders = {row.id for row in legs if row.role == Role.ELDER}
    helped = [a for a in attempts if a.accepted_at is not None and a.leg_id not in elders]
    return _left_before(opened_at, alarms, helped)


def _left_before(began: datetime, alarms: Sequence[datetime], helped: Sequence[Any]) -> datetime:
    for at in alarms:
        came = [a for a in helped if began <= a.accepted_at < at]
        if came and all(a.ended_at is not None and a.ended_at < at for a in came):
            began = at
    return began


def _family_began(since: datetime, loud: Sequence[Any], attempts: Sequence[Any], legs: Sequence[Any]) -> datetime:
    """When the family's present search began: an agent may still be there when a relative who had come has left, and
    what happens then the family is to know."""
    relatives = {row.id for row in legs if row.role == Role.FAMILY}
    helped = [a for a in attempts if a.accepted_at is not None and a.leg_id in relatives]
    return _left_before(since, [a.received_at for a in loud if a.received_at > since], helped)


def _cries(began: datetime, loud: Sequence[Any]) -> int:
    """Alarms after the family's search began, without those that belong to one before them: what comes within
    CRY_AGAIN is the same cry, by pendant and by telephone, or pressed and pressed again. A worse answer is a new one
    always."""
    found, last = 0, began
    for one in loud:
        if one.received_at > last and (one.kind == WORSE or one.received_at - last >= CRY_AGAIN):
            found, last = found + 1, one.received_at
    return found
