"""Who is sent, and which hospital: everybody in order, each with the reasons a person can check. A pure decision.

Workers: the elder's own helper, then those with the skill, then the nearest; who is at another incident or has said
no comes behind those who are free. Hospitals: the one contracted for the district, then what it can do, then the
nearest. Nobody is left out: a bad choice shown is better than a possible one hidden.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ivr.domain.geography import Point, distance_km
from ivr.domain.incident import Outcome, Role
from ivr.domain.numbers import is_dialable

# For whom we have no coordinates: as far as a district is wide, or as a city.
SAME_DISTRICT_KM, ELSEWHERE_KM = 5.0, 60.0
_SPLIT = re.compile(r"[,，;；、/|\s]+")
WANTED_OF_A_HOSPITAL = {
    "distress.chest": ("胸痛", "心"),
    "distress.stroke": ("卒中", "神经"),
    "distress.fall": ("骨",),
    "fall": ("骨",),
}
"""What was heard, or the kind of an alarm -> a word in a hospital's capabilities."""


def words_of(text: str | None) -> tuple[str, ...]:
    """`护理；测血压、陪诊` -> its words, each once."""
    return tuple(dict.fromkeys(word for word in _SPLIT.split(text or "") if word))


@dataclass(frozen=True, slots=True)
class Need:
    """Where help is needed and what was asked for."""

    helper_no: str | None = None
    district: str | None = None
    where: Point | None = None
    skill: str | None = None
    heard: tuple[str, ...] = ()  # meanings and kinds of alarms


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of this phone in this incident."""

    live: bool = False
    accepted: bool = False
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Worker:
    worker_no: str
    name: str
    phone: str
    skills: tuple[str, ...] = ()
    district: str | None = None
    where: Point | None = None
    busy: bool = False  # took another incident that is still open
    tried: Tried | None = None


@dataclass(frozen=True, slots=True)
class Hospital:
    name: str
    phone: str
    districts: tuple[str, ...] = ()
    where: Point | None = None
    capabilities: tuple[str, ...] = ()
    pushes: bool = False  # has an endpoint for the package
    tried: Tried | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    role: Role
    key: str  # worker_no, or the hospital's name
    name: str
    phone: str
    reasons: tuple[str, ...]
    distance_km: float | None
    may_be_offered: bool  # a machine may ring it now by itself
    serves: bool = False  # a hospital that is contracted for the elder's district


def rank_workers(need: Need, workers: Iterable[Worker]) -> list[Ranked]:
    """All of them, best first; equals by their number, so that the order is always the same."""
    placed = [(_worker_key(need, one), _ranked_worker(need, one)) for one in workers]
    return [ranked for _, ranked in sorted(placed, key=lambda pair: pair[0])]


def rank_hospitals(need: Need, hospitals: Iterable[Hospital]) -> list[Ranked]:
    placed = [(_hospital_key(need, one), _ranked_hospital(need, one)) for one in hospitals]
    return [ranked for _, ranked in sorted(placed, key=lambda pair: pair[0])]


def _worker_key(need: Need, one: Worker) -> tuple[bool, bool, bool, bool, bool, float, str]:
    return (
        not is_dialable(one.phone),
        _said_no(one.tried),
        one.busy,
        one.worker_no != need.helper_no,
        not has_skill(need, one),
        _far(need, one.where, (one.district,)),
        one.worker_no,
    )


def _hospital_key(need: Need, one: Hospital) -> tuple[bool, bool, bool, int, float, str]:
    return (
        not is_dialable(one.phone),
        _said_no(one.tried),
        not _serves(need, one.districts),
        -len(_fitting(need, one)),
        _far(need, one.where, one.districts),
        one.name,
    )


def has_skill(need: Need, one: Worker) -> bool:
    return need.skill is None or any(need.skill in skill for skill in one.skills)


def _serves(need: Need, districts: Sequence[str | None]) -> bool:
    return need.district is not None and need.district in districts


def _fitting(need: Need, one: Hospital) -> list[str]:
    wanted = {word for heard in need.heard for word in WANTED_OF_A_HOSPITAL.get(heard, ())}
    return [able for able in one.capabilities if any(word in able for word in wanted)]


def _far(need: Need, where: Point | None, districts: Sequence[str | None]) -> float:
    measured = _measured(need, where)
    if measured is not None:
        return measured
    return SAME_DISTRICT_KM if _serves(need, districts) else ELSEWHERE_KM


def _measured(need: Need, where: Point | None) -> float | None:
    return distance_km(need.where, where) if need.where is not None and where is not None else None


def _said_no(tried: Tried | None) -> bool:
    return tried is not None and not tried.live and tried.outcome is Outcome.DECLINED


def _ranked_worker(need: Need, one: Worker) -> Ranked:
    reasons = []
    if one.worker_no == need.helper_no:
        reasons.append("绑定的护理员 bound")
    if need.skill is not None:
        reasons.append(f"会{need.skill} skill" if has_skill(need, one) else f"没有登记{need.skill} no such skill")
    reasons += _where(need, one.where, (one.district,))
    if one.busy:
        reasons.append("正在处理别的事件 on another open incident")
    reasons += _history(one.tried, one.phone)
    may = is_dialable(one.phone) and not one.busy and not _said_no(one.tried)
    return Ranked(
        Role.WORKER, one.worker_no, one.name, one.phone, tuple(reasons), _measured(need, one.where), may_be_offered=may
    )


def _ranked_hospital(need: Need, one: Hospital) -> Ranked:
    reasons = []
    if _serves(need, one.districts):
        reasons.append("本区签约 contracted for the district")
    reasons += [f"有{able} capability" for able in _fitting(need, one)]
    reasons += _where(need, one.where, () if _serves(need, one.districts) else one.districts)
    if one.pushes:
        reasons.append("可收电子资料 receives the package")
    reasons += _history(one.tried, one.phone)
    may = is_dialable(one.phone) and not _said_no(one.tried)
    return Ranked(
        Role.HOSPITAL, one.name, one.name, one.phone, tuple(reasons), _measured(need, one.where),
        may_be_offered=may, serves=_serves(need, one.districts),
    )  # fmt: skip


def _where(need: Need, where: Point | None, districts: Sequence[str | None]) -> list[str]:
    reasons = []
    if _serves(need, districts):
        reasons.append("同区 same district")
    measured = _measured(need, where)
    reasons.append("距离不明 distance unknown" if measured is None else f"{measured:.1f} 公里 km")
    return reasons


def _history(tried: Tried | None, phone: str) -> list[str]:
    reasons = [] if is_dialable(phone) else ["号码不能拨打 number cannot be dialled"]
    if tried is None:
        return reasons
    if tried.live:
        reasons.append("正在联系 being called")
    elif tried.accepted:
        reasons.append("已接受 accepted")
    elif tried.outcome is Outcome.DECLINED:
        reasons.append("已拒绝 declined")
    elif tried.outcome is not None:
        reasons.append("拨过未接通 tried, not reached")
    return reasons
