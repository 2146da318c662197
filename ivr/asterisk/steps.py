"""The AGI steps the dialplan names, each handed to its journey."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from ivr.asterisk.agi_call import AgiCall
from ivr.asterisk.agi_speech import ChooseEngine, no_ears
from ivr.asterisk.fastagi import AgiSession
from ivr.asterisk.listening import AgiListener
from ivr.callflows import helpers, legs
from ivr.callflows.arrival import arriving_call
from ivr.callflows.hotline import unanswered_call
from ivr.callflows.listening import listen_to_waiting
from ivr.callflows.seat import seat_call
from ivr.callflows.triage import triage_leg
from ivr.callflows.wish import busy_call
from ivr.domain.incident import ArrivedCall, Role
from ivr.services.incident_desk import IncidentDesk
from ivr.services.listening_desk import ListeningDesk
from ivr.services.ports import Seats, StoreUnavailable
from ivr.services.ticket_desk import TicketDesk
from ivr.services.triage_desk import TriageDesk

log = logging.getLogger(__name__)
_LEG = re.compile(r"[0-9A-Za-z.-]{1,150}")
"""A leg's channel: our ULID for one that we dialled, Asterisk's own id for a seat that was taken from a call."""

_LEG_FLOWS = {
    Role.AGENT: legs.agent_leg,
    Role.SUPERVISOR: legs.duty_leg,
    Role.FAMILY: legs.family_leg,
    Role.ELDER: legs.elder_leg,
    Role.WORKER: helpers.worker_leg,
    Role.HOSPITAL: helpers.hospital_leg,
}


def prompt_seconds(sounds: Path, prompt: str) -> float:
    """How long a prompt plays, from its size: 8,000 A-law bytes a second, 16,000 in a centre's own WAV."""
    for suffix, per_second in ((".alaw", 8000), (".ulaw", 8000), (".wav", 16000), (".sln", 16000), (".gsm", 1650)):
        file = sounds / f"{prompt}{suffix}"
        if file.is_file():
            return file.stat().st_size / per_second
    return 10.0


class Steps:
    def __init__(
        self, node: str, incidents: IncidentDesk, tickets: TicketDesk, seats: Seats,
        *, one_key_number: str, duty_phone: bool, sounds: Path, urgent_ears: ChooseEngine = no_ears,
        listening: ListeningDesk | None = None, ordinary_ears: ChooseEngine = no_ears,
        ask_wish: bool = False, triage: TriageDesk | None = None,
    ) -> None:  # fmt: skip
        self._node = node
        self._incidents = incidents
        self._tickets = tickets
        self._seats = seats
        self._one_key_number = one_key_number
        self._urgent_ears = urgent_ears
        self._ordinary_ears = ordinary_ears
        self._listening = listening
        self._ask_wish = ask_wish
        self._triage = triage
        self._duty_phone = duty_phone
        self._sounds = sounds

    def _seconds(self, prompt: str) -> float:
        # Not remembered: one stat, and a recording may be exchanged under a living engine (the lease counts on it).
        return prompt_seconds(self._sounds, prompt)

    async def handle(self, session: AgiSession) -> None:
        """One AGI connection. Anything that fails ends without the marker: the dialplan's other way."""
        step = session.env["agi_network_script"].strip("/").partition("?")[0]
        try:
            match step:
                case "arrival":
                    await self._arrival(session)
                case "unanswered":
                    await self._unanswered(session)
                case "leg":
                    await self._leg(session)
                case "seat":
                    call = AgiCall(session, self._seconds)
                    await seat_call(call, self._seats, session.argument(2), session.argument(1))
                case "listen" if self._listening is not None:
                    renew = AgiCall(session, self._seconds).renew
                    listener = AgiListener(session, renew, self._ordinary_ears(), self._seconds)
                    await listen_to_waiting(listener, self._listening, session.argument(1))
                case _:
                    log.warning("an AGI step that does not exist was asked for")
        except StoreUnavailable:
            log.error("the database does not answer: the lifeline takes this call")

    async def _arrival(self, session: AgiSession) -> None:
        call = AgiCall(session, self._seconds, did=session.argument(1), caller=session.argument(2))
        arrived = ArrivedCall(self._node, call.uniqueid, call.linkedid, call.did, call.caller_id)
        await arriving_call(call, arrived, self._incidents, self._tickets, self._one_key_number)

    async def _unanswered(self, session: AgiSession) -> None:
        why, call_id = session.argument(1), session.argument(2)
        call = AgiCall(session, self._seconds, ears=self._ordinary_ears)
        if self._ask_wish and self._listening is not None and why != "DUTY" and call.hears:
            await busy_call(call, call_id, self._tickets, self._listening, self._incidents, duty_phone=self._duty_phone)
        else:
            await unanswered_call(call, self._tickets, call_id, why, duty_phone=self._duty_phone)

    async def _leg(self, session: AgiSession) -> None:
        attempt = session.argument(1)
        found = await self._incidents.describe(attempt) if _LEG.fullmatch(attempt) else None
        if found is None:
            log.warning("an answered leg that is on no record")
            return
        role, room = found
        call = AgiCall(session, self._seconds, ears=self._urgent_ears)
        if role is Role.ELDER and self._triage is not None and await self._triage.is_asked(attempt):
            await triage_leg(call, self._triage, attempt, room)
            return
        await _LEG_FLOWS[role](call, self._incidents, attempt, room)
