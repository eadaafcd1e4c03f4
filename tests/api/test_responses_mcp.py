"""Tools of MCP servers in Responses: a real server, and an engine that says what it is told to."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.api.test_native_mcp import call, switch
from tests.api.test_responses import create, prompt, refuse, stream
from tests.api.test_responses_sdk import sdk
from tests.api.test_responses_state import wait_for_status
from tests.api.test_responses_tools import WEATHER
from tests.api.test_responses_websocket import connect
from tests.scripted import Script
from tests.until import until

ADD = call("add", a=2, b=3)
FIVE = Script(texts=["Five", "."])


@pytest.fixture
def server(api: Api, mcp_port: int) -> dict[str, Any]:
    """As a request brings it along; its calls need no approval."""
    switch(api, "ephemeral", "127.0.0.1")
    url = f"http://127.0.0.1:{mcp_port}/mcp"
    return {"type": "mcp", "server_label": "here", "server_url": url, "require_approval": "never"}


def kinds(response: Any) -> list[str]:
    return [item["type"] for item in response["output"]]


async def test_a_tool_is_called_and_its_result_read(api: Api, server: dict[str, Any]) -> None:
    api.script(ADD, FIVE)
    said = await stream(api, tools=[server])
    assert [event["type"].removeprefix("response.") for event in said] == [
        "created",
        "in_progress",
        "output_item.added",
        "mcp_list_tools.in_progress",
        "mcp_list_tools.completed",
        "output_item.done",
        "output_item.added",
        "mcp_call.in_progress",
        "mcp_call_arguments.delta",
        "mcp_call_arguments.done",
        "mcp_call.completed",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    response = said[-1]["response"]
    listed, called, message = response["output"]
    assert [tool["name"] for tool in listed["tools"]] == ["add", "fail", "sleep", "greet"]
    assert listed["tools"][0]["input_schema"]["required"] == ["a", "b"]
    assert (called["server_label"], called["name"], called["status"]) == (
        "here",
        "add",
        "completed",
    )
    assert json.loads(called["arguments"]) == {"a": 2, "b": 3}
    assert (called["output"], called["error"]) == ("2 + 3 = 5", None)
    assert message["content"][0]["text"] == "Five."
    assert "2 + 3 = 5" in prompt(api), "the model is told"
    assert response["usage"]["input_tokens"] == 14, "of both answers"
    assert response["tools"][0]["server_label"] == "here"


async def test_a_later_turn_remembers_the_call_and_the_list(
    api: Api, server: dict[str, Any]
) -> None:
    api.script(ADD, FIVE)
    first = await create(api, tools=[server])
    again = await create(api, "And?", tools=[server], previous_response_id=first["id"])
    assert "2 + 3 = 5" in prompt(api)
    assert kinds(again) == ["message"], "its tools have been told"
    sent_back = [{"role": "user", "content": "Hi"}, *first["output"]]
    await create(api, [*sent_back, {"role": "user", "content": "And?"}], tools=[server])
    assert "2 + 3 = 5" in prompt(api)


async def test_what_opens_a_server_reaches_it_and_nobody_else(
    api: Api, server: dict[str, Any]
) -> None:
    api.script(call("greet"), Script())
    secret = {"headers": {"X-Who": "secret"}, "authorization": "secret"}
    response = await create(api, tools=[{**server, **secret}])
    assert response["output"][1].pop("output") == "secret"
    assert "secret" not in json.dumps(response)


async def test_only_allowed_tools_are_offered(api: Api, server: dict[str, Any]) -> None:
    for allowed in (["add"], {"tool_names": ["add"]}):
        asked = {**server, "allowed_tools": allowed, "allowed_callers": ["direct"]}
        response = await create(api, tools=[asked])
        assert [tool["name"] for tool in response["output"][0]["tools"]] == ["add"]
        assert response["tools"][0]["allowed_tools"] == ["add"]


async def test_a_failing_tool_is_told_to_the_model(api: Api, server: dict[str, Any]) -> None:
    api.script(call("fail"), Script(texts=["Sorry."]))
    said = await stream(api, tools=[server])
    assert "response.mcp_call.failed" in [event["type"] for event in said]
    failed = said[-1]["response"]["output"][1]
    assert (failed["status"], failed["output"]) == ("failed", None)
    assert "fail" in failed["error"]["content"][0]["text"]
    assert failed["error"]["content"][0]["text"] in prompt(api)


async def test_a_function_of_the_callers_ends_the_response(
    api: Api, server: dict[str, Any]
) -> None:
    both = [
        "<tool_call>",
        '{"name": "add", "arguments": {"a": 2, "b": 3}}',
        "</tool_call>",
        "<tool_call>",
        '{"name": "get_weather", "arguments": {"city": "Rome"}}',
        "</tool_call>",
    ]
    api.script(Script(texts=both))
    response = await create(api, tools=[server, WEATHER])
    assert kinds(response) == ["mcp_list_tools", "mcp_call", "function_call"]
    assert response["output"][1]["output"] == "2 + 3 = 5"
    output = {
        "type": "function_call_output",
        "call_id": response["output"][2]["call_id"],
        "output": "Sunny",
    }
    api.script(Script())
    previous = response["id"]
    await create(api, [output], tools=[server, WEATHER], previous_response_id=previous)
    assert "2 + 3 = 5" in prompt(api)
    assert "Sunny" in prompt(api)


async def test_a_required_call_is_required_once(api: Api, server: dict[str, Any]) -> None:
    api.script(ADD, FIVE)
    await create(api, tools=[server], tool_choice="required")
    first, second = (request.constraint for request in api.engine.requests)
    assert first is not None
    assert second is None or second.triggers, "the second answer may be text"


async def test_calls_have_a_limit(api: Api, server: dict[str, Any]) -> None:
    api.script(call("add", a=1, b=1))
    response = await create(api, tools=[server], max_tool_calls=2)
    assert kinds(response)[:3] == ["mcp_list_tools", "mcp_call", "mcp_call"]
    assert len(api.engine.requests) == 3


async def test_the_limit_of_tokens_is_for_all_answers_together(
    api: Api, server: dict[str, Any]
) -> None:
    api.script(ADD, Script(forever=True))
    response = await create(api, tools=[server], max_output_tokens=10)
    assert response["usage"]["output_tokens"] == 10
    assert response["status"] == response["output"][-1]["status"] == "incomplete"
    api.script(ADD, Script(forever=True))
    response = await create(api, tools=[server], max_output_tokens=3)
    assert (response["status"], kinds(response)[-1]) == ("incomplete", "mcp_call")


# -- approval


async def test_a_call_waits_for_its_approval(api: Api, server: dict[str, Any]) -> None:
    del server["require_approval"]
    api.script(ADD)
    first = await create(api, tools=[server])
    assert kinds(first) == ["mcp_list_tools", "mcp_approval_request"]
    asked = first["output"][1]
    assert (asked["server_label"], asked["name"]) == ("here", "add")
    assert json.loads(asked["arguments"]) == {"a": 2, "b": 3}
    answer = {
        "type": "mcp_approval_response",
        "approval_request_id": asked["id"],
        "approve": True,
    }
    api.script(FIVE)
    more: dict[str, Any] = {"tools": [server], "previous_response_id": first["id"]}
    said = await stream(api, [answer], **more)
    called, message = said[-1]["response"]["output"]
    assert (called["type"], called["output"]) == ("mcp_call", "2 + 3 = 5")
    assert called["approval_request_id"] == asked["id"]
    assert message["content"][0]["text"] == "Five."
    assert "2 + 3 = 5" in prompt(api)
    more["previous_response_id"] = said[-1]["response"]["id"]
    assert (await refuse(api, input=[answer], **more))["param"] == "input"


async def test_what_is_sent_back_after_its_call_is_not_called_again(
    api: Api, server: dict[str, Any]
) -> None:
    asked = {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "here"}
    asked |= {"name": "add", "arguments": '{"a": 2, "b": 3}'}
    answer = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    done = {**asked, "type": "mcp_call", "id": "mcp_1", "output": "2 + 3 = 5"}
    done["approval_request_id"] = "mcpr_1"
    talk = [{"role": "user", "content": "Hi"}, asked, answer]
    assert kinds(await create(api, talk, tools=[server])).count("mcp_call") == 1
    assert kinds(await create(api, [*talk, done], tools=[server])).count("mcp_call") == 0


async def test_a_call_that_is_not_approved_is_told_to_the_model(
    api: Api, server: dict[str, Any]
) -> None:
    api.script(ADD)
    asking = {**server, "require_approval": {"never": {"tool_names": ["fail"]}}}
    first = await create(api, tools=[asking])
    answer = {"type": "mcp_approval_response", "approve": False, "reason": "Too dear."}
    answer["approval_request_id"] = first["output"][1]["id"]
    api.script(Script())
    response = await create(api, [answer], tools=[asking], previous_response_id=first["id"])
    assert kinds(response) == ["message"]
    assert "did not approve this call. Too dear." in prompt(api)


@pytest.mark.parametrize(
    ("require_approval", "asks"),
    [
        ("always", True),
        ({"never": {"tool_names": ["add"]}}, False),
        ({"always": {"tool_names": ["add"]}}, True),
        ({"always": {"tool_names": ["fail"]}}, False),
        ({"always": {"tool_names": ["fail"]}, "never": {"tool_names": ["greet"]}}, True),
    ],
)
async def test_which_calls_need_approval(
    api: Api, server: dict[str, Any], require_approval: Any, asks: bool
) -> None:
    api.script(ADD, Script())
    response = await create(api, tools=[{**server, "require_approval": require_approval}])
    assert (kinds(response)[1] == "mcp_approval_request") == asks


# -- how it is asked


async def test_in_the_background(api: Api, server: dict[str, Any]) -> None:
    api.script(ADD, FIVE)
    response = await create(api, tools=[server], background=True)
    done = await wait_for_status(api, response["id"], "completed")
    assert kinds(done) == ["mcp_list_tools", "mcp_call", "message"]
    api.script(call("sleep"))
    response = await create(api, tools=[server], background=True)
    await until(lambda: "mcp_call" in kinds(api.services.runs[response["id"]].run.resource))
    answer = await api.client.post(f"/v1/responses/{response['id']}/cancel")
    assert answer.json()["status"] == "cancelled"
    assert answer.json()["output"][1]["status"] == "incomplete"


async def test_over_a_websocket(api: Api, server: dict[str, Any]) -> None:
    api.script(ADD, FIVE)
    async with connect(api) as socket:
        last = await socket.turn(tools=[server], store=False)
    assert kinds(last["response"]) == ["mcp_list_tools", "mcp_call", "message"]


async def test_a_client_that_leaves_frees_the_servers(api: Api, server: dict[str, Any]) -> None:
    api.script(Script(forever=True))
    body = {"model": api.model, "input": "Hi", "stream": True, "tools": [server]}
    async with api.client.stream("POST", "/v1/responses", json=body) as answer:
        async for line in answer.aiter_lines():
            if "output_text.delta" in line:
                break
    await asyncio.wait_for(api.engine.streams[0].cancelled.wait(), 30)


async def test_openais_client_knows_the_items(api: Api, server: dict[str, Any]) -> None:
    api.script(ADD, FIVE, ADD)
    async with sdk(api) as client:
        tool: Any = server
        response = await client.responses.create(model=api.model, input="Hi", tools=[tool])
        listed, called, _ = response.output
        assert (listed.type, called.type) == ("mcp_list_tools", "mcp_call")
        assert called.output == "2 + 3 = 5"
        assert response.output_text == "Five."
        tool = {**server, "require_approval": "always"}
        response = await client.responses.create(model=api.model, input="Hi", tools=[tool])
        asked = response.output[-1]
        assert asked.type == "mcp_approval_request"
        api.script(FIVE)
        answered = await client.responses.create(
            model=api.model,
            previous_response_id=response.id,
            tools=[tool],
            input=[
                {
                    "type": "mcp_approval_response",
                    "approval_request_id": asked.id,
                    "approve": True,
                }
            ],
        )
        assert [item.type for item in answered.output] == ["mcp_call", "message"]


# -- what is not allowed


async def test_it_is_off_unless_somebody_switches_it_on(api: Api, server: dict[str, Any]) -> None:
    for mode in ("off", "configured"):
        switch(api, mode)  # type: ignore[arg-type]
        error = await refuse(api, input="Hi", tools=[server])
        assert (error["param"], error["code"]) == ("tools", "mcp_not_allowed")
        assert "--mcp ephemeral" in error["message"]


async def test_a_server_that_is_not_there_is_an_error(api: Api) -> None:
    switch(api, "ephemeral", "127.0.0.1:9")
    gone = {"type": "mcp", "server_label": "gone", "server_url": "http://127.0.0.1:9/mcp"}
    error = await refuse(api, 502, input="Hi", tools=[gone])
    assert (error["param"], error["code"]) == ("tools", "mcp_connection_error")
    said = await stream(api, tools=[gone])
    types = [event["type"] for event in said]
    assert types[-4:] == [
        "response.mcp_list_tools.failed",
        "response.output_item.done",
        "error",
        "response.failed",
    ]
    assert "'gone'" in said[-1]["response"]["output"][0]["error"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"server_url": None}, "tools[0].server_url"),
        ({"server_url": "ftp://x"}, "tools[0].server_url"),
        ({"server_label": ""}, "tools[0].server_label"),
        ({"connector_id": "connector_gmail"}, "tools[0].connector_id"),
        ({"allowed_callers": ["programmatic"]}, "tools[0].allowed_callers"),
        ({"require_approval": "perhaps"}, "tools[0].require_approval"),
        ({"allowed_tools": 5}, "tools[0].allowed_tools"),
        ({"allowed_tools": {"read_only": True}}, "tools[0].allowed_tools.read_only"),
        ({"allowed_tools": ["none"]}, "tools"),
        ({"headers": {"a": 1}}, "tools[0].headers.a"),
    ],
)
async def test_refusals_name_the_field(
    api: Api, server: dict[str, Any], fields: dict[str, Any], param: str
) -> None:
    assert (await refuse(api, input="Hi", tools=[{**server, **fields}]))["param"] == param


async def test_what_does_not_go_with_servers_is_refused(api: Api, server: dict[str, Any]) -> None:
    assert (await refuse(api, input="Hi", tools=[server, server]))["param"] == "tools"
    more = {"tools": [server], "truncation": "auto"}
    assert (await refuse(api, input="Hi", **more))["param"] == "truncation"
    assert (await refuse(api, 404, input="Hi", tools=[server], model="nobody"))["param"] == "model"
    counted = await api.post("/v1/responses/input_tokens", {"input": "Hi", "tools": [server]})
    assert counted.json()["error"]["param"] == "tools"
    asked = {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "there"}
    asked |= {"name": "add", "arguments": "{}"}
    answer = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    error = await refuse(api, input=[asked, answer], tools=[server])
    assert (error["param"], "'there'" in error["message"]) == ("tools", True)
