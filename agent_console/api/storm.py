"""Storm mode by a person's hand, and closing those who are safe."""

from __future__ import annotations

from agent_console.api.alarms import not_arrived
from agent_console.api.endpoint import Answer, Ask
from agent_console.api.models import CloseSafeIn, StormIn
from agent_console.api.shapes import ClosedOut
from agent_console.keys import READER, STORMS
from agent_console.queries import storm
from agent_console.validation import Refused
from agent_console.who import Principal
from ivr.domain.incident import NotArrived


def need_boss(who: Principal) -> None:
    if not who.is_boss:
        raise Refused(403, "forbidden", "只有班长可以这样做。", "Only a supervisor may do this.")


def need_name(who: Principal, by: str | None) -> str:
    """A person acts in his own name, whatever the body says."""
    name = who.name if who.is_person else by
    if name is None:
        raise Refused(422, "missing", "“by”缺失：要写明是谁。", "by is missing: say who.", "by")
    return name


async def show(ask: Ask) -> Answer:
    return 200, await ask.app[READER].read(storm.state)


async def switch(ask: Ask) -> Answer:
    body: StormIn = ask.body
    need_boss(ask.who)
    await ask.app[STORMS].switch(body.forced, by=need_name(ask.who, body.by))
    return 200, await ask.app[READER].read(storm.state)


async def close_safe(ask: Ask) -> Answer:
    body: CloseSafeIn = ask.body
    need_boss(ask.who)
    by = need_name(ask.who, body.by)
    try:
        closed = await ask.app[STORMS].close_safe(body.ids, by=by, outcome=body.outcome or "safe", reason=body.reason)
    except NotArrived:
        raise not_arrived(ask.app) from None
    return 200, ClosedOut(closed=closed)
