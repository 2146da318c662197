"""Calls that only the lifeline saw: each spool file becomes an incident or a ticket that somebody must look at."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ivr.domain.incident import ArrivedCall
from ivr.domain.numbers import normalise
from ivr.services.incident_desk import call_alarm
from ivr.services.ports import Calls, Incidents, StoreUnavailable
from ivr.services.ticket_desk import TicketDesk

log = logging.getLogger(__name__)
POLL_S = 0.5
MAX_BYTES = 10_000
RESERVED, BLANK_BYTES = 64, 4096
"""One block each: calls that can be put on record while the disk is full and the engine cannot write."""


@dataclass(frozen=True, slots=True)
class SpooledCall:
    at: datetime
    arrived: ArrivedCall
    was_emergency: bool


def parse(raw: bytes, node: str) -> SpooledCall:
    """Raises ValueError naming the field that is wrong."""
    if len(raw) > MAX_BYTES:
        raise ValueError(f"over {MAX_BYTES} bytes")
    data = json.loads(raw.decode("utf-8", "replace"))
    if not isinstance(data, dict) or not all(isinstance(v, str) for v in data.values()):
        raise ValueError("not an object of strings")
    if not data.get("uniqueid"):
        raise ValueError("uniqueid is missing")
    at = datetime.fromisoformat(data["at"]) if data.get("at") else datetime.now(UTC)
    uniqueid = data["uniqueid"][:150]
    arrived = ArrivedCall(
        node,
        uniqueid,
        (data.get("linkedid") or uniqueid)[:150],
        data.get("did", "")[:20],
        normalise(data.get("caller_id")),
    )
    return SpooledCall(at, arrived, bool(data.get("room") or data.get("cried")))


def keep_reserve(folder: Path) -> None:
    """Blank files for the lifeline: with the disk full a call is written onto one of them."""
    reserve = folder.with_name("spool-reserve")
    try:
        reserve.mkdir(parents=True, exist_ok=True)
        missing = {f"{n:03d}.blank" for n in range(RESERVED)} - set(os.listdir(reserve))
        for name in sorted(missing):
            fresh = reserve / f"{name}.new"
            try:
                fresh.write_bytes(b" " * BLANK_BYTES)
                fresh.rename(reserve / name)
            finally:
                fresh.unlink(missing_ok=True)
    except OSError as exc:
        log.error("no reserve for the lifeline now: %s", exc.strerror)


class SpoolWatch:
    """Looks twice a second: a hung engine that wakes up finds its spool without a restart."""

    def __init__(
        self, folder: Path, node: str, one_key_number: str, incidents: Incidents, tickets: TicketDesk, calls: Calls
    ) -> None:
        self._folder = folder
        self._node = node
        self._one_key_number = one_key_number
        self._incidents = incidents
        self._tickets = tickets
        self._calls = calls

    async def run(self) -> None:
        while True:
            await asyncio.to_thread(keep_reserve, self._folder)
            for path in await asyncio.to_thread(lambda: sorted(self._folder.glob("*.json"))):
                try:
                    await self._take(path)
                except StoreUnavailable:
                    break  # it stays where it is
                except Exception as exc:
                    # It may be somebody's cry for help: nothing but its own content ever puts it aside.
                    log.error("spool file %s stays for the next look: %s", path.name, type(exc).__name__)
            await asyncio.sleep(POLL_S)

    async def _take(self, path: Path) -> None:
        raw = await asyncio.to_thread(path.read_bytes)
        try:
            spooled = parse(raw, self._node)
        except (ValueError, RecursionError) as exc:
            log.error("spool file %s is kept aside: %s", path.name, exc)
            path.rename(path.with_suffix(".bad"))
            return
        arrived = spooled.arrived
        emergency = spooled.was_emergency or arrived.did == self._one_key_number
        call_id = None if emergency else await self._tickets.open(arrived)
        if call_id is None:
            await self._incidents.raise_alarm(call_alarm(arrived, source="lifeline", needs_look=True))
        else:
            await self._calls.outcome(call_id, "lifeline", call_back=True)
        path.unlink()  # only now: it is on record
