"""The routine queue's members follow the seats on record."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from ivr.asterisk.ami import AmiError
from ivr.asterisk.link import AsteriskLink, Member

log = logging.getLogger(__name__)
QUEUE = "hotline"
PARKED = "parked"
"""Why the dialplan paused a seat: its caller was parked for an emergency and comes back to it first."""


async def sync_members(
    link: AsteriskLink, seats: Mapping[str, str], members: Mapping[str, Member], parked: Collection[str] = ()
) -> None:
    """`seats`: extension -> ready | paused | away. Adds, pauses and removes what differs; safe to repeat.

    `parked`: seats whose parked caller still waits for them.
    """
    for extension, state in seats.items():
        interface = f"PJSIP/{extension}"
        member = members.get(interface)
        # Whose pause it is: one for a parked caller ends by the dialplan, unless that caller is gone.
        kept = member is not None and member.paused and member.reason == PARKED and extension in parked
        paused = state == "paused" or kept
        try:
            if state == "away" and member is not None:
                await link.act("QueueRemove", Queue=QUEUE, Interface=interface)
            elif state != "away" and member is None:
                await link.act(
                    "QueueAdd",
                    Queue=QUEUE,
                    Interface=interface,
                    MemberName=extension,
                    StateInterface=interface,
                    Paused="true" if paused else "false",
                )
            elif state != "away" and member is not None and member.paused != paused:
                await link.act("QueuePause", Queue=QUEUE, Interface=interface, Paused="true" if paused else "false")
        except AmiError as exc:
            log.warning("seat %s could not be set in the queue: %s", extension, exc)
    for interface in members:
        if interface.partition("/")[2] not in seats:
            try:
                await link.act("QueueRemove", Queue=QUEUE, Interface=interface)
            except AmiError as exc:
                log.warning("a stale queue member stays: %s", exc)
