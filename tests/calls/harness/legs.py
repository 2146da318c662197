"""一通电话的一端。One end of one call: its signalling by SIPp, its voice by an RtpPeer, its times from the exchange."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from tests.calls.harness.exchange import CallRecord, Exchange
from tests.calls.harness.g711 import RATE
from tests.calls.harness.listen import Match, find_prompt
from tests.calls.harness.recording import Recording
from tests.calls.harness.rtp import Press, RtpPeer
from tests.calls.harness.sipp import Sipp
from tests.calls.harness.waiting import DidNotHappen

REFUSALS = (404, 480, 486, 503, 603)
_LOOK_AGAIN_S = 0.3


class Leg:
    """A telephone in one call. Times are `time.monotonic()`; None means "not so far"."""

    def __init__(self, exchange: Exchange, record: CallRecord, sipp: Sipp, rtp: RtpPeer) -> None:
        self._exchange, self.record, self._sipp, self._rtp = exchange, record, sipp, rtp
        self._finishing: asyncio.Task[None] | None = None
        self.trouble = ""  # what SIPp complained of
        self.behaviour: asyncio.Task[None] | None = None  # what the person at this phone does

    # -- what happened

    @property
    def number(self) -> str:
        """The number that was dialled."""
        return self.record.invite.number

    @property
    def caller_id(self) -> str:
        return self.record.invite.caller_id

    @property
    def caller_name(self) -> str:
        return self.record.invite.caller_name

    @property
    def invited_at(self) -> float:
        return self.record.invite.at

    @property
    def rang_at(self) -> float | None:
        return self.record.rang_at

    @property
    def answered_at(self) -> float | None:
        return self.record.answered_at

    @property
    def ended_at(self) -> float | None:
        return self.record.ended_at

    @property
    def ended_by(self) -> str:
        """ "asterisk", "phone", or "" while it goes on."""
        return self.record.ended_by if self.record.ended_at else ""

    @property
    def final_status(self) -> int | None:
        return self.record.final_status

    @property
    def heard(self) -> Recording:
        return self._rtp.heard

    @property
    def pressed(self) -> list[Press]:
        return self._rtp.pressed

    @property
    def keys_heard(self) -> list[Press]:
        return self._rtp.keys_heard

    @property
    def talking(self) -> bool:
        return self.answered_at is not None and self.ended_at is None

    # -- waiting

    async def ringing(self, within: float = 5.0) -> float:
        return await self._until(lambda: self.rang_at, within, "ringing")

    async def answered(self, within: float = 10.0) -> float:
        return await self._until(lambda: self.answered_at, within, "answer")

    async def ended(self, within: float = 10.0) -> float:
        return await self._until(lambda: self.ended_at, within, "end")

    async def hears(
        self, prompt: Path | bytes, within: float = 10.0, *, first_s: float = 2.5, since: float | None = None
    ) -> Match:
        """Until the first `first_s` of this prompt have been heard in this call, or `DidNotHappen`.

        `since`: only what was heard from this time on counts, as for a prompt that is repeated.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        from_s = max(0.0, since - self.heard.began_at) if since is not None and self.heard.packets else 0.0
        best = 0.0
        while True:
            last_look = loop.time() >= deadline
            pcm = self.heard.pcm()
            match = await asyncio.to_thread(find_prompt, pcm, prompt, first_s=first_s, from_s=from_s)
            complete = len(pcm) / RATE >= match.at_s + min(first_s, match.prompt_s)
            if match.found and (complete or last_look or self.ended_at is not None):
                return match
            best = max(best, match.score)
            if last_look:
                name = prompt.name if isinstance(prompt, Path) else "speech"
                raise DidNotHappen(
                    f"{self} did not hear {name} within {within} s: best score {best:.2f}, "
                    f"{len(self.heard.packets)} packets, {self.heard.level_dbfs():.0f} dBFS\n" + self._exchange.story()
                )
            if not match.found:  # else the rest of it is still to come
                from_s = max(from_s, len(pcm) / RATE - first_s - 1.0)  # what lies before has been searched
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def said(self) -> None:
        """Until everything it had to say or press has been sent."""
        await self._rtp.quiet()

    async def _until(self, look: Callable[[], float | None], within: float, what: str) -> float:
        return await self._exchange.bell.until(look, within, f"{what} of {self}")

    # -- doing

    def say(self, audio: Path | bytes) -> float:
        """Start to speak (raw A-law); returns how long that takes."""
        return self._rtp.say(audio)

    def idle(self, audio: bytes | None) -> None:
        """What is sent while it says nothing: this noise over and over, or None, no packets at all."""
        self._rtp.idle(audio)

    def press(self, keys: str) -> None:
        self._rtp.press(keys)

    def hush(self) -> None:
        self._rtp.hush()

    def start_media(self) -> None:
        """Send to where Asterisk's SDP says; before that is known, to whoever sends first."""
        media = self.record.far_media
        if media is not None and media.key_payload_type is not None:
            self._rtp.key_payload_type = media.key_payload_type
        self._rtp.start(media.address if media is not None else None)

    async def hang_up(self, within: float = 5.0) -> None:
        """BYE in a call, CANCEL before the answer; returns when that has passed the exchange."""
        if self.ended_at is None:
            await self._exchange.order(self.record, "HANGUP", self._over, within)
            await self.ended(within)

    def _over(self) -> bool:
        """BYE, CANCEL or a refusal has passed."""
        return self.ended_at is not None or self.record.cancelled_at is not None

    async def dies(self) -> None:
        """Its process and its voice are gone, without a word."""
        self._rtp.close()
        await self._sipp.kill()

    async def finish(self) -> None:
        """The call is over, or has to be: let go of everything it held. What was heard stays. Safe to repeat."""
        if self._finishing is None:
            self._finishing = asyncio.create_task(self._finish())
        await asyncio.shield(self._finishing)

    async def _finish(self) -> None:
        if self.behaviour is not None:
            self.behaviour.cancel()
            for failure in await asyncio.gather(self.behaviour, return_exceptions=True):
                if isinstance(failure, Exception):
                    self.trouble = f"{failure!r}"
        with contextlib.suppress(DidNotHappen):
            await self._end()
        self._rtp.stop()
        try:
            await self._sipp.finished(within=3.0)
        except AssertionError as failure:
            self.trouble += str(failure)
        finally:
            self._rtp.close()
            await self._sipp.kill()

    async def _end(self) -> None:
        await self._exchange.order(self.record, "HANGUP", self._over, 1.0)

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.caller_id}→{self.number}"


class IncomingLeg(Leg):
    """A call that Asterisk made to a phone."""

    async def ring(self) -> None:
        await self._exchange.order(self.record, "RING", lambda: self.rang_at or self._over())

    async def refuse(self, status: int) -> None:
        if status not in REFUSALS:
            raise ValueError(f"callee.xml knows {REFUSALS}, not {status}")
        await self._exchange.order(self.record, f"REFUSE-{status}", lambda: self.final_status or self._over())

    async def answer(self) -> None:
        """Pick up, unless the caller has given up meanwhile."""
        await self._exchange.order(self.record, "ANSWER", lambda: self.answered_at or self._over())
        if self.talking:
            self.start_media()

    async def _end(self) -> None:
        if self.answered_at is None:
            await self.refuse(480)
        else:
            await super()._end()


class Elder(Leg):
    """A call made by an elder, or by anybody outside."""
