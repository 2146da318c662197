"""Names of recordings below their folder: `ROOM/leg-UNIQUEID-TAKE.wav`, `ROOM/room-EPOCH.wav`: ids, never a person.

Asterisk makes them (`dialplans/emergency.conf.j2`, `asterisk-conf/confbridge.conf.j2`), the room's under a name of its
own beside the folders; whatever is called otherwise is none of ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(
    r"(?P<incident>[0-7][0-9A-HJKMNP-TV-Z]{25})/(?:leg-(?P<uniqueid>[0-9A-Z][0-9A-Z.]{0,59})-[0-9]{1,4}|room(?:-[0-9]{1,12})?)\.wav"
)

_BESIDE = re.compile(r"confbridge-(?P<incident>[0-7][0-9A-HJKMNP-TV-Z]{25})-(?P<epoch>[0-9]{1,12})\.wav")


@dataclass(frozen=True, slots=True)
class Named:
    """Whose recording it is. `uniqueid`: the leg's channel; None: the room as a whole."""

    incident_id: str
    uniqueid: str | None


def named(file: str) -> Named | None:
    """What a file's name below the folder says; None for anything that is not ours."""
    found = _NAME.fullmatch(file)
    return Named(found["incident"], found["uniqueid"]) if found else None


def place_of(beside: str) -> str | None:
    """Where a room's recording belongs that lies beside the folders, as ConfBridge names it."""
    found = _BESIDE.fullmatch(beside)
    return f"{found['incident']}/room-{found['epoch']}.wav" if found else None
