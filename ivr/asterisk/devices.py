"""Which telephones are idle, and Asterisk's word for it in ours."""

from __future__ import annotations

IDLE = "idle"
_WORDS = {
    "NOT_INUSE": IDLE,
    "INUSE": "in_use",
    "BUSY": "in_use",
    "ONHOLD": "in_use",
    "RINGING": "ringing",
    "RINGINUSE": "in_use",
    "UNAVAILABLE": "unavailable",
    "INVALID": "unavailable",
}


class Devices:
    """Device states as last heard; filled from DeviceStateList after each connect, then kept by events."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}

    def heard(self, device: str, state: str) -> bool:
        """True when somebody may have to act: a seat's telephone became idle, or went away. Not while it rings or
        talks (that is our own doing), and not for the trunk, whose state changes with every call."""
        technology, _, extension = device.partition("/")
        if technology != "PJSIP" or not extension.isdigit():
            return False
        before = self._states.get(extension)
        now = self._states[extension] = _WORDS.get(state.upper().replace(" ", "_"), "unknown")
        return now != before and now not in ("ringing", "in_use")

    def forget(self) -> None:
        self._states.clear()

    def state(self, extension: str) -> str:
        return self._states.get(extension, "unknown")

    def all(self) -> dict[str, str]:
        return dict(self._states)
