"""OpenAPI 3.1 from the table of endpoints and the pydantic models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from agent_console.api.endpoint import PREFIX, Endpoint
from agent_console.api.shapes import ErrorOut
from agent_console.signed import SIGNATURE, SOURCE, TIMESTAMP

_REF = "#/components/schemas/{model}"


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    given = [(endpoint.body, "validation") for endpoint in endpoints if endpoint.body]
    shown = [(model, "serialization") for endpoint in endpoints for model in endpoint.answers.values() if model]
    wanted: list[Any] = [*given, *shown, (ErrorOut, "serialization")]
    names, schemas = models_json_schema(list(dict.fromkeys(wanted)), ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, names)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "银铃 Yinling HTTP API",
            "version": "1",
            "description": "Times are ISO 8601 in UTC; lists {items, next}; errors {error: {code, message, field}}.",
        },
        "servers": [{"url": PREFIX}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.get("$defs", {}),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": SIGNATURE,
                    "description": f"hex HMAC-SHA256 with the source's secret over {TIMESTAMP} + LF + body; "
                    f"{SOURCE} names the source. The sender's clock need not be right.",
                },
            },
        },
    }


def _operation(endpoint: Endpoint, names: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    def content(model: type[BaseModel], mode: str) -> dict[str, Any]:
        return {"application/json": {"schema": names[(model, mode)]}}

    answers: dict[str, Any] = {}
    for status, model in endpoint.answers.items():
        answers[str(status)] = {"description": "OK" if status < 300 else "Degraded"}
        if model:
            answers[str(status)]["content"] = content(model, "serialization")
    refusals = {*endpoint.refusals, *(() if endpoint.public else (401,)), *((400, 413) if endpoint.body else ())}
    if endpoint.query or endpoint.body:
        refusals.add(422)
    if endpoint.method != "GET":
        refusals.add(403)
    for status in sorted(refusals):
        answers.setdefault(str(status), {"description": "Refused", "content": content(ErrorOut, "serialization")})
    operation: dict[str, Any] = {
        "operationId": endpoint.handler.__name__,
        "summary": endpoint.summary,
        "parameters": [*_path_parameters(endpoint.path), *_query_parameters(endpoint.query)],
        "responses": answers,
    }
    if endpoint.body:
        operation["requestBody"] = {"required": True, "content": content(endpoint.body, "validation")}
    if endpoint.public:
        operation["security"] = []
    if endpoint.may_be_signed:
        operation["security"] = [{"token": []}, {"signature": []}]
    return operation


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _query_parameters(query: type[BaseModel] | None) -> list[dict[str, Any]]:
    if query is None:
        return []
    schema = query.model_json_schema()
    needed = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": described}
        for name, described in schema["properties"].items()
    ]
