"""Who is sent to an elder: the ranking, the wish for a leg, the offer, and the arrival.

Nothing is dialled here: a wish is put on record, and the engine dials it.
"""

from __future__ import annotations

from datetime import UTC

from agent_console.api.endpoint import Answer, Ask
from agent_console.api.ids import need_ulid, need_word
from agent_console.api.models import ArrivedIn, BindIn, HelperQuery, LegIn, PackageIn, SendIn
from agent_console.api.shapes import BoundOut, IncidentOut, SendOut
from agent_console.keys import HELPERS, OUTBOX, READER, SETTINGS
from agent_console.queries import helpers, incidents, offers
from agent_console.validation import Refused
from agent_console.who import Principal
from ivr.domain.incident import AlreadyClosed, Role, UnknownElder, UnknownIncident
from ivr.services.packages import AMBULANCE


async def list_helpers(ask: Ask) -> Answer:
    query: HelperQuery = ask.query
    incident_id = need_ulid(ask.part("id"), not_found)
    found = await ask.app[READER].read(helpers.ranked, incident_id, query.skill, query.limit, ask.who.eyes)
    if found is None:
        raise not_found()
    return 200, found


async def want_leg(ask: Ask) -> Answer:
    incident_id = need_ulid(ask.part("id"), not_found)
    body: LegIn = ask.body
    leg_id, repeated = await wish(ask, incident_id, body)
    return 200 if repeated else 201, await ask.app[READER].read(helpers.leg, incident_id, leg_id, ask.who.eyes)


async def wish(ask: Ask, incident_id: str, body: LegIn) -> tuple[str, bool]:
    """For API and pages: (leg's id, whether that wish lives already)."""
    target = await (_elder(ask, incident_id, body) if body.role == "elder" else _listed(ask, incident_id, body))
    try:
        wanted = await ask.app[HELPERS].want(
            incident_id,
            target.role,
            target.phone,
            name=target.name,
            by=by(ask.who, body.by),
            worker_no=target.worker_no,
        )
    except UnknownIncident:
        raise not_found() from None
    except AlreadyClosed:
        raise _closed() from None
    return wanted.leg_id, wanted.repeated


async def _elder(ask: Ask, incident_id: str, body: LegIn) -> helpers.Target:
    """He is called back: a line that was cut in mid-talk is a person's to decide about, no machine dials it again."""
    line = await ask.app[READER].read(helpers.elder_line, incident_id)
    if line is None:
        raise not_found()
    if line.is_open:
        raise Refused(409, "on_the_line", "老人已经在线上，不用再拨。", "The elder is on the line already.", "role")
    if body.phone and body.phone not in line.phones:
        raise _nobody(body)
    phone = body.phone or line.phone
    if phone is None:
        raise Refused(
            422,
            "no_number",
            "不知道老人的号码：来电没有显示，档案里也没有可以拨的。",
            "No number of the elder is known: his call showed none, and the file has none that can be dialled.",
            "phone",
        )
    return helpers.Target(Role.ELDER, phone, line.name)


async def _listed(ask: Ask, incident_id: str, body: LegIn) -> helpers.Target:
    target = await ask.app[READER].read(
        helpers.target,
        incident_id,
        body.role,
        body.worker_no if body.role == "worker" else body.hospital,
        body.phone,
        ask.app[SETTINGS].ambulance_number,
    )
    if target is None:
        raise _nobody(body)
    return target


async def send_somebody(ask: Ask) -> Answer:
    incident_id = need_ulid(ask.part("id"), not_found)
    body: SendIn = ask.body
    began = await send(ask, incident_id, body)
    return 201 if began else 200, SendOut(incident_id=incident_id, began=began)


async def send(ask: Ask, incident_id: str, body: SendIn) -> bool:
    if ask.app[SETTINGS].offer_worker == "never":
        raise Refused(
            409, "offer_off", "本中心不自动打电话派人（设置 offer_worker）。", "Offers by phone are off (offer_worker)."
        )
    try:
        return await ask.app[HELPERS].want_helper(incident_id, by=by(ask.who, body.by), skill=body.skill)
    except UnknownIncident:
        raise not_found() from None
    except AlreadyClosed:
        raise _closed() from None


async def send_package(ask: Ask) -> Answer:
    incident_id = need_ulid(ask.part("id"), not_found)
    began = await package(ask, incident_id, ask.body)
    return 201 if began else 200, await ask.app[READER].read(offers.latest_package, incident_id, AMBULANCE)


async def package(ask: Ask, incident_id: str, body: PackageIn) -> bool:
    """For API and pages. 120 may be reached by data and by no telephone of its own: then this is the only way."""
    if not ask.app[SETTINGS].ambulance_endpoint:
        raise Refused(
            409,
            "no_endpoint",
            "没有设置 120 的接收地址（ambulance_endpoint），请用电话告知。",
            "120 takes no packages here (ambulance_endpoint): tell them by telephone.",
        )
    try:
        return await ask.app[OUTBOX].send_to_ambulance(incident_id, by=by(ask.who, body.by))
    except UnknownIncident:
        raise not_found() from None
    except AlreadyClosed:
        raise _closed() from None


async def somebody_arrived(ask: Ask) -> Answer:
    incident_id = need_ulid(ask.part("id"), not_found)
    await arrive(ask, incident_id, ask.body)
    return 200, await find(ask, incident_id)


async def arrive(ask: Ask, incident_id: str, body: ArrivedIn) -> bool:
    try:
        return await ask.app[HELPERS].arrived(
            incident_id,
            by=by(ask.who, body.by),
            at=body.at.astimezone(UTC) if body.at else None,
            worker_no=body.worker_no,
        )
    except UnknownIncident:
        raise not_found() from None
    except AlreadyClosed:
        raise _closed() from None


async def bind_helper(ask: Ask) -> Answer:
    """The worker bound to an elder; null unbinds."""
    elder_no = need_word(ask.part("elder_no"), _no_elder)
    body: BindIn = ask.body
    if body.worker_no is not None:
        there = await ask.app[READER].read(helpers.target, "", "worker", body.worker_no, None, "")
        if there is None:
            raise Refused(422, "unknown_worker", "没有这位护理员。", "There is no such worker.", "worker_no")
    try:
        await ask.app[HELPERS].bind(elder_no, body.worker_no, by=by(ask.who, body.by))
    except UnknownElder:
        raise _no_elder() from None
    return 200, BoundOut(elder_no=elder_no, helper_no=body.worker_no)


def by(who: Principal, named: str | None) -> str:
    """A person acts in his own name, whatever the body says."""
    return who.name if who.is_person else named or who.name


def _nobody(body: LegIn) -> Refused:
    field = {"worker": "worker_no", "hospital": "hospital"}.get(body.role, "phone")
    if body.role != "family" and body.phone and not (body.worker_no or body.hospital):
        field = "phone"
    return Refused(
        422,
        "unknown_target",
        "名单里没有：只能拨打登记过的护理员、医院、该老人和他的家属，或设置里的 120。",
        "Nobody on the lists: only registered workers, hospitals, this elder, his family, or 120 as set, are dialled.",
        field,
    )


def not_found() -> Refused:
    return Refused(404, "unknown_incident", "没有这个事件。", "There is no such incident.")


async def find(ask: Ask, incident_id: str) -> IncidentOut:
    found = await ask.app[READER].read(incidents.one, incident_id, ask.who.eyes)
    if found is None:
        raise not_found()
    return found


def _closed() -> Refused:
    return Refused(409, "already_closed", "事件已经关闭。", "The incident is closed already.")


def _no_elder() -> Refused:
    return Refused(404, "unknown_elder", "没有这位老人的档案。", "There is no such elder.")
