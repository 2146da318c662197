"""Hang-up causes (Q.850, as res_pjsip maps SIP replies) and Originate reasons, in our outcomes."""

from __future__ import annotations

from ivr.domain.incident import Outcome

_BY_CAUSE = {
    1: Outcome.UNREACHABLE,
    2: Outcome.UNREACHABLE,
    3: Outcome.UNREACHABLE,
    17: Outcome.BUSY,
    18: Outcome.NO_ANSWER,
    19: Outcome.NO_ANSWER,
    20: Outcome.UNREACHABLE,
    21: Outcome.DECLINED,
    22: Outcome.UNREACHABLE,
    27: Outcome.UNREACHABLE,
    28: Outcome.UNREACHABLE,
    34: Outcome.FAILED,
    38: Outcome.FAILED,
    41: Outcome.FAILED,
    42: Outcome.FAILED,
    44: Outcome.FAILED,
}
# The number of the control frame that ended an Originate (manager.c OriginateResponse).
_BY_REASON = {
    0: Outcome.UNREACHABLE,
    1: Outcome.NO_ANSWER,
    3: Outcome.NO_ANSWER,
    5: Outcome.BUSY,
    8: Outcome.UNREACHABLE,
}


def outcome_of_cause(cause: int) -> Outcome:
    """How a leg that nobody answered ended. 0 and 16 are our own ring time-out."""
    return _BY_CAUSE.get(cause, Outcome.NO_ANSWER)


def outcome_of_reason(reason: int) -> Outcome:
    return _BY_REASON.get(reason, Outcome.FAILED)
