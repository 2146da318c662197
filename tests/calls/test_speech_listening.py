"""A caller who waits in the queue is heard: what he wants is noted, and who cries for help is moved into a room."""

from __future__ import annotations

from typing import Any

from tests.calls.harness import Answers
from tests.calls.place import MakePlace
from tests.calls.spoken import clip, says
from tests.calls.system import Person, System, prompt

WANG = Person("E1", "王秀英", "02150001111", ["13800000001"])


async def waiting(system: System) -> dict[str, Any]:
    """The only caller in the queue, once an ear listens to him."""

    async def heard() -> dict[str, Any] | None:
        found = (await system.api("GET", "/queue", status=200))["waiting"]
        streams = sum(w["streams"] for w in system.speech().get("workers", {}).values())
        return found[0] if len(found) == 1 and streams == 1 else None

    return dict(await system.until(heard, 10, "a waiting caller with an ear"))


async def busy(town: Any, system: System) -> Any:
    """A seat that is ready and never picks up: the queue has somebody to wait for."""
    from tests.calls.harness import NoAnswer

    agent = await town.agent("1001", system.agents["1001"], NoAnswer())
    await system.ready("1001")
    return agent


async def test_who_cries_for_help_while_waiting_is_an_incident_and_in_a_room(place: MakePlace) -> None:
    async with place([WANG], speech=True) as (system, town):
        await busy(town, system)
        daughter = town.family("13800000001", Answers(after_s=0.5, presses="1", presses_after_s=2))
        elder = await town.call("02150001111", "12349")
        await waiting(system)
        cried = await says(elder, clip("fall"))
        await elder.hears(prompt("emergency/help_is_coming"), within=6, since=cried)
        (incident,) = await system.incidents()
        assert incident["alarms"][0]["source"] == "listening"
        assert incident["elder"]["elder_no"] == "E1"
        await daughter.called()
        await system.in_room(2)
        assert (await system.api("GET", "/queue", status=200))["waiting"] == []
        print("after", daughter.calls[0].invited_at - cried)
        call = (await system.api("GET", "/calls?number=02150001111", status=200))["items"][0]
        call = await system.api("GET", f"/calls/{call['id']}", status=200)
        assert call["incident_id"] == incident["id"]
        assert [h["meaning"] for h in call["heard"]] == ["distress.fall"], call["heard"]
