"""GET /openapi.json: it names every route, and every answer is as it says."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from lmnb.api.base import ApiHandler
from lmnb.api.not_found import RouteNotFoundHandler
from lmnb.api.openai.responses.create import ResponsesHandler
from lmnb.api.openapi import OpenApiHandler, describe
from lmnb.api.operations import OPERATIONS
from lmnb.api.routes import ROUTES
from tests.api.conftest import KEY, Api
from tests.hub.models import TINY
from tests.scripted import Script

USER = [{"role": "user", "content": "Hi"}]
ASKED: dict[str, Any] = {
    "/v1/chat/completions": {"messages": USER, "logprobs": True, "return_token_ids": True},
    "/v1/completions": {"prompt": "Hi", "logprobs": 1, "echo": True, "return_token_ids": True},
    "/v1/responses": {"input": "Hi", "user": "x"},
    "/v1/responses/input_tokens": {"input": "Hi"},
    "/v1/responses/compact": {"input": "Hi"},
    "/v1/conversations": {"metadata": {"a": "b"}},
    "/v1/embeddings": {"input": ["Hi", "Ho"]},
    "/v1/rerank": {"query": "Hi", "documents": ["a", "b"], "return_documents": True},
    "/v1/tokenize": {"content": "Hi", "with_pieces": True},
    "/v1/detokenize": {"tokens": [72]},
    "/v1/apply-template": {"messages": USER},
    "/v1/messages": {"messages": USER, "max_tokens": 9, "stop_sequences": ["x"]},
    "/v1/messages/count_tokens": {"messages": USER},
    "/api/v0/chat/completions": {"messages": USER},
    "/api/v0/completions": {"prompt": "Hi"},
    "/api/v0/embeddings": {"input": "Hi"},
    "/api/v1/chat": {"input": "Hi"},
    "/api/v1/models/load": {"echo_load_config": True},
    "/api/v1/models/estimate": {"slots": 2},
    "/api/v1/models/resolve": {"model": TINY},
}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def validate(value: Any, schema: dict[str, Any]) -> None:
    Draft202012Validator({**schema, "components": closed(describe()["components"])}).validate(value)


def closed(schema: Any) -> Any:
    """The same, but that no object has keys which are not described."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    described = {name: closed(value) for name, value in schema.items()}
    return {"additionalProperties": False, **described} if "properties" in schema else described


def answer_schema(path: str, verb: str, status: str = "200") -> dict[str, Any]:
    answers = describe()["paths"][path][verb]["responses"][status]["content"]
    return dict(answers["application/json"]["schema"])


async def test_it_is_served_with_valid_schemas(api: Api) -> None:
    served = (await api.client.get("/openapi.json")).json()
    assert served == json.loads(json.dumps(describe()))
    for schema in served["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_route_is_described_and_every_description_is_a_route() -> None:
    """A WebSocket, which `GET /v1/responses` opens, is beyond OpenAPI."""
    missing = ApiHandler._unimplemented_method
    described = {(ResponsesHandler, "get")}
    for operation in OPERATIONS:
        path = re.sub(r"{\w+}", "x", operation.path)
        handler = next(handler for pattern, handler in ROUTES if re.fullmatch(pattern, path))
        assert getattr(handler, operation.verb) is not missing, operation.path
        described.add((handler, operation.verb))
    served = {
        (handler, verb)
        for _, handler in ROUTES
        for verb in ("get", "post", "put", "patch", "delete")
        if getattr(handler, verb) is not missing
        and handler not in (RouteNotFoundHandler, OpenApiHandler)
    }
    assert described == served


def test_bounds_and_nulls_are_in_it() -> None:
    schemas = describe()["components"]["schemas"]
    count, null = {"type": "integer", "minimum": 1, "maximum": 128}, {"type": "null"}
    assert schemas["ChatRequest"]["properties"]["n"]["anyOf"] == [count, null]
    token = schemas["DetokenizeRequest"]["properties"]["tokens"]["items"]
    assert token == {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.usefixtures("hub")
async def test_answers_are_as_described(api: Api, path: str) -> None:
    answer = await api.post(path, {"model": api.model, **ASKED[path]})
    assert answer.status_code == 200, answer.text
    validate(answer.json(), answer_schema(path, "post"))


@pytest.mark.parametrize(
    "path",
    [
        one.path
        for one in OPERATIONS
        if one.verb == "get" and not one.endless and "{" not in one.path
    ],
)
@pytest.mark.usefixtures("hub")
async def test_what_can_be_looked_at_is_as_described(api: Api, path: str) -> None:
    await api.chat()
    answer = await api.client.get(path)
    assert answer.status_code == 200
    if path != "/metrics":
        validate(answer.json(), answer_schema(path, "get"))


async def test_kept_things_are_as_described(api: Api) -> None:
    kept = (await api.post("/v1/responses", {"input": "Hi"})).json()["id"]
    talk = (await api.post("/v1/conversations", {"items": USER})).json()["id"]
    items = f"/v1/conversations/{talk}/items"
    for path, described in (
        (f"/v1/models/{api.model}", "/v1/models/{id}"),
        (f"/v1/responses/{kept}", "/v1/responses/{id}"),
        (f"/v1/responses/{kept}/input_items", "/v1/responses/{id}/input_items"),
        (f"/v1/conversations/{talk}", "/v1/conversations/{id}"),
        (items, "/v1/conversations/{id}/items"),
    ):
        answer = await api.client.get(path)
        assert answer.status_code == 200, answer.text
        validate(answer.json(), answer_schema(described, "get"))
    for path, described in (
        (f"/v1/responses/{kept}", "/v1/responses/{id}"),
        (f"/v1/conversations/{talk}", "/v1/conversations/{id}"),
    ):
        validate((await api.client.delete(path)).json(), answer_schema(described, "delete"))


@pytest.mark.parametrize(
    ("verb", "path"), [(one.verb, one.path) for one in OPERATIONS if one.body is not None]
)
async def test_refusals_are_as_described(api: Api, verb: str, path: str) -> None:
    answer = await api.client.request(verb, re.sub(r"{\w+}", "none", path), content=b"{")
    assert answer.status_code == 400
    validate(answer.json(), answer_schema(path, verb, "default"))


@pytest.mark.slow
@pytest.mark.usefixtures("hub")
async def test_whatever_the_description_allows_is_answered_as_it_says(api: Api) -> None:
    """schemathesis makes the requests: bodies that fit our schemas, some of them strange."""
    api.script(Script())
    document = describe()
    schema = schemathesis.openapi.from_dict({**document, "servers": [{"url": api.url}]})
    headers = {"Authorization": f"Bearer {KEY}"}

    def smoke(operation: Any) -> None:
        @settings(
            max_examples=4,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            if isinstance(case.body, dict) and "model" in case.body:
                case.body["model"] = api.model
            case.call_and_validate(base_url=api.url, headers=headers, checks=CHECKS)

        check()

    endless = {one.path for one in OPERATIONS if one.endless}
    for found in schema.get_all_operations():
        if found.ok().path in endless:
            continue
        await asyncio.to_thread(smoke, found.ok())
