"""POST /v1/rerank, in the shape that Cohere and Jina gave it: documents, the best answer first. Or in
that of text-embeddings-inference, which calls them `texts` and says no more than scores."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import INT32, Integer
from lmnb.api.openai.tokenize import only_model
from lmnb.api.refusing import RefusingFields
from lmnb.service.embedding import rerank

__all__ = ["RerankHandler"]


def _document(value: Any) -> str:
    """A text, or an object that holds it."""
    text = value.get("text") if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise PydanticCustomError("document_type", "should be a string, or an object with 'text'")
    return text


Document = Annotated[str, BeforeValidator(_document, json_schema_input_type=str | dict[str, Any])]


class RerankRequest(RefusingFields):
    """The body. With `texts` the model may be left out, as their clients do."""

    refused: ClassVar[Mapping[str, str]] = {
        "truncate_prompt_tokens": "an input that is cut to fit",
        "max_tokens_per_doc": "a document that is cut to fit",
        "raw_scores": "a score that is not from 0 to 1",
    }

    model: str = ""
    query: Annotated[str, Field(min_length=1)]
    documents: Annotated[list[Document], Field(min_length=1)] | None = None
    texts: Annotated[list[str], Field(min_length=1)] | None = None
    top_n: Annotated[Integer, Field(ge=1, le=INT32)] | None = None
    return_documents: bool = False
    return_text: bool = False

    @model_validator(mode="after")
    def _says_what_is_ranked(self) -> RerankRequest:
        if self.texts is not None:
            return self
        for field in ("documents", "model"):
            if not getattr(self, field):
                raise PydanticCustomError("missing", "", {"field": (field,)})
        return self


class RerankHandler(ApiHandler):
    """For rerankers; other models say that they are none."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(RerankRequest)
        with self.services.activity.busy():
            if request.texts is None:
                self.reply(await self._documents(request, request.documents or []))
            else:
                self.reply(await self._texts(request, request.texts))

    async def _documents(self, request: RerankRequest, documents: list[str]) -> dict[str, Any]:
        ranking = await rerank(self.services.manager, request.model, request.query, documents)
        results: list[dict[str, Any]] = [
            {"index": index, "relevance_score": score}
            for index, score in ranking.scores[: request.top_n]
        ]
        if request.return_documents:
            for result in results:
                result["document"] = {"text": documents[result["index"]]}
        return {
            "id": f"rerank-{secrets.token_hex(12)}",
            "object": "list",
            "model": ranking.model,
            "results": results,
            "usage": {"prompt_tokens": ranking.tokens, "total_tokens": ranking.tokens},
        }

    async def _texts(self, request: RerankRequest, texts: list[str]) -> list[dict[str, Any]]:
        manager = self.services.manager
        model = request.model or await only_model(manager)
        ranking = await rerank(manager, model, request.query, texts, field="texts")
        results: list[dict[str, Any]] = [
            {"index": index, "score": score} for index, score in ranking.scores[: request.top_n]
        ]
        if request.return_text:
            for result in results:
                result["text"] = texts[result["index"]]
        return results
