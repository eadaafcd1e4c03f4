"""GET /api/v1/events: one stream that says what happens."""

from __future__ import annotations

import asyncio

from tests.api.conftest import Api
from tests.until import until


async def test_what_happens_comes_as_named_events_and_ends_with_the_server(api: Api) -> None:
    async with api.client.stream("GET", "/api/v1/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.aiter_lines()
        assert await anext(lines) == ": listening"
        api.services.notices.publish("download.start", {"job_id": "job_1"})
        assert [await anext(lines) for _ in range(2)] == ["", "event: download.start"]
        assert (await anext(lines)).startswith('data: {"job_id":"job_1","time":')
        assert api.services.activity.running == 0
        closing = asyncio.ensure_future(api.services.close())
        assert [line async for line in lines] == [""]
        await closing


async def test_a_listener_that_left_is_forgotten(api: Api) -> None:
    async with api.client.stream("GET", "/api/v1/events") as response:
        await anext(response.aiter_lines())
        assert len(api.services.notices) == 1
    await until(lambda: not len(api.services.notices))
