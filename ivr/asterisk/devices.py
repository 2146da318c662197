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

    def heard(self, device: str, state: str) -> None:
        technology, _, extension = device.partition("/")
        if technology == "PJSIP" and extension.isdigit():
            self._states[extension] = _WORDS.get(state.upper().replace(" ", "_"), "unknown")

    def forget(self) -> None:
        self._states.clear()

    def state(self, extension: str) -> str:
        return self._states.get(extension, "unknown")

    def all(self) -> dict[str, str]:
        return dict(self._states)
