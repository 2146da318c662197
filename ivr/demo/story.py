"""The journal of one demo call, told line by line as it happens."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from ivr.demo import people
from ivr.store.db import Store
from ivr.store.journal import Event, Journal
from ivr.store.tables import call, contact, elder, leg

ROLES = {"elder": ("老人", "elder"), "agent": ("坐席", "agent"), "supervisor": ("值班电话", "duty phone")}
OUTCOMES = {
    "talked": ("已通话", "talked"),
    "busy": ("占线", "busy"),
    "no_answer": ("无人接听", "no answer"),
    "declined": ("拒绝", "declined"),
    "not_confirmed": ("接听但没有确认（语音信箱？）", "answered, but nobody confirmed (voicemail?)"),
    "unreachable": ("无法接通", "unreachable"),
    "failed": ("呼叫失败", "failed"),
    "cancelled": ("已取消", "cancelled"),
    "hung_up": ("挂断", "hung up"),
    "lost": ("结果不明", "unknown"),
}
LEG_STEPS = {
    "leg.dialled": ("正在拨打", "is dialled"),
    "leg.ringing": ("振铃", "rings"),
    "leg.answered": ("接起", "answers"),
    "leg.accepted": ("已确认，接入通话", "accepts and joins"),
    "leg.declined": ("拒绝", "declines"),
}
CALL_STEPS = {
    "call.arrived": ("电话到达", "the call arrives"),
    "call.answered": ("已接听，播放问候语", "answered, greeting"),
    "call.queued": ("进入队列", "waits in the queue"),
    "call.abandoned": ("来电者放弃", "the caller gave up"),
    "call.ended": ("通话结束", "the call has ended"),
}


@dataclass(frozen=True)
class Who:
    zh: str
    en: str
    role: str


@dataclass
class Story:
    """Feed it with `tell`; afterwards it knows who took part."""

    store: Store
    number: str
    began: datetime
    call_id: str | None = None
    incident_id: str | None = None
    answered_by: str | None = None
    """Extension that took the call, or `duty`."""
    agent_at: datetime | None = None
    elder_at: datetime | None = None
    """When the elder was answered: his recording begins there."""
    accepted: set[str] = field(default_factory=set)
    """Roles of which somebody has accepted."""
    ended: bool = False
    _early: list[Event] = field(default_factory=list)
    _legs: dict[str, Who] = field(default_factory=dict)
    _room: dict[str, Who] = field(default_factory=dict)

    @property
    def empty_room(self) -> bool:
        return not self._room

    async def follow(self, journal: Journal, seq: int) -> int:
        """Print what is new after `seq`; returns the new cursor."""
        events = await journal.after(seq)
        if not events:
            return seq
        if self.call_id is None:
            self._early += events
            await self._recognise(self._early)
            events = self._early if self.call_id else []
        for event in events:
            if event.call_id == self.call_id or (self.incident_id and event.incident_id == self.incident_id):
                for line in await self._tell(event):
                    self.say(event.at, *line)
        return max(event.seq for event in self._early + events)

    def say(self, at: datetime, zh: str, en: str) -> None:
        print(f"{(at - self.began).total_seconds():6.1f} s  {zh} · {en}", flush=True)

    async def _recognise(self, events: list[Event]) -> None:
        """Which of the calls that arrived is ours: the elder's, to the number we dialled."""
        for event in events:
            if event.kind == "call.arrived" and event.data.get("did") == self.number:
                query = select(call.c.caller_id).where(call.c.id == event.call_id)
                async with self.store.read() as conn:
                    if await conn.scalar(query) == people.ELDER:
                        self.call_id, self.incident_id = event.call_id, event.incident_id

    async def _tell(self, event: Event) -> list[tuple[str, str]]:
        if event.kind.startswith("leg."):
            return await self._tell_leg(event)
        if event.kind == "incident.opened":
            name = await self._elder_name(event.data.get("elder_no"))
            return [(f"紧急事件已记录：{name}", f"incident on record for {name}")]
        if event.kind == "incident.alarm_joined":
            return [("并入这位老人未关闭的事件", "joins this elder's open incident")]
        if event.kind == "incident.escalated":
            why = str(event.data.get("why"))
            return [(f"升级 ({why})", f"escalated ({why})")]
        if event.kind == "call.connected":
            self.answered_by, self.agent_at = event.extension, event.at
            return [(f"坐席 {event.extension} 接听，双方通话", f"agent {event.extension} answers, both talk")]
        if event.kind == "call.answered":
            self.elder_at = self.elder_at or event.at
        if event.kind == "call.ended":
            self.ended = True
        step = CALL_STEPS.get(event.kind)
        return [step] if step else []

    async def _tell_leg(self, event: Event) -> list[tuple[str, str]]:
        who = await self._who(str(event.leg_id))
        if event.kind == "leg.ended":
            zh, en = OUTCOMES.get(str(event.data.get("outcome")), ("", str(event.data.get("outcome"))))
            lines = [(f"{who.zh} 结束：{zh}", f"{who.en} ended: {en}")]
            was_in = self._room.pop(str(event.leg_id), None)
            return [*lines, self._room_line()] if was_in else lines
        step = LEG_STEPS.get(event.kind)
        if step is None:
            return []
        lines = [(f"{who.zh} {step[0]}", f"{who.en} {step[1]}")]
        if event.kind != "leg.accepted":
            return lines
        self.accepted.add(who.role)
        self._room[str(event.leg_id)] = who
        if who.role == "elder":
            self.elder_at = self.elder_at or event.at
        elif who.role in ("agent", "supervisor") and self.agent_at is None:
            self.agent_at = event.at
            self.answered_by = who.zh.split()[-1] if who.role == "agent" else "duty"
        return [*lines, self._room_line()]

    def _room_line(self) -> tuple[str, str]:
        people_zh = "、".join(who.zh for who in self._room.values()) or "无人"
        people_en = ", ".join(who.en for who in self._room.values()) or "nobody"
        return f"通话中：{people_zh}", f"in the room: {people_en}"

    async def _who(self, leg_id: str) -> Who:
        if leg_id not in self._legs:
            query = (
                select(leg.c.role, leg.c.name, leg.c.phone, contact.c.relation)
                .outerjoin(contact, contact.c.phone == leg.c.phone)
                .where(leg.c.id == leg_id)
            )
            async with self.store.read() as conn:
                row = (await conn.execute(query)).first()
            self._legs[leg_id] = _named(row)
        return self._legs[leg_id]

    async def _elder_name(self, elder_no: Any) -> str:
        async with self.store.read() as conn:
            return str(await conn.scalar(select(elder.c.name).where(elder.c.elder_no == elder_no)) or elder_no or "?")


def _named(row: Any) -> Who:
    if row is None:
        return Who("?", "?", "?")
    if row.role == "family":
        return Who(f"{row.relation or '家属'} {row.name}", f"family {row.phone}", "family")
    zh, en = ROLES.get(row.role, (row.role, row.role))
    return Who(f"{zh} {row.phone}", f"{en} {row.phone}", row.role)
