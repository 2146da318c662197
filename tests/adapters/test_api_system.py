"""Journal feed, health, figures and the description of the API."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ivr.speech.status import WorkerSays, path_in, write_status
from tests.adapters.api_stage import stage

METHODS = {"get", "post"}


async def test_feed_is_read_to_its_end_without_gaps(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        for number in range(3):
            await api.alarm(phone=f"1880000{number:04d}")
        seen, after = [], 0
        while True:
            page = await api.get(f"/events?after={after}&limit=2")
            if not page["items"]:
                break
            assert len(page["items"]) <= 2
            seen += [event["seq"] for event in page["items"]]
            after = page["next"]
        assert seen == list(range(1, len(seen) + 1))
        assert page["next"] == after
        status, answer = await api.ask("GET", "/events?after=-1")
        assert (status, answer["error"]["field"]) == (422, "after")


async def test_health_is_ok_only_when_every_part_serves(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        status, answer = await api.ask("GET", "/health", headers={})
        assert (status, answer["status"]) == (503, "degraded")
        assert answer["parts"]["engine"]["state"] == "down"
        assert set(answer["parts"]) == {"asterisk", "engine", "speech", "console", "database"}

        api.engine_says(ami="up")
        status, answer = await api.ask("GET", "/health", headers={})
        assert (status, answer["status"]) == (200, "ok")
        assert answer["parts"]["speech"]["state"] == "not_installed"
        assert answer["parts"]["console"] | {"since": None} == {
            "state": "ok",
            "pid": os.getpid(),
            "since": None,
            "restarts": None,
        }

        api.engine_says(ami="down")
        status, answer = await api.ask("GET", "/health", headers={})
        assert (status, answer["down"]) == (503, ["asterisk"])

        api.supervisor_says(asterisk={"pid": os.getpid(), "state": "ready", "since": "2026-01-01", "restarts": 1})
        status, answer = await api.ask("GET", "/health", headers={})
        assert (status, answer["parts"]["asterisk"]["restarts"]) == (200, 1)

        api.engine_says(at=datetime.now(UTC) - timedelta(seconds=6))
        api.supervisor_says(engine={"pid": 12, "state": "starting", "since": "2026-01-01", "restarts": 2})
        status, answer = await api.ask("GET", "/health", headers={})
        assert (status, answer["parts"]["engine"]["state"]) == (503, "starting")


@pytest.mark.parametrize(
    "text", ["", "[]", '"x"', "{", '{"at": 5}', '{"at": "never"}', '{"at": "2026-01-01T00:00:00"}']
)
async def test_broken_engine_file_means_engine_down(tmp_path: Path, text: str) -> None:
    async with stage(tmp_path) as api:
        run = api.settings.data_dir / "run"
        run.mkdir()
        (run / "engine.json").write_text(text)
        (run / "parts.json").write_text(text)
        status, answer = await api.ask("GET", "/health", headers={})
        assert (status, answer["parts"]["engine"]["state"]) == (503, "down")


async def test_figures_hold_no_personal_data(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        await api.alarm(device_id="P-100", phone="13800000001")
        for path in ("/metrics", "/api/v1/metrics"):
            text = await (await api.client.get(path)).text()
            assert 'yinling_incidents_open{attention="unattended"} 1.0' in text
            assert 'yinling_seats{state="away"} 2.0' in text
            for secret in ("王秀英", "E001", "13800000001", "1390000001", "李娜", "P-100"):
                assert secret not in text


async def test_figures_tell_of_the_second_ear(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        text = await (await api.client.get("/metrics")).text()
        assert 'yinling_second_ear_state{state="off"} 1.0' in text, "nobody asked for it"
        file = path_in(api.settings.data_dir)
        file.parent.mkdir(exist_ok=True)
        worker = WorkerSays(7, "ready", counts={"second_sent": 5, "second_lost": 2})
        second = {"state": "ready", "pid": 8, "restarts": 1, "counts": {"heard": 4, "dropped": 1}}
        write_status(file, 6, "/model", {"worker-1": worker}, 0, second)
        text = await (await api.client.get("/metrics")).text()
        for line in (
            'yinling_second_ear_state{state="ready"} 1.0', 'yinling_second_ear_state{state="off"} 0.0',
            'yinling_second_ear_done{what="heard"} 4.0', 'yinling_second_ear_done{what="dropped"} 1.0',
            'yinling_second_ear_done{what="waiting"} 0.0', 'yinling_speech_done{what="second_lost"} 2.0',
        ):  # fmt: skip
            assert line in text


async def test_description_is_sound_and_complete(tmp_path: Path) -> None:
    async with stage(tmp_path) as api:
        status, document = await api.ask("GET", "/openapi.json", headers={})
        assert (status, document["openapi"]) == (200, "3.1.0")
        assert {"title", "version"} <= set(document["info"])
        routed = {
            (route.method.lower(), route.resource.canonical.removeprefix("/api/v1"))
            for route in api.client.app.router.routes()
            if route.resource and route.resource.canonical.startswith("/api/v1/") and route.method != "HEAD"
        }
        described = {(method, path) for path, item in document["paths"].items() for method in item}
        assert routed == described
        names = set(document["components"]["schemas"])
        references = {value for key, value in _walk(document) if key == "$ref"}
        assert references
        assert {reference.removeprefix("#/components/schemas/") for reference in references} <= names
        operations = [operation for item in document["paths"].values() for operation in item.values()]
        assert len({operation["operationId"] for operation in operations}) == len(operations)
        for path, item in document["paths"].items():
            assert set(item) <= METHODS
            for operation in item.values():
                declared = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
                assert all(f"{{{name}}}" in path for name in declared)
                assert path.count("{") == len(declared)
                assert operation["responses"]
                assert all("schema" in parameter for parameter in operation["parameters"])
        assert "device_id" in json.dumps(document["components"]["schemas"]["AlarmIn"])


def _walk(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in [(key, inner), *_walk(inner)]]
    if isinstance(value, list):
        return [pair for inner in value for pair in _walk(inner)]
    return []


async def test_answers_match_their_description(tmp_path: Path) -> None:
    """Every field that an answer of each list has is declared, and the other way round."""
    async with stage(tmp_path) as api:
        incident = await api.alarm(device_id="P-100")
        schemas = (await api.get("/openapi.json"))["components"]["schemas"]
        assert set(await api.get(f"/incidents/{incident}")) == set(schemas["IncidentOut"]["properties"])
        assert set(await api.get("/queue")) == set(schemas["QueueOut"]["properties"])
