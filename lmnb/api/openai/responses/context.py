"""What a response goes on from: earlier turns, and this turn's input."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lmnb.api.openai.responses.ids import response_of
from lmnb.api.openai.responses.items import ItemReference, to_json
from lmnb.api.openai.responses.messages import check_calls
from lmnb.api.openai.responses.request import ContextFields
from lmnb.errors import InvalidRequest, NotFound
from lmnb.service.responses import ResponseStore

__all__ = ["Context", "Memory", "PreviousResponseNotFound", "find_context"]

A_FEW = 64
"""Items that take no time worth mentioning."""
Item = dict[str, Any]
Memory = Mapping[str, Sequence[Item]]
"""Whole conversations by their last response: what a connection remembers of what is not stored."""


class PreviousResponseNotFound(InvalidRequest):
    """Never stored, or deleted, or another connection's."""

    code = "previous_response_not_found"


@dataclass(frozen=True, slots=True)
class Context:
    history: list[Item] = field(default_factory=list)
    input: list[Item] = field(default_factory=list)

    @property
    def items(self) -> list[Item]:
        return self.history + self.input


async def find_context(
    fields: ContextFields, owner: str, store: ResponseStore, memory: Memory | None = None
) -> Context:
    """For the response (or conversation) `owner`. Raises PreviousResponseNotFound, NotFound,
    InvalidRequest."""
    history = await _history(fields, store, memory or {})
    context = Context(history)
    for number, item in enumerate(fields.input):
        if number % A_FEW == A_FEW - 1:
            await asyncio.sleep(0)  # others go on
        if isinstance(item, ItemReference):
            context.input.append(await _referenced(item.id, number, context, store))
        else:
            context.input.append(to_json(item, owner, number))
    check_calls(context.items)
    if not (context.items or fields.instructions):
        raise InvalidRequest("'input' is empty: there is nothing to answer.", param="input")
    return context


async def _history(fields: ContextFields, store: ResponseStore, memory: Memory) -> list[Item]:
    if fields.conversation:
        if await asyncio.to_thread(store.conversation, fields.conversation) is None:
            raise NotFound(
                f"Conversation with id '{fields.conversation}' not found.", param="conversation"
            )
        return await asyncio.to_thread(store.conversation_items, fields.conversation)
    previous = fields.previous_response_id
    if not previous:
        return []
    if previous in memory:
        return list(memory[previous])
    turns = await asyncio.to_thread(store.chain, previous)
    if turns is None:
        raise PreviousResponseNotFound(
            f"Previous response with id '{previous}' not found.", param="previous_response_id"
        )
    if turns[-1].status in ("queued", "in_progress"):
        raise InvalidRequest(
            f"The response '{previous}' is still being written.", param="previous_response_id"
        )
    return [item for turn in turns for item in (*turn.input, *turn.output)]


async def _referenced(id: str, number: int, context: Context, store: ResponseStore) -> Item:
    stored = None
    if not any(item["id"] == id for item in context.items):
        stored = await asyncio.to_thread(store.get, response_of(id))
    candidates = [*stored.input, *stored.response["output"]] if stored else context.items
    for item in candidates:
        if item["id"] == id:
            return item
    raise NotFound(
        f"Item with id '{id}' not found. Items are not kept when 'store' is false.",
        param=f"input[{number}].id",
    )
