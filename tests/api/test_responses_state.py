"""What the server keeps: stored responses, chains, background responses, conversations."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from lmnb.service.database import Database
from lmnb.service.responses import ResponseStore
from tests.api.conftest import Api
from tests.api.test_responses import create, events, prompt, refuse, stream
from tests.scripted import Script
from tests.until import until


async def get(api: Api, path: str, status: int = 200) -> Any:
    answer = await api.client.get(f"/v1/{path}")
    assert answer.status_code == status, answer.text
    return answer.json()


def restart(api: Api, path: Path) -> None:
    """What another server on the same file would see."""
    api.services.database.close()
    api.services.responses = ResponseStore(Database(path / "lmnb.sqlite"))


async def test_a_stored_response_survives_a_restart(api: Api, tmp_path: Path) -> None:
    response = await create(api, "Remember me", metadata={"k": "v"})
    restart(api, tmp_path)
    assert await get(api, f"responses/{response['id']}") == response
    items = await get(api, f"responses/{response['id']}/input_items")
    assert items["data"][0]["content"] == [{"type": "input_text", "text": "Remember me"}]
    assert (items["first_id"], items["has_more"]) == (items["data"][0]["id"], False)


async def test_a_chain_restores_input_and_output_but_not_instructions(
    api: Api, tmp_path: Path
) -> None:
    first = await create(api, "One", instructions="Secret rules")
    second = await create(api, "Two", previous_response_id=first["id"])
    restart(api, tmp_path)
    third = await create(api, "Three", previous_response_id=second["id"])
    text = prompt(api)
    words = ["One", "Hello, world!", "Two", "Three"]
    assert [text.index(word) for word in words] == sorted(text.index(word) for word in words)
    assert "Secret rules" not in text
    assert third["previous_response_id"] == second["id"]


async def test_branches_do_not_know_each_other(api: Api) -> None:
    root = await create(api, "Root")
    await create(api, "Left", previous_response_id=root["id"])
    await create(api, "Right", previous_response_id=root["id"])
    assert "Root" in prompt(api)
    assert "Left" not in prompt(api)


async def test_store_false_leaves_nothing_behind(api: Api, tmp_path: Path) -> None:
    response = await create(api, "Forget me", store=False)
    await get(api, f"responses/{response['id']}", 404)
    error = await refuse(api, input="x", previous_response_id=response["id"])
    assert error["code"] == "previous_response_not_found"
    assert not (tmp_path / "lmnb.sqlite").exists() or b"Forget me" not in b"".join(
        path.read_bytes() for path in tmp_path.glob("lmnb.sqlite*")
    )


async def test_a_deleted_response_is_gone_from_chains_too(api: Api) -> None:
    first = await create(api)
    second = await create(api, previous_response_id=first["id"])
    answer = await api.client.delete(f"/v1/responses/{first['id']}")
    assert answer.json() == {"id": first["id"], "object": "response", "deleted": True}
    assert (await api.client.delete(f"/v1/responses/{first['id']}")).status_code == 404
    error = (await get(api, f"responses/{first['id']}", 404))["error"]
    assert set(error) == {"message", "type", "param", "code"}
    await get(api, f"responses/{first['id']}/input_items", 404)
    error = await refuse(api, input="x", previous_response_id=second["id"])
    assert error["code"] == "previous_response_not_found"


async def test_items_are_listed_page_by_page(api: Api) -> None:
    talk = [{"role": "user", "content": str(n)} for n in range(5)]
    path = f"responses/{(await create(api, talk))['id']}/input_items"
    newest = await get(api, f"{path}?limit=2")
    assert [item["content"][0]["text"] for item in newest["data"]] == ["4", "3"]
    assert newest["has_more"]
    rest = await get(api, f"{path}?after={newest['last_id']}")
    assert [item["content"][0]["text"] for item in rest["data"]] == ["2", "1", "0"]
    for wrong in ("limit=0", "limit=x", "order=up", "after=nobody"):
        error = (await get(api, f"{path}?{wrong}", 400))["error"]
        assert (error["param"], error["code"]) == (wrong.partition("=")[0], "invalid_value")


async def test_an_item_is_found_by_its_reference(api: Api) -> None:
    first = await create(api, "Original")
    item = first["output"][0]["id"]
    await create(api, [{"type": "item_reference", "id": item}, {"role": "user", "content": "?"}])
    assert "Hello, world!" in prompt(api)
    assert (await refuse(api, 404, input=[{"id": "msg_nobody"}]))["param"] == "input[0].id"


async def test_a_stream_can_be_read_again_from_any_event(api: Api, tmp_path: Path) -> None:
    said = await stream(api)
    restart(api, tmp_path)
    path = f"/v1/responses/{said[0]['response']['id']}"
    answer = await api.client.get(path, params={"stream": "true"})
    assert events(answer.status_code, answer.text) == said
    answer = await api.client.get(path, params={"stream": "true", "starting_after": 5})
    assert events(answer.status_code, answer.text) == said[6:]
    for wrong in ("stream=perhaps", "starting_after=x"):
        answer = await api.client.get(f"{path}?{wrong}")
        assert (answer.status_code, answer.json()["error"]["param"]) == (
            400,
            wrong.partition("=")[0],
        )


async def wait_for_status(api: Api, id: str, status: str) -> Any:
    for _ in range(3000):
        response = await get(api, f"responses/{id}")
        if response["status"] == status:
            return response
        await asyncio.sleep(0.01)
    raise AssertionError(response)


async def test_a_background_response_is_written_by_itself(api: Api) -> None:
    hold = asyncio.Event()
    api.script(Script(hold=hold))
    response = await create(api, background=True)
    assert (response["status"], response["output"]) == ("queued", [])
    await wait_for_status(api, response["id"], "in_progress")
    error = await refuse(api, input="x", previous_response_id=response["id"])
    assert "still being written" in error["message"]
    hold.set()
    done = await wait_for_status(api, response["id"], "completed")
    assert done["output"][0]["content"][0]["text"] == "Hello, world!"
    assert done["background"] is True
    await until(lambda: not api.services.runs)
    assert api.services.activity.running == 0


async def test_a_background_response_can_be_cancelled_twice(api: Api) -> None:
    api.script(Script(texts=["Hel"], forever=True))
    response = await create(api, background=True)
    await asyncio.wait_for(api.engine.submitted.wait(), 30)
    for _ in range(2):
        answer = await api.client.post(f"/v1/responses/{response['id']}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert api.engine.streams[0].cancelled.is_set()
    assert (await get(api, f"responses/{response['id']}"))["status"] == "cancelled"


async def test_only_background_responses_can_be_cancelled(api: Api) -> None:
    response = await create(api)
    answer = await api.client.post(f"/v1/responses/{response['id']}/cancel")
    assert answer.status_code == 400
    assert (await api.client.post("/v1/responses/resp_x/cancel")).status_code == 404


async def test_a_background_stream_goes_on_without_its_reader(api: Api) -> None:
    hold = asyncio.Event()
    api.script(Script(hold=hold))
    body = {"model": api.model, "input": "Hi", "stream": True, "background": True}
    async with api.client.stream("POST", "/v1/responses", json=body) as answer:
        async for line in answer.aiter_lines():
            if line == "event: response.in_progress":
                break
    (id,) = api.services.runs
    reader = asyncio.ensure_future(
        api.client.get(f"/v1/responses/{id}", params={"stream": "true", "starting_after": 1})
    )
    await asyncio.sleep(0.05)
    hold.set()
    answer = await reader
    said = events(answer.status_code, answer.text)
    assert [event["sequence_number"] for event in said] == list(range(2, 13))
    assert said[0]["type"] == "response.in_progress"
    assert said[-1]["type"] == "response.completed"


async def test_a_background_failure_is_kept(api: Api) -> None:
    assert (await refuse(api, 404, input="x", background=True, model="nobody"))["code"] == (
        "model_not_found"
    )
    api.script(Script(fail=RuntimeError("boom")))
    response = await create(api, background=True)
    failed = await wait_for_status(api, response["id"], "failed")
    assert failed["error"]["code"] == "server_error"


async def test_what_a_dead_server_left_unfinished_has_failed(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    response = await create(api)
    response["status"] = "in_progress"
    api.services.responses.save(response, [], unfinished=True)
    assert (await get(api, f"responses/{response['id']}"))["status"] == "in_progress"
    monkeypatch.setattr("lmnb.service.responses.is_gone", lambda owner: owner is not None)
    failed = await get(api, f"responses/{response['id']}")
    assert (failed["status"], failed["error"]["code"]) == ("failed", "server_error")


async def test_a_conversation_collects_what_is_said_in_it(api: Api, tmp_path: Path) -> None:
    items = [{"role": "user", "content": "I am Alice"}]
    answer = await api.post("/v1/conversations", {"items": items, "metadata": {"topic": "x"}})
    conversation = answer.json()
    assert (conversation["object"], conversation["metadata"]) == ("conversation", {"topic": "x"})
    id = conversation["id"]
    response = await create(api, "Who am I?", conversation={"id": id})
    assert "I am Alice" in prompt(api)
    assert response["conversation"] == {"id": id}
    restart(api, tmp_path)
    await create(api, "And now?", conversation=id)
    assert "Hello, world!" in prompt(api)
    listed = (await get(api, f"conversations/{id}/items?order=asc"))["data"]
    assert [item["role"] for item in listed] == ["user", "user", "assistant", "user", "assistant"]
    assert len({item["id"] for item in listed}) == 5


async def test_conversations_and_their_items_come_and_go(api: Api) -> None:
    id = (await api.client.post("/v1/conversations")).json()["id"]
    added = await api.post(
        f"/v1/conversations/{id}/items", {"items": [{"role": "user", "content": "x"}]}
    )
    (item,) = added.json()["data"]
    assert await get(api, f"conversations/{id}/items/{item['id']}") == item
    updated = await api.post(f"/v1/conversations/{id}", {"metadata": {"a": "b"}})
    assert updated.json()["metadata"] == {"a": "b"}
    answer = await api.client.delete(f"/v1/conversations/{id}/items/{item['id']}")
    assert answer.json()["id"] == id
    await get(api, f"conversations/{id}/items/{item['id']}", 404)
    gone = await api.client.delete(f"/v1/conversations/{id}")
    assert gone.json() == {"id": id, "object": "conversation.deleted", "deleted": True}
    for path in (f"conversations/{id}", f"conversations/{id}/items"):
        await get(api, path, 404)
    assert (await refuse(api, 404, input="x", conversation=id))["param"] == "conversation"
