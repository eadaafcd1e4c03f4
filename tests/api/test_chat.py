"""POST /v1/chat/completions, with an engine that says what it is told to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.scripted import Script


async def test_an_answer_has_every_key_of_openais_schema(api: Api) -> None:
    answer = (await api.chat()).json()
    assert answer["id"].startswith("chatcmpl-")
    assert answer["object"] == "chat.completion"
    assert answer["model"] == api.model
    assert answer["system_fingerprint"].startswith("fp_")
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello, world!", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert answer["usage"] == {
        "prompt_tokens": 7,
        "completion_tokens": 4,
        "total_tokens": 11,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
    assert answer["timings"]["prompt_n"] == 4
    assert answer["timings"]["predicted_per_second"] == 30.0


async def test_a_stream_says_the_role_once_then_text_then_why_it_ended(api: Api) -> None:
    *chunks, done = await api.chat_events()
    assert done == "[DONE]"
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert deltas[1:-1] == [{"content": text} for text in ("Hello", ", ", "world", "!")]
    assert deltas[-1] == {}
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert reasons == [None] * 5 + ["stop"]
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    assert all("usage" not in chunk for chunk in chunks)
    assert chunks[-1]["timings"]["predicted_n"] == 4


async def test_usage_comes_last_with_no_choices_when_asked_for(api: Api) -> None:
    *chunks, last, _ = await api.chat_events(stream_options={"include_usage": True})
    assert all(chunk["usage"] is None for chunk in chunks)
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 11


async def test_text_of_any_kind_survives_the_stream(api: Api) -> None:
    texts = ["\n\n", 'data: "x"\\', "é", "😀", "\u2028", "\0", "</script>"]
    api.script(Script(texts=texts))
    *chunks, _ = await api.chat_events()
    assert [c["choices"][0]["delta"].get("content") for c in chunks[1:-1]] == texts


async def test_choices_are_counted_and_seeded_apart(api: Api) -> None:
    answer = (await api.chat(n=3, seed=5)).json()
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert sorted(request.sampling.seed for request in api.engine.requests) == [5, 6, 7]
    assert answer["usage"]["prompt_tokens"] == 7
    assert answer["usage"]["completion_tokens"] == 12


async def test_streamed_choices_are_interleaved(api: Api) -> None:
    *chunks, _ = await api.chat_events(n=2)
    order = [chunk["choices"][0]["index"] for chunk in chunks]
    assert sorted(order) == [0] * 6 + [1] * 6
    assert order != sorted(order)


async def test_logprobs_carry_bytes(api: Api) -> None:
    api.script(Script(texts=["é"]))
    answer = (await api.chat(logprobs=True, top_logprobs=2)).json()
    (token,) = answer["choices"][0]["logprobs"]["content"]
    assert token["token"] == "é"
    assert token["bytes"] == [0xC3, 0xA9]
    assert [top["logprob"] for top in token["top_logprobs"]] == [-0.5, -1.5]
    assert answer["choices"][0]["logprobs"]["refusal"] is None


async def test_streamed_logprobs_come_with_their_text(api: Api) -> None:
    *chunks, _ = await api.chat_events(logprobs=True)
    first = chunks[1]["choices"][0]
    assert first["delta"] == {"content": "Hello"}
    assert first["logprobs"]["content"][0]["token"] == "Hello"
    assert first["logprobs"]["content"][0]["top_logprobs"] == []


async def test_an_answer_without_a_token_is_still_whole(api: Api) -> None:
    api.script(Script(texts=[]))
    assert (await api.chat()).json()["choices"][0]["message"]["content"] == ""
    *chunks, _ = await api.chat_events()
    assert [c["choices"][0]["delta"] for c in chunks] == [{"role": "assistant", "content": ""}, {}]


async def test_every_kind_of_message_is_understood(api: Api) -> None:
    messages = [
        {"role": "developer", "content": "D"},
        {"role": "system", "content": [{"type": "text", "text": "S"}], "name": None},
        {"role": "user", "content": "U1", "name": "ann"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "annotations": [],
            "audio": None,
            "function_call": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "T"}]},
        {"role": "function", "name": "f", "content": "F"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "user", "content": "U2"},
    ]
    answer = await api.post("/v1/chat/completions", {"messages": messages})
    assert answer.status_code == 200, answer.text
    prompt = "".join(span.text for span in api.engine.requests[0].prompt)
    for text in ("D", "S", "U1", "a\nb", "T", "F", "No.", "U2"):
        assert text in prompt


async def test_a_last_assistant_message_is_continued(api: Api) -> None:
    messages = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "The answer"}]
    answer = await api.post("/v1/chat/completions", {"messages": messages})
    assert answer.status_code == 200, answer.text
    prompt = "".join(span.text for span in api.engine.requests[0].prompt)
    assert prompt.endswith("The answer")


BEGUN = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "The answer"}]
OPENING = "<|im_start|>assistant\n"


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({"messages": BEGUN, "continue_final_message": True}, f"{OPENING}The answer"),
        (
            {
                "messages": BEGUN,
                "continue_final_message": True,
                "add_generation_prompt": False,
            },
            f"{OPENING}The answer",
        ),
        ({"messages": BEGUN, "continue_final_message": False}, f"<|im_end|>\n{OPENING}"),
        ({"messages": BEGUN, "add_generation_prompt": True}, f"<|im_end|>\n{OPENING}"),
        ({"messages": BEGUN[:1], "add_generation_prompt": False}, "user\nQ<|im_end|>\n"),
    ],
)
async def test_a_client_says_whether_its_last_message_is_continued(
    api: Api, fields: dict[str, Any], end: str
) -> None:
    answer = await api.post("/v1/chat/completions", fields)
    assert answer.status_code == 200, answer.text
    assert "".join(span.text for span in api.engine.requests[0].prompt).endswith(end)


async def test_equal_fingerprints_mean_equal_settings(api: Api) -> None:
    first, second = [(await api.chat()).json()["system_fingerprint"] for _ in range(2)]
    assert first == second
    await api.services.manager.unload(api.model)
    await api.services.manager.load(api.model, {"context_length": 99})
    assert (await api.chat()).json()["system_fingerprint"] != first


async def test_a_prompt_that_is_read_shows_as_comments(api: Api) -> None:
    api.script(Script(prefill=[3, 7]))
    answer = await api.chat(stream=True)
    assert ": prompt 3/7\n\n: prompt 7/7\n\n" in answer.text


async def test_a_silent_stream_is_kept_alive(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lmnb.api.sse.KEEP_ALIVE_SECONDS", 0.01)
    hold = asyncio.Event()
    api.script(Script(hold=hold))
    async with api.open_stream() as response:
        async for line in response.aiter_lines():
            if line == ": ping":
                break
        hold.set()


async def test_requests_that_compute_count_as_activity(api: Api) -> None:
    hold = asyncio.Event()
    api.script(Script(hold=hold))
    async with api.open_stream() as response:
        assert api.services.activity.running == 1
        hold.set()
        await response.aread()
    await api.client.get("/api/v1/status")
    assert api.services.activity.running == 0
