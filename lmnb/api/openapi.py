"""GET /openapi.json: our routes, described by the very types that read and write them."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import ModelSchema

from lmnb._version import __version__
from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.operation import Operation
from lmnb.api.operations import OPERATIONS

__all__ = ["OpenApiHandler", "describe"]

Json = dict[str, Any]
REFERENCE = "#/components/schemas/{model}"
ABOUT = (
    "Local language models in the dialects of OpenAI, Anthropic, LM Studio and llama-server. "
    "Unknown fields are ignored; an explicit null is an absent field."
)
SECURITY = {
    "key": {"type": "http", "scheme": "bearer"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}


BOUNDS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}


class _Generator(GenerateJsonSchema):
    """Says what pydantic leaves out: bounds of what is looked at before it is checked (`Integer`),
    and that null is taken for an absent field."""

    def generate_inner(self, schema: Any) -> Json:
        described = super().generate_inner(schema)
        return {BOUNDS.get(keyword, keyword): value for keyword, value in described.items()}

    def model_schema(self, schema: ModelSchema) -> Json:
        described = super().model_schema(schema)
        fields = described.get("properties", {})
        for name in fields.keys() - described.get("required", ()):
            fields[name] = _or_null(fields[name])
        return described


def _or_null(field: Json) -> Json:
    """What is said of the field, and not of its values, stays beside them."""
    about: Json = {word: field[word] for word in ("title", "default") if word in field}
    values = {word: value for word, value in field.items() if word not in about}
    null = {"type": "null"}
    if not values or null in values.get("anyOf", ()):
        return field
    return {"anyOf": [values, null], **about}


class OpenApiHandler(ApiHandler):
    """For generators of clients, and for people who look."""

    @endpoint
    async def get(self) -> None:
        self.reply(await asyncio.to_thread(describe))

    head = get


@functools.cache
def describe() -> Json:
    """The whole description, OpenAPI 3.1. Paths are relative to where it was found."""
    schemas, components = _schemas(OPERATIONS)
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.verb] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "lmnb", "version": __version__, "description": ABOUT},
        "servers": [{"url": "."}],
        "security": [{name: []} for name in SECURITY],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": SECURITY},
    }


def _schemas(operations: Iterable[Operation]) -> tuple[dict[Any, Json], Json]:
    """For each type a reference, and what they refer to."""
    used = {
        kind: mode
        for one in operations
        for kind, mode in (
            (one.body, "validation"),
            (one.answer, "serialization"),
            (one.error, "serialization"),
        )
        if kind is not None
    }
    inputs: Any = [(kind, mode, TypeAdapter(kind)) for kind, mode in used.items()]
    found, definitions = TypeAdapter.json_schemas(
        inputs, ref_template=REFERENCE, schema_generator=_Generator
    )
    return {kind: schema for (kind, _), schema in found.items()}, definitions.get("$defs", {})


def _operation(one: Operation, schemas: dict[Any, Json]) -> Json:
    content: Json = {"text/plain": {"schema": {"type": "string"}}}
    if one.answer is not None:
        content = {"application/json": {"schema": schemas[one.answer]}}
    if one.endless:
        content = {"text/event-stream": {"schema": {"type": "string"}}}
    if one.streams:
        content["text/event-stream"] = {}
    failure = {"application/json": {"schema": schemas[one.error]}}
    described: Json = {
        "operationId": _identifier(one),
        "summary": one.summary,
        "responses": {
            "200": {"description": "The answer", "content": content},
            "default": {"description": "Why not", "content": failure},
        },
    }
    if parameters := _parameters(one):
        described["parameters"] = parameters
    if one.body is not None:
        body = {"application/json": {"schema": schemas[one.body]}}
        described["requestBody"] = {"required": True, "content": body}
    if one.public:
        described["security"] = []
    return described


def _parameters(one: Operation) -> list[Json]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", one.path)
    ]
    properties = one.query.model_json_schema()["properties"] if one.query else {}
    return in_path + [
        {"name": name, "in": "query", "schema": schema} for name, schema in properties.items()
    ]


def _identifier(one: Operation) -> str:
    return "_".join([one.verb, *re.findall(r"\w+", one.path)])
