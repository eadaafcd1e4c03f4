"""`logit_bias`: OpenAI's object of token ids, and llama-server's array of pairs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from lmnb.api.body import INT32

__all__ = ["LogitBias"]

LIMIT = 100
BANNED = -1e6
"""`false`: llama-server's -inf, as a number that can be added to."""
Pair = tuple[int | str, float]
Said = dict[str, float | Literal[False]] | list[tuple[int | str, float | Literal[False]]]


def _biases(value: Any) -> tuple[Pair, ...]:
    if isinstance(value, dict):
        return tuple((_numbered(key), _bias(one, key)) for key, one in value.items())
    if isinstance(value, list):
        return tuple(_pair(one, number) for number, one in enumerate(value))
    raise PydanticCustomError(
        "logit_bias_type", "should be an object of token ids and numbers, or an array of pairs"
    )


def _numbered(key: str) -> int:
    if key.isascii() and key.isdigit() and int(key[:11]) <= INT32:
        return int(key)
    raise PydanticCustomError("logit_bias", "keys should be token ids, not '{key}'", {"key": key})


def _pair(value: Any, number: int) -> Pair:
    if isinstance(value, list) and len(value) == 2:
        token, bias = value
        if isinstance(token, str) or (type(token) is int and 0 <= token <= INT32):
            return token, _bias(bias, number)
    raise PydanticCustomError(
        "logit_bias",
        "should be a pair of a token id, or a text, and a number",
        {"field": (number,)},
    )


def _bias(value: Any, place: str | int) -> float:
    if value is False:
        return BANNED
    if type(value) in (int, float) and -LIMIT <= value <= LIMIT:
        return float(value)
    raise PydanticCustomError(
        "logit_bias",
        "should be a number from -{limit} to {limit}, or false",
        {"limit": LIMIT, "field": (place,)},
    )


LogitBias = Annotated[tuple[Pair, ...], BeforeValidator(_biases, json_schema_input_type=Said)]
"""What is added to the logit of a token, or of each token of a text."""
