"""Helpers that llama-server and vLLM have: text to tokens and back, messages to a prompt."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from pydantic import AliasChoices, Field, model_validator
from pydantic_core import PydanticCustomError

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import INT32, Body, Integer
from lmnb.api.openai.chat_request import ChatRequest
from lmnb.engine import Engine
from lmnb.errors import InvalidRequest
from lmnb.service.counting import prompt_tokens
from lmnb.service.manager import ModelManager

__all__ = ["ApplyTemplateHandler", "DetokenizeHandler", "TokenizeHandler", "TokenizerInfoHandler"]

Token = Annotated[Integer, Field(ge=0, le=INT32)]


class TokenizeRequest(Body):
    """`content` is llama-server's name for the text, `prompt` vLLM's, which in its place takes a
    conversation. As each has it, only a `prompt` begins as the model wants it unless that is said."""

    model: str = ""
    content: str | None = None
    prompt: str | None = None
    messages: list[Any] | None = None
    add_special: Annotated[
        bool | None, Field(validation_alias=AliasChoices("add_special", "add_special_tokens"))
    ] = None
    parse_special: bool = True
    with_pieces: bool = False
    return_token_strs: bool = False

    @model_validator(mode="after")
    def _has_a_text(self) -> TokenizeRequest:
        if self.content is None and self.prompt is None and self.messages is None:
            raise PydanticCustomError("missing", "", {"field": ("content",)})
        return self


class DetokenizeRequest(Body):
    model: str = ""
    tokens: list[Token]


class TemplateRequest(ChatRequest):
    """A chat request, of which only the prompt is made."""

    model: str = ""


class TokenizeHandler(ApiHandler):
    """Text to token ids, or a conversation to those of its prompt; with the pieces of text that they
    stand for if asked."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(TokenizeRequest)
        tokens_of = self._text(request) if request.messages is None else self._conversation()
        async with tokens_of as (engine, tokens):
            self.reply(await self._answer(request, engine, tokens))

    async def _answer(
        self, request: TokenizeRequest, engine: Engine, tokens: list[int]
    ) -> dict[str, Any]:
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
        if request.content is None:
            answer["token_strs"] = None
        if request.return_token_strs:
            pieces = await engine.pieces(tokens)
            answer["token_strs"] = [data.decode("utf-8", "replace") for data in pieces]
        return answer

    @asynccontextmanager
    async def _text(self, request: TokenizeRequest) -> AsyncIterator[tuple[Engine, list[int]]]:
        text = (request.content if request.prompt is None else request.prompt) or ""
        special = request.add_special
        if special is None:
            special = request.prompt is not None
        manager = self.services.manager
        async with manager.use(request.model or await only_model(manager)) as model:
            tokens = await model.engine.tokenize(
                text, add_special=special, parse_special=request.parse_special
            )
            yield model.engine, tokens

    @asynccontextmanager
    async def _conversation(self) -> AsyncIterator[tuple[Engine, list[int]]]:
        request = await self.read(TemplateRequest)
        request.model = request.model or await only_model(self.services.manager)
        choices = await self.make(request.choices)
        async with self.services.generations.prompt(choices[0]) as (model, prepared):
            yield model.engine, await prompt_tokens(model.engine, prepared)


class DetokenizeHandler(ApiHandler):
    """Token ids to text."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(DetokenizeRequest)
        manager = self.services.manager
        async with manager.use(request.model or await only_model(manager)) as model:
            vocabulary = model.engine.facts.n_vocab
            unknown = [token for token in request.tokens if token >= vocabulary]
            if unknown:
                raise InvalidRequest(
                    f"Invalid 'tokens': {unknown[0]} is no token of this model, which has "
                    f"{vocabulary}.",
                    param="tokens",
                    code="invalid_value",
                )
            text = await model.engine.detokenize(request.tokens)
        self.reply({"content": text, "prompt": text})


class ApplyTemplateHandler(ApiHandler):
    """Messages to the text of the prompt, as a chat completion would make it."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(TemplateRequest)
        services = self.services
        request.model = request.model or await only_model(services.manager)
        choices = await self.make(request.choices)
        async with services.generations.prompt(choices[0]) as (_, prepared):
            self.reply({"prompt": "".join(span.text for span in prepared.prompt)})


class TokenizerInfoHandler(ApiHandler):
    """What vLLM tells of a tokenizer; lm-evaluation-harness then asks us for tokens, too."""

    @endpoint
    async def get(self) -> None:
        manager = self.services.manager
        name = self.get_query_argument("model", "") or await only_model(manager)
        facts = (await manager.get(name)).engine.facts
        self.reply(
            {
                "tokenizer_class": "lmnb",
                "bos_token": facts.bos or None,
                "eos_token": facts.eos or None,
                "pad_token": None,
                "chat_template": facts.chat_template,
                "model_max_length": facts.context_length,
                "vocab_size": facts.n_vocab,
            }
        )

    head = get


async def only_model(manager: ModelManager) -> str:
    """The one that is loaded (to write, if others are loaded for vectors), or else the one that is
    here: clients of servers with one model name none."""
    loaded = manager.loaded()
    writers = [model for model in loaded if model.engine.facts.pooling is None]
    names = [model.id for model in writers or loaded]
    if not names:
        names = [record.id for record in await manager.list()]
    if len(names) == 1:
        return names[0]
    raise InvalidRequest(
        f"Missing required parameter: 'model' (one of {len(names)}).",
        param="model",
        code="missing_required_parameter",
    )


def _piece(data: bytes) -> str | list[int]:
    """Text where the bytes are whole characters."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return list(data)
