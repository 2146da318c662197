"""When an incident may be closed though nobody is known to have arrived: with an explanation, not with a word. Pure."""

from __future__ import annotations

from dataclasses import dataclass

DIFFERENT = 3
"""Letters, digits or Chinese characters that an explanation has at least: "啊啊啊啊啊啊" is none, nor is "……"."""
SELF_EXPLAINED = frozenset({"false_alarm", "test"})
"""Outcomes that say themselves why nobody had to come."""


@dataclass(frozen=True, slots=True)
class Closing:
    """What is on record when somebody wants to close it."""

    arrived: bool
    sent: bool  # a worker or a hospital was wanted, or the way was offered
    called_off: bool = False  # by the elder's own word it was a mistake, which had to be explained then
    said_safe: bool = False  # the elder himself, to the machine that asked

    def needs_explanation(self, outcome: str) -> bool:
        """Whoever was sent and has not arrived is always explained: he may stand at the wrong door."""
        if self.arrived:
            return False
        return self.sent or not (self.called_off or self.said_safe or outcome in SELF_EXPLAINED)


def is_explanation(reason: str, least: int) -> bool:
    """`least`: characters, spaces not counted."""
    said = [one for one in reason.casefold() if not one.isspace() and one.isprintable()]
    return len(said) >= least and len({one for one in said if one.isalnum()}) >= min(DIFFERENT, least)
