"""The table of DESIGN.md §5."""

from __future__ import annotations

from agent_console.api import alarms, calls, exports, models, seats, shapes, system, tickets
from agent_console.api.endpoint import Endpoint

ENDPOINTS = (
    Endpoint(
        "POST",
        "/alarms",
        "报警：开启事件或并入该老人未关闭的事件 · open an incident, or join the elder's open one",
        alarms.raise_alarm,
        {201: shapes.RaisedOut, 200: shapes.RaisedOut},
        body=models.AlarmIn,
        refusals=(422, 503),
    ),
    Endpoint(
        "GET",
        "/incidents",
        "事件列表 · incidents, newest first",
        alarms.list_incidents,
        {200: shapes.Incidents},
        query=models.IncidentQuery,
    ),
    Endpoint(
        "GET",
        "/incidents/{id}",
        "一个事件及其全部通话和记录 · one incident with alarms, legs and events",
        alarms.one_incident,
        {200: shapes.IncidentOut},
        refusals=(404,),
    ),
    Endpoint(
        "POST",
        "/incidents/{id}/close",
        "关闭事件，须有人和原因 · close; needs a person and a reason",
        alarms.close_incident,
        {200: shapes.IncidentOut},
        body=models.CloseIn,
        refusals=(404, 409, 422, 503),
    ),
    Endpoint(
        "GET",
        "/incidents/{id}/export",
        "导出事件：页面、录音、流水和散列（zip）· the record as a zip: page, audio, journal, hashes",
        exports.export_incident,
        {200: None},
        refusals=(403, 404, 503),
    ),
    Endpoint("GET", "/queue", "等待者与座席 · who waits, and the seats", seats.show_queue, {200: shapes.QueueOut}),
    Endpoint(
        "POST",
        "/agents/{ext}/state",
        "设置座席状态 · set a seat",
        seats.set_state,
        {200: shapes.AgentOut},
        body=models.SeatIn,
        refusals=(404, 422, 503),
    ),
    Endpoint(
        "GET",
        "/calls",
        "来电列表 · calls, newest first",
        calls.list_calls,
        {200: shapes.Calls},
        query=models.CallQuery,
    ),
    Endpoint("GET", "/calls/{id}", "一个来电 · one call", calls.one_call, {200: shapes.CallOut}, refusals=(404,)),
    Endpoint(
        "GET",
        "/tickets",
        "工单列表 · tickets, newest first",
        tickets.list_tickets,
        {200: shapes.Tickets},
        query=models.TicketQuery,
    ),
    Endpoint(
        "POST",
        "/tickets",
        "新建工单 · open a ticket",
        tickets.open_ticket,
        {201: shapes.TicketOut},
        body=models.TicketIn,
        refusals=(422, 503),
    ),
    Endpoint(
        "GET", "/tickets/{no}", "一张工单 · one ticket", tickets.one_ticket, {200: shapes.TicketOut}, refusals=(404,)
    ),
    Endpoint(
        "POST",
        "/tickets/{no}/events",
        "上门服务事件 · report from the field",
        tickets.add_event,
        {201: shapes.TicketOut},
        body=models.FieldEventIn,
        refusals=(404, 409, 422, 503),
    ),
    Endpoint(
        "GET",
        "/events",
        "流水 · the journal as a feed",
        system.feed,
        {200: shapes.Events},
        query=models.FeedQuery,
    ),
    Endpoint(
        "GET",
        "/health",
        "各部分是否正常 · does every part serve",
        system.health,
        {200: shapes.HealthOut, 503: shapes.HealthOut},
        public=True,
    ),
    Endpoint("GET", "/metrics", "Prometheus", system.figures, {200: None}, public=True),
    Endpoint("GET", "/openapi.json", "本说明 · this description", system.description, {200: None}, public=True),
)
