"""Closed incidents: by date, by number, each with its file and its export. For those who may export."""

from __future__ import annotations

from aiohttp import web

from agent_console.api.ids import need_ulid
from agent_console.api.models import RecordQuery
from agent_console.keys import PAGES, READER
from agent_console.pages.forms import need_person
from agent_console.queries import records
from agent_console.validation import Refused, parse


async def show(request: web.Request) -> web.Response:
    who = await need_person(request)
    if not who.may_export:
        raise Refused(403, "forbidden", "只有班长、管理员和审计可以查阅。", "For supervisors, admins and auditors.")
    typed = dict(request.query)
    query: RecordQuery = RecordQuery()
    problem: Refused | None = None
    try:
        query = parse(RecordQuery, {name: value for name, value in typed.items() if value.strip()})
    except Refused as refused:
        problem = refused
    cursor = need_ulid(query.cursor, _no_page) if query.cursor else None
    items, following = await request.app[READER].read(
        records.page, query.day, query.number, cursor, query.limit, who.eyes
    )
    return request.app[PAGES].page(
        "records",
        problem.status if problem else 200,
        who=who,
        items=[] if problem else items,
        following=None if problem else following,
        typed=typed,
        problem=problem,
    )


def _no_page() -> Refused:
    return Refused(404, "not_found", "没有这一页。", "There is no such page.")
