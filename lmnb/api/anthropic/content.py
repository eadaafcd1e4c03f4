"""Anthropic's messages: blocks of content become the one internal form of a conversation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BeforeValidator, model_validator
from pydantic_core import PydanticCustomError

from lmnb.api.body import Body
from lmnb.api.image import check_address
from lmnb.api.refusing import unsupported
from lmnb.chat.image import Image, joined
from lmnb.chat.message import Message, ToolCall

__all__ = ["Blocks", "InputMessage", "conversation"]

IGNORED = ("redacted_thinking",)
BILLING = "x-anthropic-billing-header:"
"""Claude Code's first system block. It says nothing to a model, and differs from request to request,
so that no prefix would ever be found in the cache."""


class Source(Body):
    """Where a document's or a picture's content is."""

    type: str
    media_type: str = ""
    data: str = ""
    url: str = ""
    content: Blocks = []

    @property
    def image(self) -> Image | None:
        """Of a picture. None: it is none that could be read."""
        address = (
            f"data:{self.media_type};base64,{self.data}" if self.type == "base64" else self.url
        )
        try:
            return Image(check_address(address)) if self.type in ("base64", "url") else None
        except PydanticCustomError:
            return None


class Block(Body):
    """One block of content, of any kind we understand; `cache_control` is ignored."""

    type: str
    text: str = ""
    thinking: str = ""
    id: str = ""
    name: str = ""
    input: dict[str, Any] = {}
    tool_use_id: str = ""
    content: Blocks = []
    is_error: bool = False
    source: Source | str | None = None
    title: str = ""
    context: str = ""
    citations: Any = None
    """In an answer that is sent back, a list."""

    @model_validator(mode="after")
    def _is_understood(self) -> Block:
        for field in NEEDED.get(self.type, ()):
            if field not in self.model_fields_set:
                raise PydanticCustomError("missing", "", {"field": (field,)})
        if self.type == "document":
            if not isinstance(self.source, Source) or self.source.type not in ("text", "content"):
                raise unsupported("a document that is not plain text", "source")
        elif self.type == "image":
            if not isinstance(self.source, Source) or self.source.image is None:
                raise unsupported("a picture that is no PNG, JPEG, GIF or BMP", "source")
        elif self.type not in NEEDED and self.type not in IGNORED:
            raise unsupported(f"content of type '{self.type}'", "type")
        if isinstance(self.citations, dict) and self.citations.get("enabled"):
            raise unsupported("citing a source", "citations")
        return self

    @property
    def parts(self) -> Iterator[str | Image]:
        """What a model reads and sees of it."""
        match self.type, self.source:
            case "text", _:
                yield self.text
            case "image", Source(image=Image() as image):
                yield image
            case "document", Source() as source:
                yield from filter(None, (self.title, self.context, source.data))
                yield from _parts(source.content)
            case "search_result", source:
                yield from filter(None, (self.title, source if isinstance(source, str) else ""))
                yield from _parts(self.content)


NEEDED = {
    "text": ("text",),
    "thinking": ("thinking",),
    "tool_use": ("id", "name"),
    "tool_result": ("tool_use_id",),
    "document": ("source",),
    "image": ("source",),
    "search_result": ("content",),
}


def _blocks(value: Any) -> Any:
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    if isinstance(value, list):
        return value
    raise PydanticCustomError("content_type", "should be a string or an array of content blocks")


Blocks = Annotated[list[Block], BeforeValidator(_blocks, json_schema_input_type=str | list[Block])]
Block.model_rebuild()


class InputMessage(Body):
    """A turn. Late system messages are a beta of Anthropic's that costs nothing to take."""

    role: Literal["user", "assistant", "system"]
    content: Blocks


def _parts(blocks: Sequence[Block]) -> Iterator[str | Image]:
    return (part for block in blocks for part in block.parts if part)


def conversation(system: Sequence[Block], messages: Sequence[InputMessage]) -> tuple[Message, ...]:
    """Neighbours of one role are one turn. Results of tools become messages of their own, before
    what the user says beside them."""
    text, images = joined(_parts([one for one in system if not one.text.startswith(BILLING)]))
    out = [Message("system", text, images=images)] if text else []
    names: dict[str, str] = {}
    for role, turn in groupby(messages, key=lambda message: message.role):
        blocks = [block for message in turn for block in message.content]
        calls = tuple(
            ToolCall(block.id, block.name, msgspec.json.encode(block.input).decode())
            for block in blocks
            if block.type == "tool_use"
        )
        names |= {call.id: call.name for call in calls}
        results = [block for block in blocks if block.type == "tool_result"]
        out += [_result(block, names.get(block.tool_use_id)) for block in results]
        text, images = joined(_parts(blocks))
        if text or not results:
            thinking = "\n".join(block.thinking for block in blocks if block.thinking)
            out.append(Message(role, text, reasoning=thinking, tool_calls=calls, images=images))
    if len(out) > 1 and out[-1] == Message("assistant", ""):
        out.pop()  # an answer of which nothing is begun
    return tuple(out)


def _result(block: Block, name: str | None) -> Message:
    text, images = joined(_parts(block.content))
    if block.is_error and "error" not in text[:20].lower():
        text = f"Error: {text}"
    return Message("tool", text, name, tool_call_id=block.tool_use_id, images=images)
