"""POST /v1/responses/compact: a long conversation becomes a short one."""

from __future__ import annotations

import time

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.openai.responses.context import find_context
from lmnb.api.openai.responses.ids import item_id, new_id
from lmnb.api.openai.responses.request import ReasoningOptions, ResponseRequest
from lmnb.api.openai.responses.resource import usage_json
from lmnb.api.openai.responses.sealed import seal
from lmnb.api.openai.responses.truncation import start
from lmnb.service.events import Finished, TextDelta

__all__ = ["CompactHandler"]

LONGEST_SUMMARY = 512
WISH = {
    "type": "message",
    "role": "user",
    "content": [
        {
            "type": "input_text",
            "text": "Summarize our conversation so far: facts, names, decisions, open questions. "
            "Write only the summary.",
        }
    ],
}


class CompactHandler(ApiHandler):
    """The model sums up; the summary goes back sealed, for the client to send instead of it all."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(ResponseRequest)
        id = new_id("resp")
        context = await find_context(request, id, self.services.responses)
        limit = min(request.max_output_tokens or LONGEST_SUMMARY, LONGEST_SUMMARY)
        plain = ResponseRequest(
            model=request.model,
            input=[],
            max_output_tokens=limit,
            truncation="auto",
            reasoning=ReasoningOptions(effort="none"),
        )
        items = [*request.instruction_items(), *context.items, WISH]
        with self.services.activity.busy():
            generation = await start(self.services.generations, plain, items)
            summary, finished = "", Finished("stop", usage=None)  # type: ignore[arg-type]
            try:
                async for event in generation:
                    if isinstance(event, TextDelta):
                        summary += event.text
                    elif isinstance(event, Finished):
                        finished = event
            finally:
                generation.cancel()
        compaction = {
            "id": item_id("compaction", id, len(context.items)),
            "type": "compaction",
            "encrypted_content": seal(summary.strip()),
        }
        self.reply(
            {
                "id": id,
                "object": "response.compaction",
                "created_at": int(time.time()),
                "output": [compaction],
                "usage": usage_json(finished.usage),
            }
        )
