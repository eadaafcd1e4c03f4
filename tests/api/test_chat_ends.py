"""How a chat ends that does not end well: it fails, is refused, or nobody listens any more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lmnb.errors import ContextLengthExceeded, EngineDied, QueueFull
from tests.api.conftest import Api
from tests.scripted import Script
from tests.until import until


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ContextLengthExceeded("9 > 8"), 400, "context_length_exceeded"),
        (QueueFull("full"), 429, "queue_full"),
        (EngineDied("gone"), 503, "engine_died"),
    ],
)
async def test_what_is_known_before_the_first_token_is_a_status(
    api: Api, error: Any, status: int, code: str, stream: bool
) -> None:
    """SDKs look at the status; a 200 that turns out to be an error is lost on them."""
    api.script(Script(refuse=error))
    answer = await api.chat(stream=stream)
    assert answer.status_code == status
    said = answer.json()["error"]
    assert said["code"] == code
    assert said["param"] == ("messages" if status == 400 else None)
    assert ("retry-after" in answer.headers) == (status != 400)


async def test_one_refused_choice_cancels_the_others(api: Api) -> None:
    api.script(Script(), Script(refuse=QueueFull("full")))
    assert (await api.chat(n=2)).status_code == 429
    assert all(stream.ended for stream in api.engine.streams[:1])
    assert api.services.manager.loaded()[0].in_flight == 0


async def test_a_failure_in_mid_stream_is_an_error_event_and_the_end(api: Api) -> None:
    api.script(Script(texts=["Hel"], fail=EngineDied("The engine ended.")))
    *chunks, last = await api.chat_events()
    assert chunks[-1]["choices"][0]["delta"] == {"content": "Hel"}
    assert last["error"] == {
        "message": "The engine ended.",
        "type": "server_error",
        "param": None,
        "code": "engine_died",
    }


async def test_a_fault_of_ours_in_mid_stream_tells_no_secrets(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    api.script(Script(fail=RuntimeError("secret")))
    last = (await api.chat_events())[-1]
    assert last["error"]["type"] == "server_error"
    assert "secret" not in str(last)
    assert "secret" in caplog.text


async def test_a_fault_of_ours_is_a_500_that_tells_no_secrets(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    api.script(Script(fail=RuntimeError("secret")))
    answer = await api.chat()
    assert answer.status_code == 500
    assert answer.json()["error"]["type"] == "server_error"
    assert "secret" not in answer.text
    assert "secret" in caplog.text


async def test_leaving_a_stream_cancels_its_generation(api: Api) -> None:
    api.script(Script(forever=True))
    async with api.open_stream(n=2) as response:
        async for line in response.aiter_lines():
            if "Hello" in line:
                break
    for stream in api.engine.streams:
        await asyncio.wait_for(stream.cancelled.wait(), 30)
    await until(lambda: not api.services.manager.loaded()[0].in_flight)


async def test_leaving_a_plain_request_cancels_its_generation(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    api.script(Script(forever=True))
    request = asyncio.ensure_future(api.chat())
    await asyncio.wait_for(api.engine.submitted.wait(), 30)
    request.cancel()
    await asyncio.wait_for(api.engine.streams[0].cancelled.wait(), 30)
    assert "Traceback" not in caplog.text


async def test_a_reader_that_does_not_read_stops_the_writer(api: Api) -> None:
    """Or a client that opened a stream and went for lunch would fill the memory."""
    text = "x" * 100_000
    api.script(Script(texts=[text], forever=True))
    async with api.open_stream():
        stalled = 0
        connection = next(iter(_connections()))
        while stalled < 20:
            size = connection._write_buffer and len(connection._write_buffer)
            stalled = stalled + 1 if size else 0
            await asyncio.sleep(0.01)
        assert len(connection._write_buffer) < 10 * len(text)


def _connections() -> list[Any]:
    import gc

    from tornado.iostream import IOStream

    return [one for one in gc.get_objects() if isinstance(one, IOStream) and not one.closed()]
