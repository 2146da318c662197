"""运营商：Asterisk 的中继所见的那一头。The carrier: one UDP socket between Asterisk and the SIPp processes.

Messages pass unchanged; the exchange only follows the Call-ID. What passes is logged with a monotonic time, and that
log is what tests assert on. An agent's telephone line is an exchange of its own, so that a phone that registers,
is rung and calls shows Asterisk one address.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

from tests.calls.harness.sip import Address, Media, NotSip, SipMessage, command, reply
from tests.calls.harness.waiting import Bell, DidNotHappen

LOOPBACK = "127.0.0.1"
_SAY_AGAIN_S = 0.05
_CHALLENGES = (401, 407)


@dataclass(frozen=True)
class Entry:
    """One message that passed."""

    at: float
    from_asterisk: bool
    what: str  # method, or "status method"
    call_id: str
    number: str
    again: bool = False  # a repetition of the call's INVITE

    def __str__(self) -> str:
        arrow = "<- asterisk" if self.from_asterisk else "-> asterisk"
        return f"{self.at:.3f} {arrow} {self.what:<12} {self.number:<14} {self.call_id}" + " again" * self.again


@dataclass(frozen=True)
class Invite:
    at: float
    number: str
    caller_id: str
    caller_name: str
    call_id: str
    from_asterisk: bool
    message: SipMessage = field(repr=False)


@dataclass
class CallRecord:
    """The times and the end of one call, as the carrier saw them."""

    invite: Invite
    phone_port: int | None = None  # the SIPp process; None while none has taken the call
    rang_at: float | None = None
    answered_at: float | None = None
    cancelled_at: float | None = None
    ended_at: float | None = None
    ended_by: str = ""  # "asterisk" or "phone": who sent CANCEL, BYE or the refusal
    final_status: int | None = None
    reason: str = ""  # Reason header of CANCEL or BYE
    far_media: Media | None = None  # where Asterisk wants this phone's audio
    held_back: list[bytes] = field(default_factory=list, repr=False)

    def note(self, at: float, message: SipMessage, from_asterisk: bool) -> None:
        who = "asterisk" if from_asterisk else "phone"
        if from_asterisk and message.media is not None:
            self.far_media = message.media
        if message.cseq_method == "INVITE" and message.is_response and self.final_status is None:
            self._note_reply(at, message.status, who)
        elif message.method == "INVITE" and self.final_status in _CHALLENGES:
            self.final_status, self.ended_at, self.ended_by = None, None, ""  # again, with credentials
        elif message.method in ("BYE", "CANCEL") and self.ended_at is None:
            self.ended_by, self.reason = who, message.header("reason")
            if message.method == "BYE":
                self.ended_at = at
            else:
                self.cancelled_at = at

    def _note_reply(self, at: float, status: int, who: str) -> None:
        if status < 180:
            return
        if status < 200:
            self.rang_at = self.rang_at or at
            return
        self.final_status = status
        if status < 300:
            self.answered_at = at
        else:
            self.ended_at = at
            self.ended_by = self.ended_by or who


Line = Callable[[CallRecord], Awaitable[int | None]]
"""Finds the SIP port of the SIPp process that takes a call; None lets the INVITE vanish."""


class Exchange(asyncio.DatagramProtocol):
    def __init__(self, port: int, asterisk: Address, unknown: tuple[int, str] = (404, "Not Found")) -> None:
        self.port, self.asterisk, self.unknown = port, asterisk, unknown
        self.log: list[Entry] = []
        self.answers_options = True
        self.calls: dict[str, CallRecord] = {}
        self.garbage = 0
        self.troubles: list[str] = []
        self.bell = Bell(self.story)
        self._lines: dict[str, Line] = {}
        self._default: Line | None = None
        self._other_dialogs: dict[str, Address] = {}  # REGISTER and the like: Call-ID -> SIPp
        self._serial = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(LOOPBACK, self.port))
        return self

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def register(self, number: str, line: Line | int) -> None:
        """Calls to `number` go to this SIP port, or to the one that `line` names when the call comes."""
        self._lines[number] = line if callable(line) else _fixed(line)

    def unregister(self, number: str) -> None:
        self._lines.pop(number, None)

    def register_default(self, line: Line | None) -> None:
        """Who takes calls to numbers that nobody has; None: the carrier refuses them with `unknown`."""
        self._default = line

    # -- what tests ask

    def invites(self, number: str | None = None, from_asterisk: bool | None = True) -> list[Invite]:
        """Calls in the order of their INVITEs, repetitions left out. `from_asterisk=None`: either direction."""
        found = (call.invite for call in self.calls.values())
        return [
            invite
            for invite in found
            if number in (None, invite.number) and from_asterisk in (None, invite.from_asterisk)
        ]

    def most_at_once(self) -> int:
        """Asterisk's calls alive at the same moment: from the INVITE to the end, or to where it gave the call up (the
        far end's word comes later)."""
        moments = []
        for invite in self.invites():
            call = self.call(invite.call_id)
            moments.append((invite.at, 1))
            ends = [at for at in (call.ended_at, call.cancelled_at) if at is not None]
            if ends:
                moments.append((min(ends), -1))
        alive = most = 0
        for _, change in sorted(moments):
            alive += change
            most = max(most, alive)
        return most

    async def wait_invite(self, number: str, within: float, nth: int = 1) -> Invite:
        """The nth INVITE that Asterisk sent to `number`, which may have come already."""

        def seen() -> Invite | None:
            found = self.invites(number)
            return found[nth - 1] if len(found) >= nth else None

        return await self.bell.until(seen, within, f"INVITE no. {nth} to {number}")

    def call(self, call_id: str) -> CallRecord:
        return self.calls[call_id]

    def ended(self, call_id: str) -> float | None:
        return self.calls[call_id].ended_at

    def final_status(self, call_id: str) -> int | None:
        return self.calls[call_id].final_status

    @property
    def repeated_invites(self) -> int:
        return sum(entry.again for entry in self.log)

    def story(self) -> str:
        """The log as text, for failures."""
        head = f"exchange 127.0.0.1:{self.port}, {self.garbage} datagrams were no SIP"
        return "\n".join([head, *self.troubles, *map(str, self.log)])

    # -- what phones do

    async def order(self, call: CallRecord, word: str, done: Callable[[], object], within: float = 5.0) -> None:
        """Tell the SIPp process of a call what to do next, until that is done; see the scenarios.

        Said again and again, because SIPp drops a message that arrives while it is still sending. An order that
        comes once more when it has been carried out is dropped likewise.
        """
        deadline = time.monotonic() + within
        while not done():
            if call.phone_port is not None:
                message = command(word, call.invite.call_id, next(self._serial))
                self._send(message, (LOOPBACK, call.phone_port))
            patience = min(_SAY_AGAIN_S, deadline - time.monotonic())
            if patience <= 0:
                raise DidNotHappen(f"not within {within} s: {word} of {call.invite.number}\n{self.story()}")
            with contextlib.suppress(DidNotHappen):
                await self.bell.until(lambda: bool(done()), patience, word)

    def inject(self, data: bytes) -> None:
        """Send raw bytes to Asterisk as if from the trunk (malformed input)."""
        self._send(data, self.asterisk)

    # -- the relay

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if not data.strip(b"\r\n\0"):
            return  # keep-alive
        try:
            message = SipMessage.parse(data)
        except (NotSip, ValueError, IndexError):
            self.garbage += 1
            return
        at = time.monotonic()
        if addr == self.asterisk:
            self._from_asterisk(at, message, data)
        else:
            self._from_phone(at, message, data, addr)
        self.bell.ring()

    def error_received(self, exc: Exception) -> None:
        """A SIPp that has gone, or Asterisk not up: SIP's own timers deal with it."""

    def _from_phone(self, at: float, message: SipMessage, data: bytes, addr: Address) -> None:
        call = self.calls.get(message.call_id)
        if call is None and message.method == "INVITE":
            call = self._new_call(at, message, from_asterisk=False)
            call.phone_port = addr[1]
        elif call is None and not message.is_response:
            self._other_dialogs[message.call_id] = addr
        self._note(at, message, call, from_asterisk=False)
        self._send(data, self.asterisk)

    def _from_asterisk(self, at: float, message: SipMessage, data: bytes) -> None:
        call = self.calls.get(message.call_id)
        if call is None and message.method == "INVITE" and not message.in_dialog:
            call = self._new_call(at, message, from_asterisk=True)
            self._note(at, message, call, from_asterisk=True)
            self._connect(call, message, data)
            return
        again = message.method == "INVITE" and not message.in_dialog
        self._note(at, message, call, from_asterisk=True, again=again)
        if call is not None and call.phone_port is not None:
            self._send(data, (LOOPBACK, call.phone_port))
        elif call is not None:
            if not again and message.method != "ACK":
                call.held_back.append(data)
        elif message.call_id in self._other_dialogs:
            self._send(data, self._other_dialogs[message.call_id])
        elif message.method == "OPTIONS":
            if self.answers_options:
                self._send(reply(message, 200, "OK"), self.asterisk)
        elif message.method not in ("", "ACK"):
            self._send(reply(message, 481, "Call/Transaction Does Not Exist"), self.asterisk)

    def _new_call(self, at: float, message: SipMessage, from_asterisk: bool) -> CallRecord:
        invite = Invite(
            at, message.number, message.caller, message.caller_name, message.call_id, from_asterisk, message
        )
        call = self.calls[message.call_id] = CallRecord(invite)
        return call

    def _connect(self, call: CallRecord, message: SipMessage, data: bytes) -> None:
        line = self._lines.get(call.invite.number, self._default)
        if line is None:
            status, reason = self.unknown
            refusal = reply(message, status, reason)
            self._note(time.monotonic(), SipMessage.parse(refusal), call, from_asterisk=False)
            self._send(refusal, self.asterisk)
            return
        task = asyncio.create_task(self._deliver(call, line, data))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, call: CallRecord, line: Line, data: bytes) -> None:
        try:
            port = await line(call)
        except Exception as error:
            self.troubles.append(f"no phone took the call to {call.invite.number}: {error}")
            return
        if port is None:
            return
        for message in (data, *call.held_back):
            self._send(message, (LOOPBACK, port))
        call.held_back.clear()
        call.phone_port = port
        self.bell.ring()

    def _note(
        self, at: float, message: SipMessage, call: CallRecord | None, from_asterisk: bool, again: bool = False
    ) -> None:
        what = f"{message.status} {message.cseq_method}" if message.is_response else message.method
        number = call.invite.number if call else message.number
        self.log.append(Entry(at, from_asterisk, what, message.call_id, number, again))
        if call is not None:
            call.note(at, message, from_asterisk)

    def _send(self, data: bytes, to: Address) -> None:
        if self._transport is not None:
            self._transport.sendto(data, to)


def _fixed(port: int) -> Line:
    async def line(_call: CallRecord) -> int:
        return port

    return line
