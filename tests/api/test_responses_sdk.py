"""OpenAI's own client on the Responses API: what it believes, and what it calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import openai
import pytest
from pydantic import BaseModel

from lmnb.errors import EngineDied
from tests.api.conftest import KEY, Api
from tests.api.test_responses import prompt
from tests.scripted import Script


@asynccontextmanager
async def sdk(api: Api) -> AsyncIterator[openai.AsyncOpenAI]:
    http = httpx.AsyncClient(trust_env=False)
    url = f"{api.url}/v1"
    async with openai.AsyncOpenAI(
        base_url=url,
        api_key=KEY,
        http_client=http,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


async def test_create_retrieve_list_and_delete(api: Api) -> None:
    async with sdk(api) as client:
        response = await client.responses.create(model=api.model, input="Hi")
        assert response.output_text == "Hello, world!"
        assert response.usage is not None
        assert response.usage.input_tokens_details.cached_tokens == 3
        again = await client.responses.retrieve(response.id)
        assert again == response
        items = await client.responses.input_items.list(response.id)
        assert [item.type for item in items.data] == ["message"]
        await client.responses.create(
            model=api.model, input="More", previous_response_id=response.id
        )
        assert "Hello, world!" in prompt(api)
        await client.responses.delete(response.id)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(response.id)
        with pytest.raises(openai.BadRequestError) as refused:
            await client.responses.create(
                model=api.model, input="More", previous_response_id=response.id
            )
        assert refused.value.code == "previous_response_not_found"


async def test_its_own_output_goes_back_in(api: Api) -> None:
    async with sdk(api) as client:
        first = await client.responses.create(model=api.model, input="Hi", store=False)
        talk = [{"role": "user", "content": "Hi"}, *first.output, {"role": "user", "content": "?"}]
        await client.responses.create(model=api.model, input=talk, store=False)  # type: ignore
        assert "Hello, world!" in prompt(api)


async def test_streams(api: Api) -> None:
    async with sdk(api) as client:
        events = await client.responses.create(model=api.model, input="Hi", stream=True)
        said = [event async for event in events]
        assert [event.sequence_number for event in said] == list(range(len(said)))
        async with client.responses.stream(model=api.model, input="Hi") as stream:
            text = [e.delta async for e in stream if e.type == "response.output_text.delta"]
            final = await stream.get_final_response()
        assert "".join(text) == final.output_text == "Hello, world!"
        again = await client.responses.retrieve(final.id, stream=True, starting_after=3)
        assert [event.sequence_number async for event in again] == list(range(4, len(said)))


async def test_reasoning_is_streamed_as_its_types_say(api: Api) -> None:
    api.engine.chat_template = "<think></think>" + str(api.engine.chat_template)
    api.script(Script(texts=["<think>", "Hm", "</think>", "Yes"]))
    async with sdk(api) as client, client.responses.stream(model=api.model, input="Hi") as stream:
        types = [event.type async for event in stream]
        final = await stream.get_final_response()
    assert "response.reasoning_text.delta" in types
    assert [item.type for item in final.output] == ["reasoning", "message"]
    assert final.output_text == "Yes"


async def test_a_failure_in_mid_stream_raises(api: Api) -> None:
    api.script(Script(texts=["Hel"], fail=EngineDied("It crashed.")))
    async with sdk(api) as client:
        with pytest.raises(openai.APIError, match="It crashed"):
            async for _ in await client.responses.create(model=api.model, input="Hi", stream=True):
                pass


async def test_background_and_cancel(api: Api) -> None:
    hold = asyncio.Event()
    api.script(Script(hold=hold), Script(forever=True))
    async with sdk(api) as client:
        response = await client.responses.create(model=api.model, input="Hi", background=True)
        assert response.status == "queued"
        hold.set()
        while response.status in ("queued", "in_progress"):
            response = await client.responses.retrieve(response.id)
        assert response.output_text == "Hello, world!"
        endless = await client.responses.create(model=api.model, input="Hi", background=True)
        assert (await client.responses.cancel(endless.id)).status == "cancelled"


async def test_conversations_compaction_and_counting(api: Api) -> None:
    async with sdk(api) as client:
        conversation = await client.conversations.create(
            items=[{"type": "message", "role": "user", "content": "I am Alice"}]
        )
        await client.responses.create(
            model=api.model, input="Who am I?", conversation=conversation.id
        )
        items = await client.conversations.items.list(conversation.id)
        assert [item.type for item in items.data] == ["message"] * 3
        count = await client.responses.input_tokens.count(model=api.model, input="Hi")
        assert count.input_tokens > 0
        compacted = await client.responses.compact(model=api.model, input="I am Bob")
        assert compacted.output[-1].type == "compaction"


class Number(BaseModel):
    n: int


async def test_what_has_a_form_is_parsed(api: Api) -> None:
    api.script(Script(texts=['{"n": ', "1}"]))
    async with sdk(api) as client:
        response = await client.responses.parse(model=api.model, input="Hi", text_format=Number)
    assert response.output_parsed == Number(n=1)
