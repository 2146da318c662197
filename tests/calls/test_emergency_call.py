"""One press, end to end, judged from outside: what the far ends received and heard, what the API says."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.calls.harness import Answers, Busy, PortBlock, SippCommand, Town
from tests.calls.system import Person, System, prompt

WANG = Person("E1", "王秀英", "02150001111", ["13800000001", "13800000002", "13800000003"])


async def test_a_press_reaches_an_agent_and_the_family(tmp_path: Path, ports: PortBlock, sipp: SippCommand) -> None:
    async with System(tmp_path / "y", ports, [WANG]) as system:
        s = system.settings
        async with Town(s.sip_port, s.trunk_port, sipp, ports=ports) as town:
            agent = await town.agent("1001", system.agents["1001"], Answers(after_s=1))
            await system.ready("1001")
            daughter = town.family("13800000001", Answers(after_s=1, presses="1", presses_after_s=3))
            town.family("13800000002", Busy())
            town.family("13800000003", Busy())
            elder = await town.call("02150001111", "12349120")
            await elder.answered()
            await elder.hears(prompt("emergency/help_is_coming"))
            rung = await agent.called()
            call = await daughter.called()
            assert rung.invited_at - elder.invited_at < 2
            assert call.invited_at - elder.invited_at < 2
            await call.hears(prompt("family/alarm"))
            await system.leg("family", "13800000001", "accepted")
            await system.leg("agent", "1001", "accepted")
            await asyncio.sleep(1)
            print(town.story())
