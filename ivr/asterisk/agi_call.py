"""The Call port over FastAGI, with the lease and the marker."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
from collections.abc import Callable

from ivr.asterisk.agi_protocol import AgiProtocolError, AgiReply
from ivr.asterisk.agi_speech import ChooseEngine, Ear, Question, no_ears
from ivr.asterisk.fastagi import AgiSession
from ivr.callflows.call import Answer, CallerHungUp, Expect, Key, NoInput
from ivr.domain.numbers import normalise

log = logging.getLogger(__name__)

# More than any prompt may overrun; Asterisk takes the call back when we fall silent for longer than this.
LEASE_MARGIN_S = 4.0

_LEASE = f"TIMEOUT(absolute)={math.ceil(LEASE_MARGIN_S)}"
# The call is on record: hanging up from here on is not forgotten. The hangup handler that would write it down is taken
# away, so that no call pays for running it.
_SEEN = ("IVR_SEEN=1", "CHANNEL(hangup_handler_pop)=")
# The dialplan's own lease on an arrival is longer than this: what reaches us sooner has not been taken back.
FRESH_S = 2.0
_MADE_AT = re.compile(r"(?:^|-)(\d{9,11})\.\d+$")

PromptSeconds = Callable[[str], float]


class AgiCall:
    """`args`: 1 DID, 2 caller ID, 3 linkedid for an arrival; other steps read their own arguments."""

    def __init__(
        self, session: AgiSession, prompt_seconds: PromptSeconds,
        *, did: str = "", caller: str = "", ears: ChooseEngine = no_ears,
    ) -> None:  # fmt: skip
        self._agi = session
        self._ears = ears
        self._misses = 0
        self._seconds = prompt_seconds
        self.uniqueid = session.env["agi_uniqueid"]
        self.linkedid = session.argument(3) or self.uniqueid
        self.did = did
        self.caller_id = normalise(caller)

    @property
    def hears(self) -> bool:
        return self._ears() is not None

    async def renew(self, for_s: float = 0.0) -> None:
        reply = await self._agi.command("SET AUTOHANGUP", str(math.ceil(for_s + LEASE_MARGIN_S)))
        if reply.result < 0:
            raise CallerHungUp

    async def still_ours(self) -> None:
        # An Asterisk id begins with the second in which the channel was made: only one that is late costs a command.
        made_at = _MADE_AT.search(self.uniqueid)
        if made_at is None or not 0 <= time.time() - int(made_at[1]) < FRESH_S:
            await self.renew()

    async def answer(self) -> None:
        await self._agi.command("EXEC", "MSet", ",".join([_LEASE, *_SEEN]))
        # ",i" does not wait up to 500 ms for the caller's first media packet (asterisk-notes 1.5).
        await self._agi.command("EXEC", "Answer", ",i")

    async def play(self, prompt: str) -> None:
        await self._stream(prompt, "")

    async def ask(self, prompt: str, expect: Expect, *, within_s: float, repeats: int) -> Answer:
        ear = await Ear.open(self._agi, self.renew, self._ears() if expect.grammar else None)
        seconds = self._seconds(prompt)
        question = Question(prompt, seconds, expect, within_s, ear, self.renew, self._ask_by_keys, self._misses)
        answer = await question.ask(repeats)
        self._misses = question.misses
        return answer

    async def _ask_by_keys(self, prompt: str, keys: str, within_s: float) -> Answer:
        digit = await self._stream(prompt, keys)
        if digit is None:
            digit = await self._wait_for_digit(within_s, keys)
        return NoInput() if digit is None else Key(digit)

    async def _stream(self, prompt: str, keys: str) -> str | None:
        await self.renew(self._seconds(prompt))
        reply = await self._in_time(self._seconds(prompt), "STREAM FILE", prompt, keys)
        if reply.result < 0:
            raise CallerHungUp
        if reply.result == 0 and not reply.endpos:
            log.error("prompt %s is missing: nothing was heard", prompt)
        return chr(reply.result) if reply.result > 0 else None

    async def _wait_for_digit(self, within_s: float, keys: str) -> str | None:
        await self.renew(within_s)
        reply = await self._in_time(within_s, "WAIT FOR DIGIT", str(int(within_s * 1000)))
        if reply.result < 0:
            raise CallerHungUp
        digit = chr(reply.result) if reply.result > 0 else ""
        return digit if digit and digit in keys else None

    async def _in_time(self, for_s: float, *words: str) -> AgiReply:
        """Asterisk waits for a key by the wall clock: set back by an hour, he would stand there for an hour, and the
        lease with him. Then we let go, and the dialplan takes him on."""
        try:
            async with asyncio.timeout(for_s + 2 * LEASE_MARGIN_S):
                return await self._agi.command(*words)
        except TimeoutError:
            raise AgiProtocolError("no answer in time") from None

    async def enter_room(self, room: str, user: str) -> None:
        await self._leave("room", IVR_ROOM=room, IVR_USER=user)

    async def enter_queue(self, call_id: str) -> None:
        await self._leave("queue", *_SEEN, IVR_CALL=call_id)

    async def ring_duty_phone(self, call_id: str) -> None:
        await self._leave("duty", IVR_CALL=call_id)

    async def enter_lifeline(self) -> None:
        await self._leave("lifeline", IVR_CRIED="1")

    async def hang_up(self) -> None:
        await self._leave("hangup")

    async def _leave(self, route: str, *more: str, **variables: str) -> None:
        # The marker comes last: without it the dialplan goes to the lifeline. One command: each costs a round trip.
        pairs = [*variables.items(), ("IVR_ROUTE", route), ("IVR_DONE", "1")]
        if not all(not value or value.isalnum() for _, value in pairs):
            raise ValueError("only our own ids and words go into a channel variable")
        settings = [_LEASE, *more, *(f"{name}={value}" for name, value in pairs)]
        await self._agi.command("EXEC", "MSet", ",".join(settings))
