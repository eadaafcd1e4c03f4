"""POST /v1/completions, with an engine that says what it is told to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Api, events
from tests.scripted import Script

PATH = "/v1/completions"
CANDIDATES = [("poor", -3.0), ("good", -0.5), ("fair", -1.0)]


async def test_an_answer_has_every_key_of_openais_schema(api: Api) -> None:
    answer = (await api.post(PATH, {"prompt": "Say"})).json()
    assert answer["id"].startswith("cmpl-")
    assert answer["object"] == "text_completion"
    assert answer["choices"] == [
        {"text": "Hello, world!", "index": 0, "logprobs": None, "finish_reason": "stop"}
    ]
    assert answer["usage"]["total_tokens"] == 11


async def test_the_default_limit_is_sixteen_tokens(api: Api) -> None:
    await api.post(PATH, {"prompt": "Say"})
    assert api.engine.requests[0].max_tokens == 16


@pytest.mark.parametrize(
    ("prompt", "texts", "tokens"),
    [
        ("a", ["a"], [()]),
        ("", [""], [()]),
        (["a", "b"], ["a", "b"], [(), ()]),
        ([1, 2], [""], [(1, 2)]),
        ([[1], [2, 3]], ["", ""], [(1,), (2, 3)]),
    ],
)
async def test_every_form_of_prompt(
    api: Api, prompt: Any, texts: list[str], tokens: list[tuple[int, ...]]
) -> None:
    answer = await api.post(PATH, {"prompt": prompt})
    assert [choice["index"] for choice in answer.json()["choices"]] == list(range(len(texts)))
    requests = api.engine.requests
    assert sorted("".join(span.text for span in one.prompt) for one in requests) == texts
    assert sorted(one.prompt_tokens for one in requests) == tokens


@pytest.mark.parametrize(
    "prompt", [None, [], 5, {}, [[]], ["a", 1], [1, "a"], [-1], [1.5], [[1], "a"], [True]]
)
async def test_other_prompts_are_refused(api: Api, prompt: Any) -> None:
    answer = await api.post(PATH, {"prompt": prompt})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "prompt"


async def test_choices_are_prompts_times_n_also_when_streamed(api: Api) -> None:
    body = {"prompt": ["a", "b"], "n": 2, "stream": True, "stream_options": {"include_usage": True}}
    *chunks, usage, done = events(await api.post(PATH, body))
    texts = dict.fromkeys(range(4), "")
    for chunk in chunks:
        assert chunk["object"] == "text_completion"
        (choice,) = chunk["choices"]
        texts[choice["index"]] += choice["text"]
    assert set(texts.values()) == {"Hello, world!"}
    assert usage["choices"] == []
    assert usage["usage"]["prompt_tokens"] == 14, "each prompt counts once, not once per choice"
    assert done == "[DONE]"


@pytest.mark.parametrize("prompt", ["Say: ", list(b"Say: ")])
async def test_echo_begins_with_the_prompt(api: Api, prompt: Any) -> None:
    answer = await api.post(PATH, {"prompt": prompt, "echo": True})
    assert answer.json()["choices"][0]["text"] == "Say: Hello, world!"
    *chunks, _ = events(await api.post(PATH, {"prompt": prompt, "echo": True, "stream": True}))
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == "Say: Hello, world!"


@pytest.mark.parametrize("stream", [False, True])
async def test_logprobs_are_the_legacy_arrays(api: Api, stream: bool) -> None:
    api.script(Script(texts=["é", "ab", "c"]))
    response = await api.post(PATH, {"prompt": "x", "logprobs": 1, "stream": stream})
    if stream:
        parts = [chunk["choices"][0]["logprobs"] for chunk in events(response)[:-2]]
        keys = ("tokens", "token_logprobs", "top_logprobs", "text_offset")
        logprobs = {key: [item for part in parts for item in part[key]] for key in keys}
    else:
        logprobs = response.json()["choices"][0]["logprobs"]
    assert logprobs == {
        "tokens": ["é", "ab", "c"],
        "token_logprobs": [-0.5, -0.5, -0.5],
        "top_logprobs": [{"é": -0.5}, {"ab": -0.5}, {"c": -0.5}],
        "text_offset": [0, 1, 3],
    }


@pytest.mark.parametrize("prompt", ["aé", list("aé".encode())])
@pytest.mark.parametrize("stream", [False, True])
async def test_echo_with_logprobs_scores_the_prompt(api: Api, prompt: Any, stream: bool) -> None:
    """As lm-evaluation-harness asks: BOS is not of the prompt, its first token has no score, and
    `text_offset` counts characters of the text."""
    api.script(Script(texts=["b", "c"]))
    body = {"prompt": prompt, "echo": True, "logprobs": 1, "stream": stream}
    response = await api.post(PATH, body)
    choices = [c["choices"][0] for c in (events(response)[:-1] if stream else [response.json()])]
    parts = [choice["logprobs"] for choice in choices if choice["logprobs"]]
    logprobs = {key: [item for part in parts for item in part[key]] for key in parts[0]}
    assert "".join(choice["text"] for choice in choices) == "aébc"
    assert logprobs["token_logprobs"] == [None, -1.0, -1.0, -0.5, -0.5]
    assert logprobs["tokens"] == ["a", "\ufffd", "\ufffd", "b", "c"]
    assert logprobs["top_logprobs"][0] is None
    assert logprobs["top_logprobs"][-1] == {"c": -0.5}
    assert logprobs["text_offset"] == [0, 1, 1, 2, 3]
    assert api.engine.requests[0].score_prompt


async def test_scores_without_a_completion(api: Api) -> None:
    body = {"prompt": ["ab", "cd"], "echo": True, "logprobs": 1, "max_tokens": 0}
    answer = (await api.post(PATH, body)).json()
    assert [choice["text"] for choice in answer["choices"]] == ["ab", "cd"]
    assert [choice["finish_reason"] for choice in answer["choices"]] == ["length"] * 2
    assert [c["logprobs"]["token_logprobs"] for c in answer["choices"]] == [[None, -1.0]] * 2
    assert answer["usage"]["completion_tokens"] == 0


async def test_without_alternatives_a_token_stands_alone(api: Api) -> None:
    answer = (await api.post(PATH, {"prompt": "a", "logprobs": 0})).json()
    assert answer["choices"][0]["logprobs"]["top_logprobs"][0] == {"Hello": -0.5}


async def test_best_of_gives_the_likeliest(api: Api) -> None:
    api.script(*(Script(texts=[text], chance=chance) for text, chance in CANDIDATES))
    answer = (await api.post(PATH, {"prompt": "x", "best_of": 3, "n": 2})).json()
    texts = [(choice["index"], choice["text"]) for choice in answer["choices"]]
    assert texts == [(0, "good"), (1, "fair")]
    assert answer["choices"][0]["logprobs"] is None
    assert answer["usage"]["completion_tokens"] == 3, "all were computed"


async def test_a_suffix_reaches_the_engine(api: Api) -> None:
    await api.post(PATH, {"prompt": "def f(", "suffix": "): pass"})
    assert api.engine.requests[0].suffix == "): pass"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"best_of": 1, "n": 2}, "best_of"),
        ({"best_of": 3, "stream": True}, "best_of"),
        ({"logprobs": 6}, "logprobs"),
        ({"echo": True, "logprobs": 1, "suffix": "x"}, "suffix"),
        ({"max_tokens": -2}, "max_tokens"),
    ],
)
async def test_what_cannot_be_done_is_said(api: Api, fields: dict[str, Any], param: str) -> None:
    answer = await api.post(PATH, {"prompt": "a", **fields})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
