"""Journal rows as they are shown."""

from __future__ import annotations

from typing import Any

from agent_console.api.shapes import EventOut

NAMES = ("incident_id", "leg_id", "call_id", "ticket_no", "extension")


def event_out(row: Any) -> EventOut:
    """From a table row or an `ivr.store.journal.Event`; what is empty is left out."""
    known = {name: value for name in NAMES if (value := getattr(row, name)) is not None}
    return EventOut.model_validate({**row.data, **known, "seq": row.seq, "at": row.at, "kind": row.kind})
