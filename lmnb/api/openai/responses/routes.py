"""The routes of the Responses API and of conversations."""

from __future__ import annotations

from lmnb.api.base import ApiHandler
from lmnb.api.openai.responses.compaction import CompactHandler
from lmnb.api.openai.responses.conversations import (
    ConversationHandler,
    ConversationItemHandler,
    ConversationItemsHandler,
    ConversationsHandler,
)
from lmnb.api.openai.responses.counting import InputTokensHandler
from lmnb.api.openai.responses.create import ResponsesHandler
from lmnb.api.openai.responses.stored import CancelHandler, InputItemsHandler, ResponseHandler

__all__ = ["RESPONSES_ROUTES"]

RESPONSES_ROUTES: list[tuple[str, type[ApiHandler]]] = [
    (r"/v1/responses/?", ResponsesHandler),
    (r"/v1/responses/input_tokens/?", InputTokensHandler),
    (r"/v1/responses/compact/?", CompactHandler),
    (r"/v1/responses/([^/]+)", ResponseHandler),
    (r"/v1/responses/([^/]+)/input_items/?", InputItemsHandler),
    (r"/v1/responses/([^/]+)/cancel/?", CancelHandler),
    (r"/v1/conversations/?", ConversationsHandler),
    (r"/v1/conversations/([^/]+)", ConversationHandler),
    (r"/v1/conversations/([^/]+)/items/?", ConversationItemsHandler),
    (r"/v1/conversations/([^/]+)/items/([^/]+)", ConversationItemHandler),
]
