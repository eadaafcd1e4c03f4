"""POST /v1/embeddings: texts, or their token ids, as vectors."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import INT32, Integer
from lmnb.api.refusing import RefusingFields
from lmnb.service.embedding import Input, Vectors, embed, floats

__all__ = ["EmbeddingsHandler"]

Token = Annotated[int, Field(ge=0, le=INT32)]
Text = Annotated[str, Field(min_length=1)]
Tokens = Annotated[list[Token], Field(min_length=1)]
OneOrMore = Text | Tokens | Annotated[list[Text | Tokens], Field(min_length=1)]
"""What `_inputs` takes: for the description."""

QUICK_BYTES = 32 * 1024
"""More than that is written in a thread: other streams go on."""
PIECE_BYTES = 1 << 20
Encoding = Literal["float", "base64"]


def _inputs(value: Any) -> tuple[Input, ...]:
    """One text or one list of token ids, or a list of either."""
    if isinstance(value, list):
        if not value:
            raise PydanticCustomError("empty", "should not be an empty array")
        if all(type(one) is int for one in value):
            return (_input(value),)
        return tuple(_input(one, number) for number, one in enumerate(value))
    return (_input(value),)


def _input(value: Any, number: int | None = None) -> Input:
    where = {} if number is None else {"field": (number,)}
    if isinstance(value, str) and value:
        return value
    if value in ("", []):
        raise PydanticCustomError("empty", "should not be empty", where)
    if isinstance(value, list) and all(type(one) is int and 0 <= one <= INT32 for one in value):
        return tuple(value)
    expected = "a string or an array of token ids"
    if number is None:
        expected = "a string, an array of strings, an array of token ids, or an array of those"
    raise PydanticCustomError("input_type", "should be {expected}", {"expected": expected, **where})


class EmbeddingsRequest(RefusingFields):
    """The body."""

    refused: ClassVar[Mapping[str, str]] = {
        "truncate_prompt_tokens": "an input that is cut to fit",
        "messages": "a conversation as input",
    }

    model: Annotated[str, Field(min_length=1)]
    input: Annotated[tuple[Any, ...], BeforeValidator(_inputs, json_schema_input_type=OneOrMore)]
    encoding_format: Encoding = "float"
    dimensions: Annotated[Integer, Field(ge=1, le=INT32)] | None = None
    add_special_tokens: Literal[True] = True


class EmbeddingsHandler(ApiHandler):
    """Any number of inputs; the engine splits them as it likes."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(EmbeddingsRequest)
        with self.services.activity.busy():
            vectors = await embed(
                self.services.manager, request.model, request.input, request.dimensions
            )
            if len(vectors.data) > QUICK_BYTES:
                pieces = await asyncio.to_thread(_answer, vectors, request.encoding_format)
            else:
                pieces = _answer(vectors, request.encoding_format)
        await self.reply_in_pieces(pieces)


def _answer(vectors: Vectors, encoding: Encoding) -> list[bytes]:
    """The JSON, in pieces. Row by row: a thread that writes a million numbers at once holds up the
    others."""
    write = floats if encoding == "float" else _base64
    pieces, piece = list[bytes](), bytearray(b'{"object":"list","data":[')
    for index, row in enumerate(vectors.rows()):
        if index:
            piece += b","
        if len(piece) >= PIECE_BYTES:
            pieces.append(bytes(piece))
            piece.clear()
        piece += msgspec.json.encode(
            {"object": "embedding", "index": index, "embedding": write(row)}
        )
    usage = {"prompt_tokens": vectors.tokens, "total_tokens": vectors.tokens}
    rest = msgspec.json.encode({"model": vectors.model, "usage": usage})
    piece += b"]," + rest.removeprefix(b"{")
    return [*pieces, bytes(piece)]


def _base64(row: bytes) -> str:
    return b64encode(row).decode()
