"""POST /v1/rerank, in the shape that Cohere and Jina gave it: documents, the best answer first."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import Body, Integer
from lmnb.api.openai.sampling import INT32
from lmnb.service.embedding import rerank

__all__ = ["RerankHandler"]


def _document(value: Any) -> str:
    """A text, or an object that holds it."""
    text = value.get("text") if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise PydanticCustomError("document_type", "should be a string, or an object with 'text'")
    return text


Document = Annotated[str, BeforeValidator(_document, json_schema_input_type=str | dict[str, Any])]


class RerankRequest(Body):
    """The body."""

    model: Annotated[str, Field(min_length=1)]
    query: Annotated[str, Field(min_length=1)]
    documents: Annotated[
        list[
            Annotated[str, BeforeValidator(_document, json_schema_input_type=str | dict[str, Any])]
        ],
        Field(min_length=1),
    ]
    top_n: Annotated[Integer, Field(ge=1, le=INT32)] | None = None
    return_documents: bool = False


class RerankHandler(ApiHandler):
    """For rerankers; other models say that they are none."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(RerankRequest)
        with self.services.activity.busy():
            ranking = await rerank(
                self.services.manager, request.model, request.query, request.documents
            )
        results: list[dict[str, Any]] = [
            {"index": index, "relevance_score": score}
            for index, score in ranking.scores[: request.top_n]
        ]
        if request.return_documents:
            for result in results:
                result["document"] = {"text": request.documents[result["index"]]}
        self.reply(
            {
                "id": f"rerank-{secrets.token_hex(12)}",
                "object": "list",
                "model": ranking.model,
                "results": results,
                "usage": {"prompt_tokens": ranking.tokens, "total_tokens": ranking.tokens},
            }
        )
