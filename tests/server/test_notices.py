"""What happens in lmnb reaches Jupyter's event stream, and not too often."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from lmnb.server.extension import LMNBApp
from lmnb.server.forwarding import SCHEMA_ID, Forwarding
from lmnb.service.notices import Notices
from tests.until import until

MODEL = "smollm2-135m-instruct"


@pytest.fixture
def app(jp_serverapp: Any) -> LMNBApp:
    found = jp_serverapp.extension_manager.extension_points["lmnb"].app
    assert isinstance(found, LMNBApp)
    return found


async def test_jupyters_pages_hear_of_a_load(
    jp_serverapp: Any, jp_ws_fetch: Any, jp_fetch: Any, app: LMNBApp
) -> None:
    await jp_serverapp.extension_manager.start_all_extensions()
    socket = await jp_ws_fetch("api", "events", "subscribe")
    body = json.dumps({"model": MODEL})
    await jp_fetch("lmnb", "api", "v1", "models", "load", method="POST", body=body)
    heard = []
    while not heard or heard[-1]["kind"] != "model_load.end":
        event = json.loads(await asyncio.wait_for(socket.read_message(), 10))
        if event.get("schema_id", event.get("__schema__")) == SCHEMA_ID:
            heard.append(event)
    socket.close()
    await app.stop_extension()
    assert [event["kind"].partition(".")[2] for event in heard] == ["start", "progress", "end"]
    assert {event["data"]["instance_id"] for event in heard} == {MODEL}


async def test_listening_keeps_no_server_awake_and_ends_with_it(
    jp_serverapp: Any, jp_fetch: Any, app: LMNBApp
) -> None:
    listening = asyncio.ensure_future(jp_fetch("lmnb", "api", "v1", "events"))
    await until(lambda: len(app.services.notices))
    assert app.current_activity() is None
    assert "lmnb" not in jp_serverapp.web_app.settings["last_activity_times"]
    await app.stop_extension()
    assert (await listening).code == 200


async def test_progress_of_each_job_is_forwarded_at_most_twice_a_second() -> None:
    now, sent, notices = 0.0, [], Notices()

    def emit(schema_id: str, data: dict[str, Any]) -> None:
        sent.append((data["kind"], data["data"]["job_id"], now))

    async def say(kind: Any, job: str = "a") -> None:
        notices.publish(kind, {"job_id": job})
        await asyncio.sleep(0)

    forwarding = Forwarding(notices, emit, clock=lambda: now)
    forwarding.start()
    await asyncio.sleep(0)
    await say("download.start")
    for step in range(21):
        now = step / 10
        await say("download.progress")
    await say("download.progress", "b")
    await say("download.end")
    assert sent == [
        ("download.start", "a", 0.0),
        *(("download.progress", "a", at) for at in (0.0, 0.5, 1.0, 1.5, 2.0)),
        ("download.progress", "b", 2.0),
        ("download.end", "a", 2.0),
    ]
    forwarding.stop()
