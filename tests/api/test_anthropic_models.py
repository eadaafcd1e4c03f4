"""Models as Anthropic's SDK lists them."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from lmnb.api.anthropic.models import ModelsPage
from tests.api.conftest import Api


async def test_the_sdk_lists_models(api: Api, sdk: anthropic.AsyncAnthropic) -> None:
    models = [model async for model in await sdk.models.list()]
    assert [model.id for model in models] == [api.model]
    assert models[0].created_at.year > 2000
    assert models[0].max_input_tokens
    assert models[0].model_extra == {}
    assert await sdk.models.retrieve(api.model) == models[0]
    with pytest.raises(anthropic.NotFoundError) as unknown:
        await sdk.models.retrieve("no-such-model")
    assert unknown.value.type == "not_found_error"
    assert unknown.value.request_id


@pytest.mark.parametrize(
    ("asked", "ids", "more"),
    [
        ({}, "abcd", False),
        ({"limit": 2}, "ab", True),
        ({"limit": 2, "after_id": "b"}, "cd", False),
        ({"limit": 1, "before_id": "c"}, "b", True),
        ({"after_id": "d"}, "", False),
    ],
)
def test_models_come_in_pages(asked: Any, ids: str, more: bool) -> None:
    page = ModelsPage(**asked).of([{"id": id} for id in "abcd"])
    assert [model["id"] for model in page["data"]] == list(ids)
    assert page["has_more"] is more
    assert (page["first_id"], page["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))


async def test_a_page_begins_at_a_model_that_is_here(
    api: Api, sdk: anthropic.AsyncAnthropic
) -> None:
    with pytest.raises(anthropic.NotFoundError, match="'gone'"):
        await sdk.models.list(after_id="gone")
    with pytest.raises(anthropic.BadRequestError, match="limit"):
        await sdk.models.list(limit=0)
