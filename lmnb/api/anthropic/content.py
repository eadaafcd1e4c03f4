"""Anthropic's messages: blocks of content become the one internal form of a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BeforeValidator, model_validator
from pydantic_core import PydanticCustomError

from lmnb.api.body import Body
from lmnb.api.image import check_address
from lmnb.api.openai.sampling import unsupported
from lmnb.chat.image import Image, joined
from lmnb.chat.message import Message, ToolCall

__all__ = ["Blocks", "InputMessage", "conversation", "text_of"]

IGNORED = ("redacted_thinking",)
BILLING = "x-anthropic-billing-header:"
"""Claude Code's first system block. It says nothing to a model, and differs from request to request,
so that no prefix would ever be found in the cache."""


class Source(Body):
    """Where a document's or a picture's content is. Of documents, only what is text can be read."""

    type: str
    media_type: str = ""
    data: str = ""
    url: str = ""
    content: Any = None

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
    """One block of content, of any kind we understand; `cache_control` and citations are ignored."""

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
        return self

    @property
    def plain(self) -> str:
        """What a model reads of it."""
        match self.type:
            case "text":
                return self.text
            case "document":
                assert isinstance(self.source, Source)
                inner = self.source.data or _inner_text(self.source.content)
                return "\n".join(filter(None, (self.title, self.context, inner)))
            case "search_result":
                source = self.source if isinstance(self.source, str) else ""
                return "\n".join(filter(None, (self.title, source, text_of(self.content))))
        return ""


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


def content_of(blocks: Sequence[Block]) -> tuple[str, tuple[Image, ...]]:
    """What a model reads and sees of them."""
    parts: list[str | Image] = []
    for block in blocks:
        if block.type == "image" and isinstance(block.source, Source):
            assert block.source.image is not None
            parts.append(block.source.image)
        elif text := text_of([block]):
            parts.append(text)
    return joined(parts)


def text_of(blocks: Sequence[Block]) -> str:
    texts = (block.plain for block in blocks if not block.text.startswith(BILLING))
    return "\n".join(text for text in texts if text)


def conversation(system: Sequence[Block], messages: Sequence[InputMessage]) -> tuple[Message, ...]:
    """Results of tools become messages of their own, before what the user says beside them."""
    out = [Message("system", text)] if (text := text_of(system)) else []
    names: dict[str, str] = {}
    for message in messages:
        blocks = message.content
        calls = tuple(
            ToolCall(block.id, block.name, msgspec.json.encode(block.input).decode())
            for block in blocks
            if block.type == "tool_use"
        )
        names |= {call.id: call.name for call in calls}
        results = [block for block in blocks if block.type == "tool_result"]
        out += [_result(block, names.get(block.tool_use_id)) for block in results]
        text, images = content_of(blocks)
        if text or not results:
            thinking = "\n".join(block.thinking for block in blocks if block.thinking)
            out.append(
                Message(message.role, text, reasoning=thinking, tool_calls=calls, images=images)
            )
    return tuple(out)


def _result(block: Block, name: str | None) -> Message:
    text, images = content_of(block.content)
    if block.is_error and "error" not in text[:20].lower():
        text = f"Error: {text}"
    return Message("tool", text, name, tool_call_id=block.tool_use_id, images=images)


def _inner_text(content: Any) -> str:
    """The text of a document that is given as blocks."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(
        str(part["text"]) for part in parts if isinstance(part, dict) and "text" in part
    )
