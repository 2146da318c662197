"""Figures for Prometheus. Numbers only: no name, no telephone number, no id of anybody."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """With a registry of its own: two applications in one process do not share figures."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.requests = Counter(
            "yinling_http_requests", "HTTP requests by route and status", ["method", "route", "status"], registry=r
        )
        self.streams = Gauge("yinling_console_streams", "Screens that are connected", registry=r)
        self.streams_dropped = Counter(
            "yinling_console_streams_dropped", "Screens cut off because they did not read", registry=r
        )
        self.renders = Histogram(
            "yinling_console_render_seconds",
            "Reading and rendering what changed",
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0),
            registry=r,
        )
        self.behind = Histogram(
            "yinling_console_delay_seconds",
            "From an event's transaction to its way to the screens",
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0),
            registry=r,
        )
        self.incidents = Gauge("yinling_incidents_open", "Open incidents by attention", ["attention"], registry=r)
        self.waiting = Gauge("yinling_callers_waiting", "Callers without a person yet", registry=r)
        self.longest = Gauge("yinling_longest_wait_seconds", "Longest present wait", registry=r)
        self.seats = Gauge("yinling_seats", "Seats by state", ["state"], registry=r)
        self.journal = Gauge("yinling_journal_seq", "Last sequence number of the journal", registry=r)
        self.parts = Gauge("yinling_part_up", "1: the part serves", ["part"], registry=r)

        self.speech_streams = Gauge("yinling_speech_streams", "Streams that are recognised now", registry=r)
        self.speech_free = Gauge("yinling_speech_free", "Streams that would be admitted now", ["kind"], registry=r)
        self.speech_done = Gauge(
            "yinling_speech_done", "What the living workers have counted since they started", ["what"], registry=r
        )
        self.second_ear_state = Gauge("yinling_second_ear_state", "1: it is so", ["state"], registry=r)
        self.second_ear_done = Gauge(
            "yinling_second_ear_done",
            "Utterances that the living second ear heard, dropped, failed at; and those that wait",
            ["what"],
            registry=r,
        )

    def set_groups(self, gauge: Gauge, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            gauge.labels(name).set(value)

    def text(self) -> bytes:
        return generate_latest(self.registry)
