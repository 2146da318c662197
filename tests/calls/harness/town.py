"""测试里的小城：运营商、老人、家属、坐席。The town around one Asterisk: carrier, elders, families, agents.

async with Town(sip_port, trunk_port, sipp_command) as town:
    daughter = town.family("13800000001", Answers(after_s=0.5, presses="1", presses_after_s=3))
    agent = await town.agent("1001", secret, Answers(after_s=1, says=speech))
    elder = await town.call("02150001111", "12349120", says=speech)
    await elder.answered()
    await elder.hears(prompt)
    await elder.hang_up()
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from tests.calls.harness.behaviours import Answers, Behaviour
from tests.calls.harness.exchange import LOOPBACK, Exchange
from tests.calls.harness.legs import Elder
from tests.calls.harness.phones import AgentPhone, DutyPhone, FamilyPhone, Phone, Workshop
from tests.calls.harness.ports import PortBlock
from tests.calls.harness.sipp import SippCommand

P = TypeVar("P", bound=Phone)


class Town:
    def __init__(
        self,
        asterisk_sip_port: int,
        trunk_port: int,
        sipp: SippCommand,
        *,
        ports: PortBlock | None = None,
        folder: Path | None = None,
        unknown: tuple[int, str] = (404, "Not Found"),
    ) -> None:
        """`ports`: a block to share (one of its own otherwise); `folder`: where SIPp's traces stay (a temporary one
        otherwise); `unknown`: how the carrier refuses numbers that nobody has."""
        self._asterisk = (LOOPBACK, asterisk_sip_port)
        self.exchange = Exchange(trunk_port, self._asterisk, unknown)
        self.elders: list[Elder] = []
        self.phones: list[Phone] = []
        self._own_ports = PortBlock() if ports is None else None
        self._temporary = tempfile.TemporaryDirectory(prefix="town-") if folder is None else None
        place = folder or Path(self._temporary.name if self._temporary else "")
        ports = ports or self._own_ports
        assert ports is not None
        self._workshop = Workshop(sipp, ports, place)
        self._serial = itertools.count(1)
        self._minders: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.exchange.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for minder in self._minders:
            minder.cancel()
        await asyncio.gather(*self._minders, *(elder.finish() for elder in self.elders), return_exceptions=True)
        await asyncio.gather(*(phone.close() for phone in self.phones), return_exceptions=True)
        await self.exchange.close()
        if self._own_ports is not None:
            self._own_ports.release()
        if error is not None:
            error.add_note(self.story())
        if self._temporary is not None:
            self._temporary.cleanup()

    def family(self, number: str, behaviour: Behaviour | None = None) -> FamilyPhone:
        return self._keep(FamilyPhone(number, behaviour or Answers(), self.exchange, self._workshop))

    def duty(self, number: str, behaviour: Behaviour | None = None) -> DutyPhone:
        return self._keep(DutyPhone(number, behaviour or Answers(), self.exchange, self._workshop))

    async def agent(
        self, extension: str, secret: str, behaviour: Behaviour | None = None, *, register: bool = True
    ) -> AgentPhone:
        line = await Exchange(self._workshop.ports.take(), self._asterisk).open()
        agent = self._keep(AgentPhone(extension, secret, behaviour or Answers(), line, self._workshop))
        if register:
            await agent.register()
        return agent

    async def call(self, caller: str, number: str, *, says: Path | bytes | None = None, caller_name: str = "") -> Elder:
        """Dial `number`; returns as soon as the INVITE is on its way. Speaks once it is answered."""
        name = f"{caller}-calls-{next(self._serial)}"
        keys = {"from_number": caller, "from_name": caller_name}
        record, sipp, rtp = await self._workshop.place(self.exchange, "caller", name, number, keys)
        elder = Elder(self.exchange, record, sipp, rtp)
        self.elders.append(elder)
        minder = asyncio.create_task(self._mind(elder, says))
        self._minders.add(minder)
        minder.add_done_callback(self._minders.discard)
        return elder

    @property
    def troubles(self) -> list[str]:
        """What SIPp complained of, call by call; empty after a clean run."""
        legs = [*self.elders, *(call for phone in self.phones for call in phone.calls)]
        lines = [trouble for phone in self.phones for trouble in phone.exchange.troubles]
        return [f"{leg}: {leg.trouble}" for leg in legs if leg.trouble] + sorted({*lines, *self.exchange.troubles})

    def story(self) -> str:
        """All that passed between Asterisk and the town, for failures."""
        exchanges = {id(e): e for e in (self.exchange, *(phone.exchange for phone in self.phones))}
        return "\n".join([*(e.story() for e in exchanges.values()), *self.troubles])

    def _keep(self, phone: P) -> P:
        self.phones.append(phone)
        return phone

    async def _mind(self, elder: Elder, says: Path | bytes | None) -> None:
        bell, record = self.exchange.bell, elder.record
        for_ever = float(10**6)
        await bell.until(lambda: record.far_media or record.ended_at, for_ever, "media")
        if record.far_media is not None:
            elder.start_media()
        await bell.until(lambda: record.answered_at or record.ended_at, for_ever, "answer")
        if says is not None and record.answered_at is not None:
            elder.say(says)
        await bell.until(lambda: record.ended_at, for_ever, "end")
        await elder.finish()
