"""Which changes of a telephone's state call for somebody to act."""

from __future__ import annotations

import pytest

from ivr.asterisk.devices import IDLE, Devices


@pytest.mark.parametrize(
    ("states", "acts"),
    [
        (["NOT_INUSE"], [True]),
        (["NOT_INUSE", "NOT_INUSE"], [True, False]),
        (["NOT_INUSE", "RINGING", "INUSE", "NOT_INUSE"], [True, False, False, True]),
        (["RINGING", "UNAVAILABLE"], [False, True]),
    ],
)
def test_a_seat_that_becomes_idle_or_goes_away_matters_one_that_rings_does_not(
    states: list[str], acts: list[bool]
) -> None:
    devices = Devices()
    assert [devices.heard("PJSIP/1001", state) for state in states] == acts


def test_the_trunk_changes_with_every_call_and_is_no_seat() -> None:
    devices = Devices()
    assert not devices.heard("PJSIP/trunk", "NOT_INUSE")
    assert not devices.heard("Queue:hotline", "NOT_INUSE")
    assert devices.heard("PJSIP/1001", "NOT_INUSE")
    assert devices.all() == {"1001": IDLE}
