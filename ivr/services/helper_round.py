"""The part of an incident's round that is about those who come: legs that a person wanted, and the offer to workers.

Reads what is on record, decides (`domain/wishes.py`, `domain/offer.py`) and says whom to dial; the runner dials. A
fault here costs no agent and no relative his call.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ivr.domain import offer as offering
from ivr.domain import wishes as wishing
from ivr.domain.incident import IncidentView, LegView, Role
from ivr.domain.numbers import is_dialable
from ivr.domain.offer import Candidate, Offer, OfferPolicy
from ivr.domain.wishes import WishPolicy

log = logging.getLogger(__name__)

AFTER_FAULT_S = 1.0


class Wishes(Protocol):
    async def want(
        self,
        incident_id: str,
        role: Role,
        phone: str,
        *,
        name: str,
        by: str,
        worker_no: str | None = None,
        offer_id: str | None = None,
    ) -> Any: ...
    async def want_helper(self, incident_id: str, *, by: str, skill: str | None = None) -> bool: ...
    async def was_offered(self, incident_id: str) -> bool: ...
    async def offer_of(self, incident_id: str) -> Offer | None: ...
    async def candidates(self, incident_id: str, skill: str | None) -> Sequence[Candidate]: ...
    async def hospital_for(
        self, incident_id: str, *, contracted: bool, without: frozenset[str] = frozenset()
    ) -> tuple[str, str] | None: ...
    async def tell_ambulance(self, incident_id: str) -> bool: ...
    async def end_offer(self, offer_id: str, outcome: str) -> None: ...
    async def failed(self, incident_id: str, leg_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class HelperDeeds:
    dial: tuple[tuple[Role, str, str], ...] = ()  # role, phone, name
    cancel: tuple[str, ...] = ()  # leg ids
    wanted: frozenset[str] = frozenset()  # legs that a person wants: no other rule stops them
    late: bool = False  # two workers had their time, and none goes: a person is to know
    look_again_s: float | None = None


NOTHING = HelperDeeds()


class HelperRound:
    def __init__(
        self,
        wishes: Wishes,
        offer: OfferPolicy,
        *,
        always: bool = False,
        policy: WishPolicy | None = None,
        ambulance: str = "",
        may_offer: bool = True,
    ) -> None:
        """`always`: a worker is offered the way for every incident, not only when somebody asks."""
        self._ambulance = ambulance
        self._may_offer = may_offer
        self._wishes = wishes
        self._offer = offer
        self._always = always
        self._policy = policy or WishPolicy()
        # What was put on record already; a restart asks the record once more.
        self._told: set[tuple[str, datetime]] = set()
        self._offered: set[str] = set()

    async def hospital(self, view: IncidentView) -> bool:
        """Nobody of the centre could be had: the hospital contracted for the district is wanted like by a person; when
        it cannot be had the next such, then 120, and where there is no number for 120 any other hospital; 120 is sent
        the package then, where it takes any. Each once. False when there is none (any more)."""
        tried = frozenset(leg.phone for leg in view.of(Role.HOSPITAL) if leg.attempts)
        found = await self._wishes.hospital_for(view.id, contracted=True, without=tried)
        if found is None and self._ambulance and self._ambulance not in tried:
            found = "120", self._ambulance
        told = False
        if found is None and not self._ambulance:
            told = await self._wishes.tell_ambulance(view.id)
            found = await self._wishes.hospital_for(view.id, contracted=False, without=tried)
        if found is None:
            return told
        name, phone = found
        await self._wishes.want(view.id, Role.HOSPITAL, phone, name=name, by="policy")
        return True

    async def worker(self, view: IncidentView) -> None:
        """The elder cannot be reached: a worker is offered the way too, once; not where that is `never`."""
        if self._may_offer and view.id not in self._offered:
            if not await self._wishes.was_offered(view.id):
                await self._wishes.want_helper(view.id, by="policy")
            self._offered.add(view.id)

    async def decide(self, view: IncidentView, now: datetime) -> HelperDeeds:
        """Never raises: whatever fails here is looked at again in a moment."""
        try:
            wished = await self._wished(view, now)
        except Exception as exc:
            log.error("incident %s: wishes failed: %s", view.id, type(exc).__name__)
            wished = HelperDeeds(look_again_s=AFTER_FAULT_S)
        try:
            offered = await self._offering(view, now)
        except Exception as exc:
            log.error("incident %s: the offer failed: %s", view.id, type(exc).__name__)
            offered = HelperDeeds(look_again_s=AFTER_FAULT_S)
        return HelperDeeds(
            wished.dial + offered.dial,
            tuple(leg for leg in offered.cancel if leg not in wished.wanted),
            wished.wanted,
            offered.late,
            min((at for at in (wished.look_again_s, offered.look_again_s) if at is not None), default=None),
        )

    async def _wished(self, view: IncidentView, now: datetime) -> HelperDeeds:
        step = wishing.next_step(view.legs, self._policy, now)
        by_id = {leg.id: leg for leg in view.legs}
        hopeless = [leg_id for leg_id in step.dial if not is_dialable(by_id[leg_id].phone)]
        for leg_id in (*step.failed, *hopeless):
            await self._give_up(view, by_id[leg_id])
        return HelperDeeds(
            tuple((by_id[one].role, by_id[one].phone, "") for one in step.dial if one not in hopeless),
            wanted=frozenset(leg.id for leg in view.legs if wishing.is_wanted(leg, self._policy)),
            look_again_s=step.look_again_s,
        )

    async def _give_up(self, view: IncidentView, leg: LegView) -> None:
        assert leg.wish is not None
        if (leg.id, leg.wish.since) not in self._told:
            await self._wishes.failed(view.id, leg.id)
            self._told.add((leg.id, leg.wish.since))

    async def _offering(self, view: IncidentView, now: datetime) -> HelperDeeds:
        if self._always and view.id not in self._offered:
            if not await self._wishes.was_offered(view.id):
                await self._wishes.want_helper(view.id, by="policy")
            self._offered.add(view.id)
        offer = await self._wishes.offer_of(view.id)
        if offer is None:
            return NOTHING
        step = offering.next_step(offer, view.legs, None, self._offer, now)
        if step.needs_ranking:
            ranking = await self._wishes.candidates(view.id, offer.skill)
            step = offering.next_step(offer, view.legs, ranking, self._offer, now)
        if step.accepted and not step.cancel:
            await self._wishes.end_offer(offer.id, "accepted")
        if step.exhausted:
            await self._wishes.end_offer(offer.id, "exhausted")
        dial: tuple[tuple[Role, str, str], ...] = ()
        if (one := step.ask) is not None:
            # On record first: killed here, the next engine asks the same worker.
            await self._wishes.want(
                view.id, Role.WORKER, one.phone, name=one.name, by="offer", worker_no=one.worker_no, offer_id=offer.id
            )
            dial = ((Role.WORKER, one.phone, one.name),)
        late_in = 2 * self._offer.next_after_s - (now - offer.since).total_seconds()
        waits = [seconds for seconds in (step.look_again_s, late_in) if seconds is not None and seconds > 0]
        return HelperDeeds(
            dial, step.cancel, late=late_in <= 0 and not step.accepted, look_again_s=min(waits, default=None)
        )
