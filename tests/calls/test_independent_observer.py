"""Another client, by another author (pyst2), watches the same Asterisk: our record must agree with what it saw."""

from __future__ import annotations

import asyncio
import contextlib

from asterisk.manager import Manager

from tests.calls.harness import Answers, Busy
from tests.calls.place import MakePlace
from tests.calls.system import Person, prompt

WANG = Person("E1", "王秀英", "02150001111", ["13800000001", "13800000002"])
OBSERVER = """
[observer]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/255.255.255.255
read = call
write =
eventfilter(action(include),name(Hangup)) =
"""


async def test_every_leg_that_asterisk_ended_is_ended_on_our_record_with_its_cause(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        custom = system.settings.asterisk_dir / "etc" / "custom" / "manager.conf"
        custom.write_text(OBSERVER.format(secret=system.token))
        await system.cli("manager reload")
        seen: list[tuple[str, str]] = []
        observer = Manager()
        # A list that grows is all a callback of pyst2 may do: an exception in it kills its event thread.
        observer.register_event("Hangup", lambda event, _manager: seen.append(
            (event.get_header("Uniqueid"), event.get_header("Cause"))
        ))  # fmt: skip
        try:
            await asyncio.to_thread(observer.connect, "127.0.0.1", system.settings.ami_port)
            await asyncio.to_thread(observer.login, "observer", system.token)
            town.family("13800000001", Answers(after_s=0.5, hangs_up_after_s=2))
            town.family("13800000002", Busy())
            elder = await town.call("02150001111", "12349120")
            await elder.hears(prompt("emergency/help_is_coming"))
            await system.leg("family", "13800000002", "ended/busy")
            await elder.hang_up()
            await system.leg("elder", "02150001111", "ended/talked")
            await system.close_all()
            await system.left_behind()
            ours = await system.api("GET", "/events?after=0&limit=1000", status=200)
            attempts = {e["attempt_id"] for e in ours["items"] if e["kind"] == "leg.dialled"}
            ended = [e.get("cause") for e in ours["items"] if e["kind"] == "leg.ended"]
            hung_up = {uniqueid: int(cause) for uniqueid, cause in seen}
            assert attempts <= hung_up.keys(), "each dial of ours was seen to end by the observer"
            assert sorted(c for c in ended if c is not None) == sorted(
                cause for uniqueid, cause in hung_up.items() if uniqueid in attempts or "." in uniqueid
            )
        finally:
            # Its reader may have gone first; then pyst2's log-off writes to a closed file. All was asserted before.
            with contextlib.suppress(ValueError, OSError):
                await asyncio.to_thread(observer.close)
