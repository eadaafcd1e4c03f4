"""/v1/conversations: contexts that the server keeps, and responses add to."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from pydantic import Field

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import Body
from lmnb.api.openai.responses.ids import new_id
from lmnb.api.openai.responses.items import Item, ItemReference, Items, to_json
from lmnb.api.openai.responses.paging import item_list, page
from lmnb.api.openai.responses.request import Metadata
from lmnb.errors import InvalidRequest, NotFound

__all__ = [
    "ConversationHandler",
    "ConversationItemHandler",
    "ConversationItemsHandler",
    "ConversationsHandler",
]

MOST_AT_ONCE = 20


class NewConversation(Body):
    items: Annotated[Items, Field(max_length=MOST_AT_ONCE)] = []
    metadata: Metadata = {}


class ConversationUpdate(Body):
    metadata: Metadata


class NewItems(Body):
    items: Annotated[Items, Field(min_length=1, max_length=MOST_AT_ONCE)]


class _ConversationHandler(ApiHandler):
    async def describe(self, id: str) -> dict[str, Any]:
        """Raises NotFound."""
        found = await asyncio.to_thread(self.services.responses.conversation, id)
        if found is None:
            raise _not_found(id)
        created_at, metadata = found
        return {
            "id": id,
            "object": "conversation",
            "created_at": created_at,
            "metadata": metadata,
        }

    async def add(self, id: str, items: list[Any]) -> list[Item]:
        if any(isinstance(item, ItemReference) for item in items):
            raise InvalidRequest("References to items are for 'input'.", param="items")
        # Batches are many, and a conversation's ids are its own: each batch counts from anew.
        batch = new_id("conv")
        added = [to_json(item, batch, number) for number, item in enumerate(items)]
        if not await asyncio.to_thread(self.services.responses.add_items, id, added):
            raise _not_found(id)
        return added


class ConversationsHandler(_ConversationHandler):
    @endpoint
    async def post(self) -> None:
        request = await self.read(NewConversation) if self.request.body.strip() else None
        new = request or NewConversation()
        id = new_id("conv")
        await asyncio.to_thread(self.services.responses.create_conversation, id, new.metadata)
        await self.add(id, new.items)
        self.reply(await self.describe(id))


class ConversationHandler(_ConversationHandler):
    @endpoint
    async def get(self, id: str) -> None:
        self.reply(await self.describe(id))

    @endpoint
    async def post(self, id: str) -> None:
        update = await self.read(ConversationUpdate)
        store = self.services.responses
        await asyncio.to_thread(store.update_conversation, id, update.metadata)
        self.reply(await self.describe(id))

    @endpoint
    async def delete(self, id: str) -> None:
        """The responses that were given in it stay."""
        if not await asyncio.to_thread(self.services.responses.delete_conversation, id):
            raise _not_found(id)
        self.reply({"id": id, "object": "conversation.deleted", "deleted": True})


class ConversationItemsHandler(_ConversationHandler):
    @endpoint
    async def get(self, id: str) -> None:
        await self.describe(id)
        items = await asyncio.to_thread(self.services.responses.conversation_items, id)
        self.reply(page(self, items))

    @endpoint
    async def post(self, id: str) -> None:
        request = await self.read(NewItems)
        await self.describe(id)
        self.reply(item_list(await self.add(id, request.items)))


class ConversationItemHandler(_ConversationHandler):
    @endpoint
    async def get(self, id: str, item_id: str) -> None:
        items = await asyncio.to_thread(self.services.responses.conversation_items, id)
        for item in items:
            if item["id"] == item_id:
                return self.reply(item)
        raise NotFound(f"Item with id '{item_id}' not found.", param="item_id")

    @endpoint
    async def delete(self, id: str, item_id: str) -> None:
        """Answers with the conversation."""
        if not await asyncio.to_thread(self.services.responses.delete_item, id, item_id):
            raise NotFound(f"Item with id '{item_id}' not found.", param="item_id")
        self.reply(await self.describe(id))


def _not_found(id: str) -> NotFound:
    return NotFound(f"Conversation with id '{id}' not found.", param="conversation_id")
