"""llama-server's helpers: text to tokens and back, and messages to the prompt a model is given."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, Field

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import Body, Integer
from lmnb.api.openai.chat_request import ChatRequest
from lmnb.api.openai.sampling import INT32
from lmnb.errors import InvalidRequest
from lmnb.service.manager import ModelManager

__all__ = ["ApplyTemplateHandler", "DetokenizeHandler", "TokenizeHandler"]

Token = Annotated[Integer, Field(ge=0, le=INT32)]


class TokenizeRequest(Body):
    """`prompt` is vLLM's name for it."""

    model: str = ""
    content: Annotated[str, Field(validation_alias=AliasChoices("content", "prompt"))]
    add_special: Annotated[
        bool, Field(validation_alias=AliasChoices("add_special", "add_special_tokens"))
    ] = False
    parse_special: bool = True
    with_pieces: bool = False


class DetokenizeRequest(Body):
    model: str = ""
    tokens: list[Token]


class TemplateRequest(ChatRequest):
    """A chat request, of which only the prompt is made."""

    model: str = ""


class TokenizeHandler(ApiHandler):
    """Text to token ids, with the pieces of text that they stand for if asked."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(TokenizeRequest)
        manager = self.services.manager
        engine = (await manager.get(request.model or only_model(manager))).engine
        tokens = await engine.tokenize(
            request.content, add_special=request.add_special, parse_special=request.parse_special
        )
        answer: dict[str, Any] = {
            "tokens": tokens,
            "count": len(tokens),
            "max_model_len": engine.facts.context_length,
        }
        if request.with_pieces:
            pieces = await engine.pieces(tokens)
            answer["tokens"] = [
                {"id": id, "piece": _piece(data)} for id, data in zip(tokens, pieces, strict=True)
            ]
        self.reply(answer)


class DetokenizeHandler(ApiHandler):
    """Token ids to text."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(DetokenizeRequest)
        manager = self.services.manager
        engine = (await manager.get(request.model or only_model(manager))).engine
        unknown = [token for token in request.tokens if token >= engine.facts.n_vocab]
        if unknown:
            raise InvalidRequest(
                f"Invalid 'tokens': {unknown[0]} is no token of this model, which has "
                f"{engine.facts.n_vocab}.",
                param="tokens",
                code="invalid_value",
            )
        self.reply({"content": await engine.detokenize(request.tokens)})


class ApplyTemplateHandler(ApiHandler):
    """Messages to the text of the prompt, as a chat completion would make it."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(TemplateRequest)
        services = self.services
        request.model = request.model or only_model(services.manager)
        _, prepared = await services.generations.prompt(request.choices()[0])
        self.reply({"prompt": "".join(span.text for span in prepared.prompt)})


def only_model(manager: ModelManager) -> str:
    """The one that is loaded: llama-server's clients name none."""
    loaded = manager.loaded()
    if len(loaded) == 1:
        return loaded[0].id
    raise InvalidRequest(
        f"Missing required parameter: 'model' ({len(loaded)} models are loaded).",
        param="model",
        code="missing_required_parameter",
    )


def _piece(data: bytes) -> str | list[int]:
    """Text where the bytes are whole characters."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return list(data)
