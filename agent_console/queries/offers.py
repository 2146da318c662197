"""What is on record about sending help: the offer to workers, and packages on their way."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from agent_console.api.shapes import OfferOut, PackageOut
from ivr.store.tables import offer, package


def offer_of(conn: Connection, incident_id: str) -> OfferOut | None:
    """The latest."""
    row = conn.execute(
        select(offer).where(offer.c.incident_id == incident_id).order_by(offer.c.id.desc()).limit(1)
    ).first()
    if row is None:
        return None
    return OfferOut(
        wanted_at=row.wanted_at, wanted_by=row.wanted_by, skill=row.skill, ended_at=row.ended_at, outcome=row.outcome
    )


def packages_of(conn: Connection, incident_id: str) -> list[PackageOut]:
    rows = conn.execute(
        select(package).where(package.c.incident_id == incident_id).order_by(package.c.queued_at, package.c.id)
    )
    return [_package(row) for row in rows]


def latest_package(conn: Connection, incident_id: str, target: str) -> PackageOut:
    """Of those for this target; there is one."""
    mine = select(package).where(package.c.incident_id == incident_id, package.c.target == target)
    return _package(conn.execute(mine.order_by(package.c.number.desc()).limit(1)).one())


def _package(row: Any) -> PackageOut:
    return PackageOut(
        id=row.id,
        target=row.target,
        number=row.number,
        state=row.state,
        tries=row.tries,
        why=row.why,
        queued_at=row.queued_at,
        ended_at=row.ended_at,
    )
