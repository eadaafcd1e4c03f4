"""The Responses API over a WebSocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from lmnb.api.openai.responses import websocket
from lmnb.errors import EngineDied
from tests.api.conftest import KEY, Api
from tests.api.open_responses import check_events
from tests.api.test_responses import create, prompt
from tests.scripted import Script
from tests.until import until

PING = 9
LAST = ("error", "response.completed", "response.incomplete", "response.failed")


class Socket:
    """A client's end."""

    def __init__(self, api: Api, connection: WebSocketClientConnection) -> None:
        self._model = api.model
        self.connection = connection

    async def send(self, input: Any = "Hi", **fields: Any) -> None:
        message = {"type": "response.create", "model": self._model, "input": input, **fields}
        await self.connection.write_message(json.dumps(message))

    async def receive(self) -> list[Any]:
        """To the last event of a turn."""
        said: list[Any] = []
        while not said or said[-1]["type"] not in LAST:
            text = await asyncio.wait_for(self.connection.read_message(), 30)
            assert isinstance(text, str), "the connection ended"
            said.append(json.loads(text))
        return said

    async def turn(self, input: Any = "Hi", **fields: Any) -> Any:
        """The last event."""
        await self.send(input, **fields)
        return (await self.receive())[-1]


def request(api: Api, **headers: str) -> HTTPRequest:
    url = api.url.replace("http", "ws") + "/v1/responses"
    return HTTPRequest(url, headers={"Authorization": f"Bearer {KEY}", **headers})


@asynccontextmanager
async def connect(api: Api) -> AsyncIterator[Socket]:
    connection = await websocket_connect(request(api))
    try:
        yield Socket(api, connection)
    finally:
        connection.close()


async def test_the_events_are_those_of_a_stream(api: Api) -> None:
    async with connect(api) as socket:
        await socket.send()
        said = await socket.receive()
    assert [event["sequence_number"] for event in said] == list(range(len(said)))
    assert said[0]["type"] == "response.created"
    assert said[-1]["response"]["output"][0]["content"][0]["text"] == "Hello, world!"
    assert (await api.client.get(f"/v1/responses/{said[-1]['response']['id']}")).status_code == 200


async def test_turns_that_are_sent_at_once_are_answered_in_order(api: Api) -> None:
    async with connect(api) as socket:
        for number in range(3):
            await socket.send(f"Turn {number}", stream_id=f"lane {number}")
        for number in range(3):
            said = await socket.receive()
            assert {event["stream_id"] for event in said} == {f"lane {number}"}
            assert said[-1]["type"] == "response.completed"


async def test_what_is_too_much_is_no_turns_failure(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "MOST_WAITING", 1)
    api.script(Script(hold=asyncio.Event()))
    async with connect(api) as socket:
        await socket.send(stream_id="first")
        await asyncio.wait_for(api.engine.submitted.wait(), 30)
        for _ in range(2):
            await socket.send(stream_id="second")
        *_, error = await socket.receive()
        assert error["error"]["code"] == "queue_full"
        assert "stream_id" not in error


async def test_a_connection_remembers_what_is_not_stored(api: Api) -> None:
    async with connect(api) as socket:
        first = (await socket.turn("My word is copper", store=False))["response"]
        second = await socket.turn("?", store=False, previous_response_id=first["id"])
        assert "copper" in prompt(api)
        await socket.turn("?", store=False, previous_response_id=second["response"]["id"])
        assert "copper" in prompt(api)
    async with connect(api) as other:
        error = await other.turn("?", store=False, previous_response_id=first["id"])
        check_events([error])
        assert error["error"]["code"] == "previous_response_not_found"
        assert error["status"] == 400
        assert (await other.turn())["type"] == "response.completed"


async def test_what_is_stored_after_what_is_not_is_remembered_too(api: Api) -> None:
    async with connect(api) as socket:
        first = (await socket.turn("My word is brass", store=False))["response"]
        second = (await socket.turn("Go on", previous_response_id=first["id"]))["response"]
        third = await socket.turn("?", previous_response_id=second["id"])
        assert third["type"] == "response.completed"
        assert "brass" in prompt(api)


async def test_a_stored_response_goes_on_over_a_socket(api: Api) -> None:
    stored = await create(api, "My word is tin")
    async with connect(api) as socket:
        await socket.turn("?", previous_response_id=stored["id"])
    assert "tin" in prompt(api)


async def test_a_failed_continuation_forgets_what_it_went_on_from(api: Api) -> None:
    orphan = {"type": "function_call_output", "call_id": "call_missing", "output": "x"}
    async with connect(api) as socket:
        for script in (None, Script(texts=["Hel"], fail=EngineDied("It crashed."))):
            first = (await socket.turn(store=False))["response"]["id"]
            if script:
                api.script(script, Script())
            failed = await socket.turn(
                "x" if script else [orphan], store=False, previous_response_id=first
            )
            assert failed["type"] == "error"
            if script:
                assert (await socket.receive())[-1]["type"] == "response.failed"
            again = await socket.turn(store=False, previous_response_id=first)
            assert again["error"]["code"] == "previous_response_not_found"
        first = (await socket.turn(store=False))["response"]["id"]
        wrong = await socket.turn(store=False, previous_response_id=first, temperature=9)
        assert wrong["error"]["param"] == "temperature"
        again = await socket.turn(store=False, previous_response_id=first)
        assert again["error"]["code"] == "previous_response_not_found"


async def test_a_compacted_conversation_starts_a_chain(api: Api) -> None:
    compacted = (await api.post("/v1/responses/compact", {"input": "Remember ash"})).json()
    async with connect(api) as socket:
        talk = [*compacted["output"], {"role": "user", "content": "?"}]
        assert (await socket.turn(talk, store=False))["type"] == "response.completed"
    assert "Hello, world!" in prompt(api)


async def test_a_context_can_be_prepared_without_generating(api: Api) -> None:
    async with connect(api) as socket:
        ready = (await socket.turn("My word is zinc", store=False, generate=False))["response"]
        assert (ready["status"], ready["output"]) == ("completed", [])
        assert api.engine.requests == []
        await socket.turn("?", store=False, previous_response_id=ready["id"])
        assert "zinc" in prompt(api)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("{", "not valid JSON"),
        ("[]", "must be a JSON object"),
        ("[" * 100_000, "not valid JSON"),
        ('{"type": "response.dance"}', "'response.create'"),
        ('{"type": "response.create", "input": "x"}', "'model'"),
        ('{"type": "response.create", "input": "x", "model": "nobody"}', "nobody"),
        (
            '{"type": "response.create", "input": "x", "model": "m", "background": true}',
            "background",
        ),
    ],
)
async def test_whatever_is_wrong_is_said_and_the_socket_stays_usable(
    api: Api, message: str, said: str
) -> None:
    async with connect(api) as socket:
        await socket.connection.write_message(message)
        (error,) = await socket.receive()
        assert said in error["error"]["message"]
        assert error["message"] == error["error"]["message"]
        check_events([error])
        assert (await socket.turn())["type"] == "response.completed"


async def test_closing_the_socket_ends_the_generation(api: Api) -> None:
    api.script(Script(forever=True))
    async with connect(api) as socket:
        await socket.send()
        while "output_text.delta" not in str(await socket.connection.read_message()):
            pass
    await asyncio.wait_for(api.engine.streams[0].cancelled.wait(), 30)
    await until(lambda: not api.services.activity.running)


async def test_who_may_not_call_may_not_connect(api: Api) -> None:
    for headers, status in (
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Origin": "https://elsewhere.example"}, 403),
    ):
        with pytest.raises(HTTPClientError) as refused:
            await websocket_connect(request(api, **headers))
        assert refused.value.code == status


async def test_a_plain_get_is_told_what_to_do(api: Api) -> None:
    answer = await api.client.get("/v1/responses")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")
    assert "WebSocket" in answer.json()["error"]["message"]


async def test_a_connection_has_its_hour(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "LIFETIME_SECONDS", 0.05)
    async with connect(api) as socket:
        (error,) = await socket.receive()
        assert error["error"]["code"] == "websocket_connection_limit_reached"
        assert await socket.connection.read_message() is None


async def test_a_silent_connection_is_kept_alive(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "PING_SECONDS", 0.02)
    pings: list[bytes] = []
    connection = await websocket_connect(request(api))
    handle = connection.protocol._handle_message  # type: ignore[union-attr]

    def listen(opcode: int, data: bytes) -> Any:
        if opcode == PING:
            pings.append(data)
        return handle(opcode, data)

    connection.protocol._handle_message = listen  # type: ignore[union-attr]
    await until(lambda: pings)
    connection.close()
