"""Whether the trunks answer. Asterisk asks each by OPTIONS (`qualify_frequency`); any SIP answer counts.

A call goes out by the first that answers (the endpoint's `aors` in their order; res_pjsip, `location.c`). What
was sent to one that has just died would ring nowhere until its time is over: it is taken back and dialled again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from ivr.asterisk.ami import AmiError
from ivr.asterisk.link import AsteriskLink

log = logging.getLogger(__name__)

LOOK_S = 0.5
"""Of two cheap questions to Asterisk each; with OPTIONS every 2 s and 1 s of patience the second trunk has the call
within 4 s of the first one's death."""
FIRST, SECOND = "trunk", "trunk2"
SECOND_CARRIES = "second"
ANSWERS = {"Reachable": True, "Unreachable": False}


class Trunks:
    """`run` belongs into the engine's TaskGroup."""

    def __init__(self, link: AsteriskLink, names: Sequence[str], on_lost: Callable[[], Awaitable[None]]) -> None:
        """`names`: of the AORs, none where nobody asks them. `on_lost`: the one that calls went out by is gone."""
        self._link = link
        self._names = names
        self._on_lost = on_lost
        self._answers: dict[str, bool] = {}

    def state(self) -> str | None:
        """`ok`, `second` (the first is gone, the second carries), `down`, or None where it is not known."""
        if FIRST not in self._answers:
            return None
        if self._answers[FIRST]:
            return "ok"
        return SECOND_CARRIES if self._answers.get(SECOND) else "down"

    async def run(self) -> None:
        """Until cancelled; at once over where there is nothing to ask."""
        while self._names:
            before = self.state()
            try:
                for name in self._names:
                    await self._look_at(name)
            except AmiError:
                self._answers = {}
            now = self.state()
            if now != before and now is not None:
                log.log(logging.INFO if now == "ok" else logging.ERROR, "trunk: %s", now)
                if before == "ok" and now == SECOND_CARRIES:
                    await self._lost()
            await asyncio.sleep(LOOK_S)

    async def _lost(self) -> None:
        try:
            await self._on_lost()
        except Exception as exc:  # the audit finds them later
            log.error("calls on a dead trunk could not be taken back: %s", type(exc).__name__)

    async def _look_at(self, name: str) -> None:
        """One that was not asked yet (an Asterisk that has just begun) is neither here nor gone."""
        contact = await self._ask(f"PJSIP_AOR({name},contact)")
        says = await self._ask(f"PJSIP_CONTACT({contact},status)") if contact else ""
        if says in ANSWERS:
            self._answers[name] = ANSWERS[says]
        else:
            self._answers.pop(name, None)

    async def _ask(self, function: str) -> str:
        return (await self._link.act("Getvar", Variable=function))["value"].split(",")[0]
