"""Names of fragments, and how each becomes HTML.

A name is `what` or `what:id`, then `/` and the variant: `full` or `masked` numbers, and for seats who may press them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from agent_console.eyes import FULL, MASKED, Eyes
from agent_console.pages.render import Pages
from agent_console.ports import Reader
from agent_console.queries import board, incidents, queue, storm
from agent_console.status import EngineSays, read_engine, read_parts, spoils
from agent_console.who import Principal

EVENTS_SHOWN = 60  # in the panel; the API has them all


def names_for(who: Principal, incident_id: str | None) -> dict[str, str]:
    """Event name -> fragment name, for one screen."""
    variant = "full" if who.eyes.full else "masked"
    names = {
        "alert": f"alert/{variant}",
        "queue": f"queue/{variant}",
        "storm": "storm/boss" if who.is_boss else "storm/plain",
        "seats": "seats/boss" if who.is_boss else "seats/plain",
        "incidents": f"incidents/{variant}",
    }
    if incident_id:
        names[f"incident:{incident_id}"] = f"incident:{incident_id}/{variant}"
    if who.extension and who.may_act:
        names[f"seat:{who.extension}"] = f"seat:{who.extension}/own"
    return names


class LiveRender:
    def __init__(self, reader: Reader, pages: Pages, data_dir: Path) -> None:
        self._reader = reader
        self._pages = pages
        self._data_dir = data_dir
        self._engine = EngineSays()
        self._down: tuple[str, ...] = ()
        self._deaf = False
        self._second_trunk = False

    async def check(self) -> tuple[int, set[str]]:
        seq = await self._reader.look(board.last_seq)
        changed: set[str] = set()
        engine = read_engine(self._data_dir)
        if engine.devices != self._engine.devices:
            changed |= {"seats", *(f"seat:{name}" for name in {**engine.devices, **self._engine.devices})}
        parts = read_parts(self._data_dir, database_ok=True)
        down = tuple(name for name, part in parts.items() if spoils(part))
        deaf = parts["speech"].state == "not_installed"
        second = engine.trunk == "second"
        if (down, deaf, second) != (self._down, self._deaf, self._second_trunk):
            changed.add("alert")
        self._engine, self._down, self._deaf, self._second_trunk = engine, down, deaf, second
        return seq, changed

    async def fragments(self, names: Iterable[str]) -> tuple[int, dict[str, str]]:
        wanted = sorted(names)

        def query(conn: Connection) -> tuple[int, dict[str, dict[str, Any]]]:
            cards = cache(lambda eyes: board.open_incidents(conn, eyes))  # for list and alert alike
            return board.last_seq(conn), {name: self._context(conn, name, cards) for name in wanted}

        seq, contexts = await self._reader.look(query)
        return seq, {name: self._pages.part(_what(name), context) for name, context in contexts.items()}

    def _context(self, conn: Connection, name: str, cards: Callable[[Eyes], list[board.Card]]) -> dict[str, Any]:
        head, _, variant = name.partition("/")
        what, _, key = head.partition(":")
        eyes = MASKED if variant == "masked" else FULL
        match what:
            case "queue":
                return {"waiting": queue.waiting(conn, eyes)}
            case "seats":
                return {"agents": queue.agents(conn, self._engine.devices), "boss": variant == "boss"}
            case "seat":
                seats = queue.agents(conn, self._engine.devices)
                return {"seat": next((seat for seat in seats if seat.extension == key), None)}
            case "incidents":
                return {"cards": cards(eyes), "total": board.how_many_open(conn)}
            case "storm":
                return {"storm": storm.state(conn), "boss": variant == "boss"}
            case "alert":
                ready, seats_known = board.ready_seats(conn)
                alone = [card for card in cards(eyes) if card.attention == "unattended"]
                return {
                    "down": self._down,
                    "deaf": self._deaf,
                    "second_trunk": self._second_trunk,
                    "ready": ready,
                    "seats": seats_known,
                    "unattended": alone,
                    "unattended_total": max(len(alone), board.not_shown_safe(conn)),
                }
            case "incident":
                return {"incident": incidents.one(conn, key, eyes, events=EVENTS_SHOWN)}
        raise KeyError(name)


def _what(name: str) -> str:
    return name.partition("/")[0].partition(":")[0]
