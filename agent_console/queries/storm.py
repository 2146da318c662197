"""Whether there is a storm, how far it has been asked through, and the order of its incidents."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, case, func, select

from agent_console.api.shapes import StormOut
from ivr.domain.incident import Role
from ivr.domain.storm import CALLED_US, ON_THE_LINE, Triage
from ivr.store.storm import CALLER
from ivr.store.tables import incident, leg, leg_attempt, storm

_STATE = select(storm)
_COUNTS = select(incident.c.triage, func.count()).where(incident.c.state == "open").group_by(incident.c.triage)
_MODES = {True: "on", False: "off", None: "auto"}
_ELDERS_LINES = (
    select(
        leg_attempt.c.incident_id.label("id"),
        func.max(case((leg_attempt.c.lease_owner == CALLER, CALLED_US), else_=ON_THE_LINE)).label("more"),
    )
    .join(leg, leg.c.id == leg_attempt.c.leg_id)
    .where(leg_attempt.c.ended_at.is_(None), leg_attempt.c.accepted_at.is_not(None), leg.c.role == Role.ELDER)
    .group_by(leg_attempt.c.incident_id)
    .subquery()
)
RANK = incident.c.risk + func.coalesce(_ELDERS_LINES.c.more, 0)
"""As `ivr.domain.storm.rank`: what is stored, and more while the elder is on the line."""


def state(conn: Connection) -> StormOut:
    row = conn.execute(_STATE).first()
    counts = {triage: int(number) for triage, number in conn.execute(_COUNTS)}
    return StormOut(
        active=bool(row and row.active),
        mode=_MODES[row.forced if row else None],
        since=row.since if row else None,
        by=row.by if row else None,
        open=sum(counts.values()),
        unasked=counts.get(None, 0),
        **{one.value: counts.get(one.value, 0) for one in Triage},
    )


def is_active(conn: Connection) -> bool:
    return bool(conn.scalar(select(storm.c.active)))


def by_risk() -> Select[Any]:
    """Open incidents, the most urgent first; among equals who came first."""
    return (
        select(incident, RANK.label("rank"))
        .outerjoin(_ELDERS_LINES, _ELDERS_LINES.c.id == incident.c.id)
        .where(incident.c.state == "open")
        .order_by(RANK.desc(), incident.c.id)
    )
