"""Where calls become incidents, and where legs say yes or no."""

from __future__ import annotations

from ivr import clock
from ivr.domain import recall, wishes
from ivr.domain.cascade import Family
from ivr.domain.incident import ArrivedCall, NewAlarm, Outcome, Role
from ivr.domain.wishes import WishPolicy
from ivr.services.ports import Calls, Incidents, Legs, Spoken, SpokenHelpers


def call_alarm(arrived: ArrivedCall, *, source: str, needs_look: bool = False) -> NewAlarm:
    """A call as an alarm. The channel is the key: engine and lifeline may both report it, it is one alarm."""
    return NewAlarm(
        source=source,
        kind="emergency_call",
        phone=arrived.caller_id,
        idempotency_key=f"call:{arrived.node}:{arrived.uniqueid}",
        call=arrived,
        needs_look=needs_look,
    )


class IncidentDesk:
    def __init__(
        self,
        incidents: Incidents,
        legs: Legs,
        calls: Calls,
        spoken: Spoken | None = None,
        helpers: SpokenHelpers | None = None,
        *,
        one_relative: bool = False,
        recording_is_said: bool = False,
    ) -> None:
        self._one_relative = one_relative
        self.recording_is_said = recording_is_said
        """At the door of the room, to whoever is neither staff nor the elder."""
        self._incidents = incidents
        self._legs = legs
        self._calls = calls
        self._spoken = spoken
        self._helpers = helpers

    async def family_prompt(self, incident_id: str, *, speech: bool = False) -> str:
        """What a relative is asked with; `speech`: where an answer by voice is understood too."""
        view = await self._legs.view(incident_id, clock.now())
        if view is not None and view.worse:
            return "family/worse"
        if self._spoken is None:
            return "family/alarm_say" if speech else "family/alarm"
        return await self._spoken.family_alarm(incident_id, speech=speech)

    async def relative_has_come(self, incident_id: str) -> bool:
        view = await self._legs.view(incident_id, clock.now())
        return view is not None and any(leg.live and leg.accepted_at for leg in view.of(Role.FAMILY))

    @property
    def one_relative(self) -> bool:
        """Only the first of the family comes into the room."""
        return self._one_relative

    async def hospital_prompt(self, incident_id: str, *, speech: bool = False) -> str:
        view = await self._legs.view(incident_id, clock.now())
        if view is not None and view.worse:
            return "hospital/worse"
        return "hospital/alarm_say" if speech else "hospital/alarm"

    async def duty_prompt(self, incident_id: str) -> str:
        return "duty/emergency" if self._spoken is None else await self._spoken.duty_alarm(incident_id)

    async def elder_prompt(self, incident_id: str) -> str:
        """What the elder hears whom we call: a person is on the line, or we are looking for one."""
        view = await self._legs.view(incident_id, clock.now())
        staff = view.of(Role.AGENT, Role.SUPERVISOR) if view else []
        return "elder/call_back" if any(leg.live and leg.accepted_at for leg in staff) else "elder/line_lost"

    async def worker_prompt(self, incident_id: str, *, speech: bool = False) -> str:
        if self._helpers is None:
            return "worker/alarm_say" if speech else "worker/alarm"
        return await self._helpers.worker_alarm(incident_id, speech=speech)

    async def hospital_details(self, incident_id: str) -> str:
        return "hospital/ask_centre" if self._helpers is None else await self._helpers.hospital_details(incident_id)

    async def is_recall(self, incident_id: str) -> bool:
        """Whether we call the elder because somebody is on the way to him; not for a person who waits for him."""
        view = await self._legs.view(incident_id, clock.now())
        if view is None or not recall.is_awaited(view):
            return False
        if any(wishes.is_called_for_a_person(leg, WishPolicy()) for leg in view.of(Role.ELDER)):
            return False
        lost = view.elder_lost_since is not None and not view.elder_met
        return not lost and not any(leg.live and leg.accepted_at for leg in view.of(Role.AGENT, Role.SUPERVISOR))

    async def no_worse(self, attempt: str) -> None:
        await self._legs.mark(attempt, Outcome.TALKED)

    async def worse(self, attempt: str, incident_id: str, why: str) -> None:
        """On record: seats, family and hospital are dialled for it; his line goes into the room."""
        await self._incidents.worsened(incident_id, why)
        await self._legs.accept(attempt, only_first=False)

    async def open(self, arrived: ArrivedCall) -> str:
        """The incident of an emergency call, opened or joined and committed; its id is also the room's name."""
        raised = await self._incidents.raise_alarm(call_alarm(arrived, source="call"))
        return raised.incident_id

    async def describe(self, attempt: str) -> tuple[Role, str] | None:
        """(role, room) of an outbound leg of ours."""
        return await self._legs.describe(attempt)

    async def accept(self, attempt: str) -> bool:
        """This person is in the room from now on."""
        return await self._legs.accept(attempt, only_first=False)

    async def accept_first(self, attempt: str) -> bool:
        """Like `accept`, for the staff: the first to answer wins, everybody else hears False."""
        return await self._legs.accept(attempt, only_first=True)

    async def accept_relative(self, attempt: str, incident_id: str) -> str | None:
        """None when this relative is in the room from now on, else the prompt that says why not."""
        if await self._legs.accept(attempt, only_first=self._one_relative):
            return None
        view = await self._legs.view(incident_id, clock.now())
        return "family/false_alarm" if view and view.family == Family.CANCELLED else "family/already_answered"

    async def declined(self, attempt: str) -> None:
        await self._legs.declined(attempt)

    async def not_confirmed(self, attempt: str) -> None:
        """Somebody or something answered and nobody said yes."""
        await self._legs.mark(attempt, Outcome.NOT_CONFIRMED)

    async def too_late(self, attempt: str) -> None:
        """A colleague was first."""
        await self._legs.mark(attempt, Outcome.CANCELLED)
