"""Pictures through everything: HTTP, a process with a tiny model and its projector, and back."""

from __future__ import annotations

import base64
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.api.serving import KEY, real_server
from tests.synthetic_vision import picture, write_projector


@asynccontextmanager
async def serve(folder: Path, model: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The model and its projector side by side, as they are downloaded."""
    home = folder / "models" / "team" / "seeing-GGUF"
    home.mkdir(parents=True)
    shutil.copy(model, home / "seeing.gguf")
    write_projector(home / "mmproj-seeing.gguf", "llama")
    async with (
        real_server(folder / "models", folder) as (url, _),
        httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60
        ) as client,
    ):
        yield client


def question(model: str, image: bytes, **more: Any) -> dict[str, Any]:
    url = f"data:image/png;base64,{base64.b64encode(image).decode()}"
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    body = {"model": model, "messages": [{"role": "user", "content": parts}], "temperature": 0}
    return {**body, "max_tokens": 2, "logprobs": True, "top_logprobs": 5, **more}


async def test_a_picture_is_seen_and_counted_and_what_is_none_hurts_nobody(
    tmp_path: Path, tiny_model: Callable[[str], Path]
) -> None:
    async with serve(tmp_path, tiny_model("llama")) as client:
        (entry,) = (await client.get("/api/v1/models")).json()["models"]
        assert entry["capabilities"]["vision"] is True
        (older,) = (await client.get("/api/v0/models")).json()["data"]
        assert older["type"] == "vlm"
        model = entry["key"]

        async def ask(image: bytes, **more: Any) -> dict[str, Any]:
            body = question(model, image, **more)
            answer = await client.post("/v1/chat/completions", json=body)
            assert answer.status_code == 200, answer.text
            return dict(answer.json())

        def first(answer: dict[str, Any]) -> float:
            return float(answer["choices"][0]["logprobs"]["content"][0]["logprob"])

        one, again, other = await ask(picture(1)), await ask(picture(1)), await ask(picture(2))
        assert abs(first(one) - first(again)) < 0.01 < abs(first(one) - first(other))
        usage = again["usage"]
        assert usage["prompt_tokens_details"]["cached_tokens"] == usage["prompt_tokens"] - 1
        counted = await client.post(
            "/v1/chat/completions/input_tokens", json=question(model, picture(1))
        )
        assert counted.json()["input_tokens"] == usage["prompt_tokens"]

        broken = await client.post(
            "/v1/chat/completions", json=question(model, picture(1)[:100], stream=True)
        )
        assert (broken.status_code, broken.json()["error"]["code"]) == (400, "invalid_image")
        assert abs(first(await ask(picture(1))) - first(one)) < 0.01


async def test_a_model_may_be_loaded_without_its_eyes(
    tmp_path: Path, tiny_model: Callable[[str], Path]
) -> None:
    async with serve(tmp_path, tiny_model("llama")) as client:
        key = (await client.get("/api/v1/models")).json()["models"][0]["key"]
        load = {"model": key, "projector": "", "identifier": "blind", "echo_load_config": True}
        loaded = (await client.post("/api/v1/models/load", json=load)).json()
        assert loaded["load_config"]["projector"] == ""
        blind = await client.post("/v1/chat/completions", json=question("blind", picture(1)))
        assert blind.json()["error"]["code"] == "image_input_not_supported"
        wrong = await client.post(
            "/api/v1/models/load",
            json={"model": key, "projector": str(tiny_model("llama")), "identifier": "wrong"},
        )
        assert wrong.json()["error"]["param"] == "projector"
        assert "projector" in wrong.json()["error"]["message"]
