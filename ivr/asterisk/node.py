"""One Asterisk node in the engine: its events become records, our decisions become its actions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from ivr import clock
from ivr.asterisk.ami import AmiError, AmiEvent, AmiRefused, AmiUnavailable
from ivr.asterisk.causes import outcome_of_cause, outcome_of_reason
from ivr.asterisk.dead_seats import DeadSeats
from ivr.asterisk.devices import IDLE, Devices
from ivr.asterisk.link import AsteriskLink, Item, Snapshot
from ivr.asterisk.listening import WaitingEars, is_listener
from ivr.asterisk.queue_members import sync_members
from ivr.asterisk.talks import Talks, extension_of
from ivr.callflows.call import INTERRUPTED
from ivr.domain.incident import Outcome, Role
from ivr.services.ports import BusyWith, Calls, DialDoubtful, DialRefused, Legs, Seats, StoreUnavailable
from ivr.services.reconcile import place_callers, reconcile

log = logging.getLogger(__name__)

RETRY_S = (0.2, 1.0, 3.0)
HANGUP_FIRST_S = 0.5
AUDIT_PATIENCE_S, AUDIT_PAUSE_S = 30.0, 0.3
"""One snapshot at a time: in a storm they piled up before the consumer, and events came seconds late behind them."""
PARKED_PATIENCE_S = 35.0
"""The announcement, and his seat ringing once more for 20 s."""
SHUTDOWN_S = 15.0
"""`core stop now` hangs everybody up as if he had done so himself, refuses every dial, waits so long for channels to
go, and only then says that it stops: within a second a whole family counted as tried (make chaos)."""


class AsteriskNode:
    """Implements the `Telephony` port; `run` belongs into the engine's TaskGroup."""

    def __init__(
        self, link: AsteriskLink, legs: Legs, calls: Calls, seats: Seats,
        *, trunk_caller_id: str, parked_wait_s: int = 60, ears: WaitingEars | None = None,
    ) -> None:  # fmt: skip
        self._ears = ears or WaitingEars(link, may_listen=lambda: False)
        self._link = link
        self._legs = legs
        self._calls = calls
        self._seats = seats
        self._trunk_caller_id = trunk_caller_id
        self.devices = Devices()
        self._dead_seats = DeadSeats(link, legs, self.hang_up)
        self._talks = Talks()
        self._parked: set[str] = set()
        self._waits_alone: set[str] = set()  # parked, for one seat, and not in the queue so far
        self._parked_wait_s = parked_wait_s
        self._seat_names: dict[str, str] = {}
        self._records: set[asyncio.Task[None]] = set()
        self._mend = asyncio.Event()
        self._audited = asyncio.Event()
        self._started = clock.now()
        self.on_seats_changed: Callable[[], None] = lambda: None

    @property
    def is_up(self) -> bool:
        return self._link.is_up

    def idle_seats(self) -> dict[str, str]:
        return {ext: name for ext, name in self._seat_names.items() if self.devices.state(ext) == IDLE}

    def forget(self) -> None:
        """The manager interface is away: what was not truth before is worth nothing now."""
        self.devices.forget()
        self._parked.clear()
        self._waits_alone.clear()

    def busy_seats(self) -> dict[str, BusyWith]:
        return {
            talk.extension: BusyWith(talk.caller_uniqueid, talk.seat_uniqueid, talk.since)
            for talk in self._talks.all().values()
            if not self._dead_seats.is_gone(talk.extension)
        }

    async def run(self) -> None:
        """Audit against Asterisk's own state every 10 s, and soon after a record could not be written."""
        while True:
            try:
                async with asyncio.timeout(10):
                    await self._mend.wait()
            except TimeoutError:
                pass
            self._mend.clear()
            self._audited.clear()
            try:
                await self._link.refresh()
                async with asyncio.timeout(AUDIT_PATIENCE_S):
                    await self._audited.wait()
            except (AmiError, TimeoutError):
                continue
            await asyncio.sleep(AUDIT_PAUSE_S)

    # ---- Asterisk speaks

    async def heard(self, item: Item) -> None:
        """The link's consumer. Records are queued in order and committed together, so a burst does not pile up."""
        if isinstance(item, Snapshot):
            try:
                await self._agree_with(item)
            finally:
                self._audited.set()
            return
        if item.name == "Shutdown":
            await self._settle()  # the hang-ups that it made came before it
            self._record(lambda: self._legs.torn(SHUTDOWN_S))
            return
        handler = getattr(self, f"_on_{item.name.lower()}", None)
        if handler is not None:
            handler(item)

    async def _agree_with(self, item: Snapshot) -> None:
        await self._settle()
        channels = {c.uniqueid: c.state for c in item.channels.values()}
        await reconcile(
            channels,
            self._legs,
            self._calls,
            taken_at=item.taken_at,
            asterisk_started=item.asterisk_started,
            engine_started=self._started,
            look_again=self.audit_in,
        )
        # A snapshot may be older than the break-in that has just parked somebody.
        with_whom = {u: seat for u, seat in item.with_whom().items() if u not in self._parked}
        await place_callers(self._calls, item.places, with_whom)
        self._talks.agree_with(c for c in item.channels.values() if c.uniqueid not in self._parked)
        self._ears.agree_with(item.waiting, item.channels)
        await self.sync_seats(item)

    def audit_in(self, seconds: float) -> None:
        """An audit before its time: an incident must go on within 5 s of a restart, not at the next round of 10 s."""
        asyncio.get_running_loop().call_later(max(0.0, seconds), self._mend.set)

    def _record(self, write: Callable[[], Awaitable[object]]) -> None:
        task = asyncio.create_task(self._write(write), name="ami-record")
        self._records.add(task)
        task.add_done_callback(self._records.discard)

    async def _write(self, write: Callable[[], Awaitable[object]]) -> None:
        for pause in RETRY_S:
            try:
                await write()
                return
            except StoreUnavailable:
                await asyncio.sleep(pause)
            except Exception as exc:
                log.error("a record failed: %s", type(exc).__name__)
                break
        self._mend.set()

    async def _settle(self) -> None:
        if self._records:
            await asyncio.wait(set(self._records), timeout=10)

    def _on_newstate(self, event: AmiEvent) -> None:
        uniqueid = event["uniqueid"]
        if not _is_ours(uniqueid):
            return  # a caller's channel: its own AGI step puts the answer on record
        if event["channelstatedesc"] == "Ringing":
            self._record(lambda: self._legs.ringing(uniqueid))
        elif event["channelstatedesc"] == "Up":
            self._record(lambda: self._legs.answered(uniqueid))

    def _on_hangup(self, event: AmiEvent) -> None:
        uniqueid = event["uniqueid"]
        if is_listener(uniqueid):
            return
        self._talks.gone(uniqueid)
        self._parked.discard(uniqueid)
        cause = int(event["cause"]) if event["cause"].isdigit() else 0

        async def ended() -> None:
            if _is_ours(uniqueid) or await self._calls.ended(uniqueid, cause=cause):
                await self._legs.ended(uniqueid, outcome_of_cause(cause), cause=cause)

        self._record(ended)

    def _on_originateresponse(self, event: AmiEvent) -> None:
        if event["response"].lower() != "failure":
            return
        uniqueid = event["uniqueid"] if _is_ours(event["uniqueid"]) else event["actionid"]
        reason = int(event["reason"]) if event["reason"].isdigit() else -1

        async def unless_hung_up() -> None:
            # A channel's own Hangup carries the exact cause (486 is reason 0 here); only a dial that never got a
            # channel has nothing better than this.
            await asyncio.sleep(HANGUP_FIRST_S)
            await self._legs.ended(uniqueid, outcome_of_reason(reason))

        self._record(unless_hung_up)

    def _on_queuecallerjoin(self, event: AmiEvent) -> None:
        uniqueid, position = event["uniqueid"], _number(event["position"])
        self._waits_alone.discard(uniqueid)
        self._record(lambda: self._calls.queued(uniqueid, int(position)))
        self._ears.joined(uniqueid, event["channel"])

    def _on_queuecallerleave(self, event: AmiEvent) -> None:
        self._ears.left(event["uniqueid"])

    def _on_queuecallerabandon(self, event: AmiEvent) -> None:
        uniqueid, waited = event["uniqueid"], _number(event["holdtime"])
        self._record(lambda: self._calls.abandoned(uniqueid, waited))

    def _on_agentconnect(self, event: AmiEvent) -> None:
        uniqueid, waited = event["uniqueid"], _number(event["holdtime"])
        extension = event["interface"].partition("/")[2]
        self._talks.connected(event)
        self._record(lambda: self._calls.connected(uniqueid, extension, waited))
        self._back_from_park(uniqueid, extension)

    def _on_dialend(self, event: AmiEvent) -> None:
        """A routine caller whom no seat took is answered at the duty phone: he has talked, nobody calls him back."""
        uniqueid = event["uniqueid"]
        if not uniqueid or event["dialstatus"] != "ANSWER":
            return
        if event["destchannel"].startswith("PJSIP/trunk-"):
            self._record(lambda: self._calls.connected(uniqueid, None, 0.0))
        elif uniqueid in self._parked:  # the seat that he was taken from has him again
            self._talks.connected(event)
            self._back_from_park(uniqueid, extension_of(event["destchannel"]))

    def _back_from_park(self, uniqueid: str, extension: str) -> None:
        if uniqueid in self._parked:
            self._parked.discard(uniqueid)
            self._record(lambda: self._calls.returned(uniqueid, extension))

    def _on_devicestatechange(self, event: AmiEvent) -> None:
        if self.devices.heard(event["device"], event["state"]):
            self.on_seats_changed()

    def _on_contactstatus(self, event: AmiEvent) -> None:
        self._dead_seats.heard(event)

    # ---- we speak

    async def sync_seats(self, snapshot: Snapshot | None = None) -> None:
        """Make Asterisk's queue agree with the seats on record; without a snapshot a fresh one is asked for."""
        seats = await self._seats.all()
        self._seat_names = {seat.extension: seat.name for seat in seats if seat.state == "ready"}
        if snapshot is None:
            await self._link.refresh()
            return
        states = {seat.extension: seat.state for seat in seats}
        await sync_members(self._link, states, snapshot.members, snapshot.parked_seats())
        self.on_seats_changed()

    async def dial(self, attempt_id: str, role: Role, phone: str, room: str, ring_s: float) -> None:
        target = f"PJSIP/{phone}" if role is Role.AGENT else f"PJSIP/{phone}@trunk"
        try:
            await self._link.act(
                "Originate",
                ActionID=attempt_id,
                ChannelId=attempt_id,
                Channel=target,
                Context="leg",
                Exten="s",
                Priority="1",
                Timeout=str(int(ring_s * 1000)),
                CallerID=f"<{self._trunk_caller_id}>",
                Variable=[f"__IVR_ATTEMPT={attempt_id}", f"__IVR_ROOM={room}", f"__IVR_ROLE={role.value}"],
                Async="true",
            )
        except (AmiUnavailable, AmiRefused) as exc:
            raise DialRefused(str(exc)) from None
        except AmiError as exc:
            raise DialDoubtful(str(exc)) from None

    async def break_in(self, extension: str, uniqueid: str, room: str) -> None:
        talk = self._talks.take(extension)
        if talk is None or talk.seat_uniqueid != uniqueid:
            raise DialRefused("the seat is not on that call any more")
        self._parked.add(talk.caller_uniqueid)
        try:
            # One action moves both: the caller to the music, his agent to the room. 1 ms (asterisk-notes).
            await self._link.act(
                "Redirect",
                Channel=talk.caller_channel,
                Context="parked",
                Exten=extension,
                Priority="1",
                ExtraChannel=talk.seat_channel,
                ExtraContext="break-in",
                ExtraExten=room,
                ExtraPriority="1",
            )
        except (AmiUnavailable, AmiRefused) as exc:
            self._parked.discard(talk.caller_uniqueid)
            raise DialRefused(str(exc)) from None
        except AmiError as exc:
            raise DialDoubtful(str(exc)) from None
        self._record(lambda: self._calls.parked(talk.caller_uniqueid, extension, room))
        self._waits_alone.add(talk.caller_uniqueid)
        asyncio.get_running_loop().call_later(
            self._parked_wait_s + PARKED_PATIENCE_S, self._end_waiting_alone, talk.caller_uniqueid, extension
        )

    def _end_waiting_alone(self, uniqueid: str, extension: str) -> None:
        """The dialplan has long sent him to the queue, unless the clock was set back during one of its waits."""
        if uniqueid in self._waits_alone & self._parked:
            self._record(lambda: self._to_the_queue(uniqueid, extension))
        self._waits_alone.discard(uniqueid)

    async def _to_the_queue(self, uniqueid: str, extension: str) -> None:
        log.warning("a parked caller is sent to the queue: Asterisk's own wait did not end")
        with contextlib.suppress(AmiError):
            await self._link.act("Redirect", Channel=uniqueid, Context="parked", Exten=extension, Priority="all")

    async def take_back(self) -> None:
        """What was sent to a trunk that is gone counts as not made: it is dialled again, by the other one."""
        for uniqueid in await self._legs.unheard():
            await self._legs.mark(uniqueid, Outcome.LOST)
            await self.hang_up(uniqueid)

    async def interrupt(self, uniqueid: str) -> None:
        """A key that no telephone has ends a prompt at once (`PlayDTMF` with `Receive`)."""
        try:
            await self._link.act("PlayDTMF", Channel=uniqueid, Digit=INTERRUPTED, Duration="40", Receive="true")
        except AmiRefused:
            pass  # gone
        except AmiError as exc:
            log.warning("a prompt could not be interrupted: %s", exc)

    async def hang_up(self, uniqueid: str) -> None:
        """End a channel by its uniqueid; one that is gone already is no error."""
        try:
            await self._link.act("Hangup", Channel=uniqueid, Cause="26")
        except AmiRefused:
            pass
        except AmiError as exc:
            log.warning("a hang-up could not be sent: %s", exc)


def _is_ours(uniqueid: str) -> bool:
    """A channel that we dialled: it has our ULID; Asterisk's own ids look like 1700000000.1."""
    return len(uniqueid) == 26 and uniqueid.isalnum()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
