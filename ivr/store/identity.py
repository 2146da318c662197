"""Who the elder of an incident is, as a person says it: an unknown caller, a number that several share, a mistake."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select, update

from ivr.domain.incident import AlreadyClosed, Role, UnknownElder, UnknownIncident
from ivr.domain.people import Match
from ivr.store import family, packages
from ivr.store.db import Store
from ivr.store.tables import call, elder, event, incident, leg, package
from ivr.store.tx import Tx

IDENTIFIED = "incident.identified"


class SqlIdentity:
    """Implements the console's port `Identity`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def name_elder(self, incident_id: str, elder_no: str, *, by: str) -> bool:
        """From here on file, family, helper, hospital and consent are this elder's; False when they were before.

        Raises:
            UnknownIncident, AlreadyClosed, UnknownElder
        """

        def change(tx: Tx) -> bool:
            row = tx.conn.execute(
                select(incident.c.state, incident.c.elder_no).where(incident.c.id == incident_id)
            ).first()
            if row is None:
                raise UnknownIncident(incident_id)
            if row.state != "open":
                raise AlreadyClosed(incident_id)
            name = tx.conn.scalar(select(elder.c.name).where(elder.c.elder_no == elder_no))
            if name is None:
                raise UnknownElder(elder_no)
            if row.elder_no == elder_no:
                return False
            tx.conn.execute(
                update(incident).where(incident.c.id == incident_id).values(elder_no=elder_no, elder_choices=[elder_no])
            )
            his_lines = (leg.c.incident_id == incident_id, leg.c.role == Role.ELDER)
            tx.conn.execute(update(leg).where(*his_lines).values(name=name))
            tx.conn.execute(update(call).where(call.c.incident_id == incident_id).values(elder_no=elder_no))
            family.withdraw_others(tx, incident_id, elder_no)
            family.add(tx, incident_id, [elder_no])
            corrected = {"was": row.elder_no} if row.elder_no else {}
            tx.event(IDENTIFIED, incident_id=incident_id, elder_no=elder_no, by=by, **corrected)
            _tell_those_who_were_told(tx, incident_id)
            return True

        return await self._store.write(change)


def as_named(tx: Tx, incident_id: str, match: Match) -> Match:
    """What a joining alarm says of the elder, less what a person has ruled out: he rang from the telephone that two
    share, and that he is the one of them is known."""
    if match.elder_no is not None or not match.choices:
        return match
    told = tx.conn.execute(select(event.c.data).where(event.c.incident_id == incident_id, event.c.kind == IDENTIFIED))
    if not any(row.data.get("by") for row in told):
        return match
    named = tx.conn.scalar(select(incident.c.elder_no).where(incident.c.id == incident_id))
    return replace(match, choices=(named,) if named else ())


def _tell_those_who_were_told(tx: Tx, incident_id: str) -> None:
    """Whoever has a package without a patient, or with a wrong one, is sent the next number."""
    targets = select(package.c.target).where(package.c.incident_id == incident_id).distinct()
    for target in list(tx.conn.scalars(targets)):
        packages.queue(tx, incident_id, target, ambulance=True)
