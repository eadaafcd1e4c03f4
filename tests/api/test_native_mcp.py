"""Tools of real MCP servers, over HTTP and over pipes, called for LM Studio's chat."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from lmnb.api.lmstudio.chat.writer import Writer
from lmnb.chat.message import ToolCall
from lmnb.service.mcp import toolbox
from lmnb.service.mcp.servers import McpMode, McpServers
from lmnb.service.outbound import Outbound
from lmnb.service.toolloop import CallRefused
from tests.api.conftest import MCP_SERVER, Api
from tests.api.test_native_chat import CHAT, chat, prompt, refused, stream
from tests.scripted import Script

HERE = {"type": "ephemeral_mcp", "server_label": "here"}


def call(name: str, **arguments: Any) -> Script:
    text = json.dumps({"name": name, "arguments": arguments})
    return Script(texts=["<tool_call>", text, "</tool_call>"])


def switch(api: Api, mode: McpMode, *allowed: str, file: Path | None = None) -> None:
    api.services.mcp = McpServers(mode, Outbound(allowed), files=[file] if file else None)


@pytest.fixture
def here(api: Api, mcp_port: int) -> dict[str, Any]:
    """The server, as a request brings it along."""
    switch(api, "ephemeral", "127.0.0.1")
    return {**HERE, "server_url": f"http://127.0.0.1:{mcp_port}/mcp"}


async def test_a_tool_is_called_and_its_result_read(api: Api, here: dict[str, Any]) -> None:
    api.script(call("add", a=2, b=3), Script(texts=["Five", "."]))
    events = await stream(api, integrations=[here])
    assert [event["type"] for event in events if not event["type"].startswith("model_load")] == [
        "chat.start",
        "prompt_processing.start",
        "prompt_processing.progress",
        "prompt_processing.end",
        "tool_call.start",
        "tool_call.arguments",
        "tool_call.success",
        "prompt_processing.start",
        "prompt_processing.progress",
        "prompt_processing.end",
        "message.start",
        "message.delta",
        "message.delta",
        "message.end",
        "chat.end",
    ]
    by_type = {event["type"]: event for event in events}
    start = {"type": "tool_call.start", "tool": "add", "provider_info": HERE}
    assert by_type["tool_call.start"] == start
    assert by_type["tool_call.arguments"]["arguments"] == {"a": 2, "b": 3}
    done = by_type["tool_call.success"]
    assert json.loads(done["output"]) == [{"type": "text", "text": "2 + 3 = 5"}]
    called, said = events[-1]["result"]["output"]
    assert called == {**done, "type": "tool_call"}
    assert said == {"type": "message", "content": "Five."}
    assert "2 + 3 = 5" in prompt(api), "the model is told"


async def test_a_later_turn_remembers_the_call(api: Api, here: dict[str, Any]) -> None:
    api.script(call("add", a=2, b=3), Script(texts=["Five."]))
    first = await chat(api, integrations=[here])
    await chat(api, "And again?", previous_response_id=first["response_id"])
    assert "2 + 3 = 5" in prompt(api)


async def test_only_allowed_tools_are_offered(api: Api, here: dict[str, Any]) -> None:
    await chat(api, integrations=[{**here, "allowed_tools": ["add"]}])
    assert '"add"' in prompt(api)
    assert '"fail"' not in prompt(api)
    error = await refused(api, integrations=[{**here, "allowed_tools": ["none"]}])
    assert "'none'" in error["message"]


async def test_headers_reach_the_server(api: Api, here: dict[str, Any]) -> None:
    api.script(call("greet"), Script())
    answer = await chat(api, integrations=[{**here, "headers": {"X-Who": "me"}}])
    assert json.loads(answer["output"][0]["output"])[0]["text"] == "me"


async def test_a_failing_tool_is_told_to_the_model(api: Api, here: dict[str, Any]) -> None:
    api.script(call("fail"), Script(texts=["Sorry."]))
    answer = await chat(api, integrations=[here])
    assert "Error executing tool fail" in answer["output"][0]["output"]
    assert answer["output"][1]["content"] == "Sorry."


async def test_a_tool_that_does_not_answer_is_told_to_the_model(
    api: Api, here: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolbox, "CALL_SECONDS", 2)
    api.script(call("sleep"), call("add", a=2, b=2), Script(texts=["Four."]))
    answer = await chat(api, integrations=[here])
    assert "did not answer within 2 seconds" in answer["output"][0]["output"]
    assert "2 + 2 = 4" in answer["output"][1]["output"], "the server can still be asked"
    assert answer["output"][2]["content"] == "Four."


async def test_a_server_that_says_nothing_is_given_up(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolbox, "CONNECT_SECONDS", 0.2)
    switch(api, "ephemeral", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silence:
        port = silence.getsockname()[1]
        there = {**HERE, "server_url": f"http://127.0.0.1:{port}/mcp"}
        error = await refused(api, 502, integrations=[there])
    assert (error["type"], "in time" in error["message"]) == ("mcp_connection_error", True)
    assert (await chat(api))["output"], "nothing of it is left in the way"


async def test_arguments_that_are_cut_off_are_an_invalid_call(
    api: Api, here: dict[str, Any]
) -> None:
    api.script(Script(texts=['<tool_call>{"name": "add", "arguments": {"a": '], reason="length"))
    events = await stream(api, integrations=[here])
    (failure,) = [event for event in events if event["type"] == "tool_call.failure"]
    assert failure["metadata"] == {
        "type": "invalid_arguments",
        "tool_name": "add",
        "provider_info": HERE,
    }
    assert [item["type"] for item in events[-1]["result"]["output"]] == ["invalid_tool_call"]


async def test_a_model_that_only_calls_is_stopped(api: Api, here: dict[str, Any]) -> None:
    api.script(call("add", a=1, b=1))
    answer = await chat(api, integrations=[here])
    assert len(api.engine.requests) == 16
    assert [item["type"] for item in answer["output"][:15]] == ["tool_call"] * 15


async def test_the_limit_of_tokens_is_for_all_answers_together(
    api: Api, here: dict[str, Any]
) -> None:
    api.script(call("add", a=1, b=1), Script(forever=True))
    answer = await chat(api, integrations=[here], max_output_tokens=10)
    assert answer["stats"]["total_output_tokens"] == 10


async def test_two_servers_may_have_tools_of_one_name(api: Api, here: dict[str, Any]) -> None:
    there = {**here, "server_label": "there"}
    api.script(call("there_add", a=1, b=1), Script())
    answer = await chat(api, integrations=[here, there])
    assert answer["output"][0]["tool"] == "add"
    assert answer["output"][0]["provider_info"]["server_label"] == "there"


# -- mcp.json


async def test_servers_of_mcp_json_are_plugins(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    run = {
        "command": sys.executable,
        "args": [str(MCP_SERVER), "stdio"],
        "env": {"WHO": "the file"},
    }
    file.write_text(json.dumps({"mcpServers": {"mine": run, "broken": {"command": "/none"}}}))
    switch(api, "configured", file=file)
    api.script(call("greet"), Script())
    answer = await chat(api, integrations=["mcp/mine"])
    assert json.loads(answer["output"][0]["output"])[0]["text"] == "the file"
    assert answer["output"][0]["provider_info"] == {"type": "plugin", "plugin_id": "mcp/mine"}
    plugin = {"type": "plugin", "id": "mcp/broken"}
    error = await refused(api, 502, integrations=[plugin])
    assert error["type"] == "mcp_connection_error"
    assert "'broken'" in error["message"]
    assert (await refused(api, 404, integrations=["mcp/other"]))["code"] == "mcp_server_not_found"
    assert "plugin" in (await refused(api, integrations=["danielsig/duckduckgo"]))["message"]


@pytest.mark.parametrize("content", ["{", '{"mcpServers": {"mine": {}}}', '{"mcpServers": [1]}'])
async def test_a_file_that_makes_no_sense_is_named(api: Api, tmp_path: Path, content: str) -> None:
    file = tmp_path / "mcp.json"
    file.write_text(content)
    switch(api, "configured", file=file)
    assert str(file) in (await refused(api, integrations=["mcp/mine"]))["message"]


# -- what is not allowed


async def test_it_is_off_unless_somebody_switches_it_on(api: Api) -> None:
    there = {**HERE, "server_url": "http://127.0.0.1:9/mcp"}
    for integration in ("mcp/mine", there):
        error = await refused(api, 403, integrations=[integration])
        assert (error["code"], error["param"]) == ("mcp_not_allowed", "integrations")
    switch(api, "configured")
    assert (await refused(api, 403, integrations=[there]))["code"] == "mcp_not_allowed"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:10.0.0.1]", "169.254.169.254", "0"]
)
async def test_a_request_does_not_reach_into_the_servers_own_network(api: Api, host: str) -> None:
    switch(api, "ephemeral")
    there = {**HERE, "server_url": f"http://{host}:1/mcp"}
    error = await refused(api, 403, integrations=[there])
    assert "no public address" in error["message"]


async def test_a_server_that_is_not_there_is_an_error_of_the_stream(api: Api) -> None:
    switch(api, "ephemeral", "127.0.0.1:9")
    there = {**HERE, "server_url": "http://127.0.0.1:9/mcp"}
    *_, error, end = await stream(api, integrations=[there])
    assert error["error"]["type"] == "mcp_connection_error"
    assert end["type"] == "chat.end"


async def test_a_client_that_leaves_frees_the_servers(api: Api, here: dict[str, Any]) -> None:
    api.script(Script(forever=True))
    body = {"model": api.model, "input": "Hi", "stream": True, "integrations": [here]}
    async with api.client.stream("POST", CHAT, json=body) as response:
        async for line in response.aiter_lines():
            if "message.delta" in line:
                break
    await api.engine.streams[0].cancelled.wait()


def test_a_call_of_what_is_not_there_is_written_as_documented() -> None:
    call = ToolCall("1", "open_browser", "{}")
    refused = CallRefused(call, "invalid_name", "Cannot find tool with name open_browser.")
    writer = Writer({})
    assert list(writer.write(refused)) == [
        {
            "type": "tool_call.failure",
            "reason": "Cannot find tool with name open_browser.",
            "metadata": {"type": "invalid_name", "tool_name": "open_browser"},
        }
    ]
    assert [item["type"] for item in writer.output] == ["invalid_tool_call"]
