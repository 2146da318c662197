"""家属、值班、坐席的话机。Phones that are rung: the family's, the duty phone, the agents'.

A phone takes any number of calls, one after another or at once; each call has its own SIPp process, its own RTP
port and its own recording. One handset (SIPp + RTP port) is kept ready, so that a call need not wait for a process.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.calls.harness.behaviours import Behaviour, Unreachable
from tests.calls.harness.exchange import CallRecord, Exchange
from tests.calls.harness.legs import IncomingLeg, Leg
from tests.calls.harness.ports import PortBlock
from tests.calls.harness.rtp import RtpPeer
from tests.calls.harness.sipp import FOR_CALLS, Sipp, SippCommand, SippFailed

CHALLENGE = 401


@dataclass(frozen=True)
class Workshop:
    """What a phone needs to set up handsets."""

    sipp: SippCommand
    ports: PortBlock
    folder: Path

    async def handset(self, name: str, exchange: Exchange) -> tuple[Sipp, RtpPeer]:
        rtp = await RtpPeer.open()
        keys = {"port": exchange.port, "rtp_port": rtp.port}
        remote = ("127.0.0.1", exchange.port)
        sipp = await Sipp.start(self.sipp, "callee", remote, self.folder / name, self.ports, keys=keys)
        try:
            await sipp.listening()
        except BaseException:
            rtp.close()
            await sipp.kill()
            raise
        return sipp, rtp

    async def place(
        self,
        exchange: Exchange,
        scenario: str,
        name: str,
        number: str,
        keys: Mapping[str, str | int],
        options: Sequence[str] = (),
    ) -> tuple[CallRecord, Sipp, RtpPeer]:
        """Dial `number` through `exchange` by a SIPp process of its own; returns once the INVITE is on its way."""
        rtp = await RtpPeer.open()
        everything = {**keys, "port": exchange.port, "rtp_port": rtp.port}
        remote = ("127.0.0.1", exchange.port)
        began = time.monotonic()
        sipp = await Sipp.start(
            self.sipp, scenario, remote, self.folder / name, self.ports,
            keys=everything, options=(*FOR_CALLS, "-s", number, *options),
        )  # fmt: skip

        def placed() -> CallRecord | None:
            # It may be refused before we look; a port may have been another call's before.
            mine = (c for c in exchange.calls.values() if c.phone_port == sipp.port and c.invite.at >= began)
            return next(mine, None)

        try:
            return await exchange.bell.until(placed, 5.0, f"INVITE of {name} to {number}"), sipp, rtp
        except BaseException as failure:
            failure.add_note(sipp.errors())
            rtp.close()
            await sipp.kill()
            raise


class Phone:
    def __init__(self, number: str, behaviour: Behaviour, exchange: Exchange, workshop: Workshop) -> None:
        self.number, self.exchange, self._behaviour = number, exchange, behaviour
        self.calls: list[IncomingLeg] = []
        self._workshop = workshop
        self._serial = itertools.count(1)
        self._endings: set[asyncio.Task[None]] = set()
        self._ready = self._next_handset()
        exchange.register(number, self._take)

    def behaves(self, behaviour: Behaviour) -> None:
        """From the next call on."""
        self._behaviour = behaviour

    async def called(self, within: float = 10.0, nth: int = 1) -> IncomingLeg:
        """The nth call to this phone, which may have come already."""

        def wanted() -> IncomingLeg | None:
            return self.calls[nth - 1] if len(self.calls) >= nth else None

        return await self.exchange.bell.until(wanted, within, f"call no. {nth} to {self.number}")

    async def close(self) -> None:
        self.exchange.unregister(self.number)
        for ending in self._endings:
            ending.cancel()
        await asyncio.gather(*self._endings, *(call.finish() for call in self.calls), return_exceptions=True)
        with contextlib.suppress(SippFailed, TimeoutError):
            sipp, rtp = await self._ready
            rtp.close()
            await sipp.kill()

    def _next_handset(self) -> asyncio.Task[tuple[Sipp, RtpPeer]]:
        name = f"{self.number}-{next(self._serial)}"
        return asyncio.create_task(self._workshop.handset(name, self.exchange))

    async def _take(self, record: CallRecord) -> int | None:
        if isinstance(self._behaviour, Unreachable) and self._behaviour.status is None:
            return None
        handset, self._ready = self._ready, self._next_handset()
        sipp, rtp = await handset
        call = IncomingLeg(self.exchange, record, sipp, rtp)
        self.calls.append(call)
        ending = asyncio.create_task(self._attend(call))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        return sipp.port

    async def _attend(self, call: IncomingLeg) -> None:
        """Run the person's behaviour once the INVITE is delivered, and tidy up when the call has ended."""
        bell = self.exchange.bell
        await bell.until(lambda: call.record.phone_port, 10.0, "delivery")
        call.behaviour = asyncio.create_task(self._behaviour(call))
        await bell.until(lambda: call.ended_at, float(10**6), "end")
        await call.finish()


class FamilyPhone(Phone):
    """A relative's mobile."""


class DutyPhone(Phone):
    """The phone that the lifeline rings."""


class AgentPhone(Phone):
    """A seated agent's SIP phone, on a line of its own, registered at Asterisk by digest."""

    def __init__(self, extension: str, secret: str, behaviour: Behaviour, line: Exchange, workshop: Workshop) -> None:
        super().__init__(extension, behaviour, line, workshop)
        line.register_default(self._take)
        self._secret, self.registered = secret, False
        self._registrations = itertools.count(1)
        self.dialled: list[Leg] = []

    async def register(self, expires_s: int = 600) -> None:
        """Raises SippFailed when Asterisk does not accept it."""
        workshop, (_, asterisk_port) = self._workshop, self.exchange.asterisk
        folder = workshop.folder / f"{self.number}-register-{next(self._registrations)}"
        keys = {"port": self.exchange.port, "expires": expires_s, "registrar": asterisk_port}
        options = ("-s", self.number, "-au", self.number, "-ap", self._secret)
        remote = ("127.0.0.1", self.exchange.port)
        sipp = await Sipp.start(workshop.sipp, "register", remote, folder, workshop.ports, keys=keys, options=options)
        try:
            await sipp.finished(within=5.0)
            self.registered = expires_s > 0
        finally:
            await sipp.kill()

    async def dies(self) -> None:
        """Its plug is pulled: no BYE, no voice, no answer to anything, and nothing is unregistered."""
        self.registered = False
        await self.exchange.close()
        for leg in (*self.calls, *self.dialled):
            await leg.dies()

    async def unregister(self) -> None:
        await self.register(expires_s=0)

    async def dials(self, number: str) -> Leg:
        """Call `number` from this phone, with its credentials; returns as soon as the INVITE is on its way."""
        record, sipp, rtp = await self._workshop.place(
            self.exchange,
            "agent_caller",
            f"{self.number}-dials-{len(self.dialled) + 1}",
            number,
            {"from_number": self.number},
            ("-au", self.number, "-ap", self._secret),
        )
        leg = Leg(self.exchange, record, sipp, rtp)
        self.dialled.append(leg)
        attending = asyncio.create_task(self._speak_and_hear(leg))
        self._endings.add(attending)
        attending.add_done_callback(self._endings.discard)
        return leg

    async def _speak_and_hear(self, leg: Leg) -> None:
        bell, for_ever = self.exchange.bell, float(10**6)

        def over() -> bool:
            return leg.ended_at is not None and leg.final_status != CHALLENGE

        await bell.until(lambda: leg.record.far_media or over(), for_ever, "media")
        if leg.record.far_media is not None:
            leg.start_media()
        await bell.until(over, for_ever, "end")
        await leg.finish()

    async def close(self) -> None:
        await asyncio.gather(*(leg.finish() for leg in self.dialled), return_exceptions=True)
        if self.registered:
            with contextlib.suppress(SippFailed):
                await self.unregister()
        await super().close()
        await self.exchange.close()
