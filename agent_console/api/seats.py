"""GET /queue, POST /agents/EXT/state."""

from __future__ import annotations

from agent_console.api.endpoint import Answer, Ask
from agent_console.api.ids import need_word
from agent_console.api.models import SeatIn
from agent_console.api.shapes import QueueOut
from agent_console.keys import READER, SEATS, SETTINGS
from agent_console.queries import queue
from agent_console.status import read_engine
from agent_console.validation import Refused
from agent_console.who import Principal


async def show_queue(ask: Ask) -> Answer:
    devices = read_engine(ask.app[SETTINGS].data_dir).devices
    waiting = await ask.app[READER].read(queue.waiting, ask.who.eyes)
    agents = await ask.app[READER].read(queue.agents, devices)
    return 200, QueueOut(waiting=waiting, agents=agents)


async def set_state(ask: Ask) -> Answer:
    body: SeatIn = ask.body
    extension = need_word(ask.part("ext"), no_seat)
    need_seat(ask.who, extension)
    if not await ask.app[SEATS].set_state(extension, body.state, reason=body.reason, by=ask.who.name):
        raise no_seat()
    devices = read_engine(ask.app[SETTINGS].data_dir).devices
    agents = await ask.app[READER].read(queue.agents, devices)
    return 200, next(agent for agent in agents if agent.extension == extension)


def need_seat(who: Principal, extension: str) -> None:
    if not who.may_seat(extension):
        raise Refused(403, "forbidden", "只能设置自己的座席。", "Only your own seat is yours to set.")


def no_seat() -> Refused:
    return Refused(404, "unknown_agent", "没有这个座席。", "There is no such seat.")
