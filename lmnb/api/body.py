"""Request bodies: JSON of unknown origin becomes a typed object, or a 400 that names the field."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, from_json

from lmnb.errors import InvalidRequest

__all__ = ["INT32", "INT64", "Body", "Integer", "Number", "made_of", "parse", "read_body"]

INT32 = 2**31 - 1
INT64 = 2**63 - 1
BodyT = TypeVar("BodyT", bound="Body")
T = TypeVar("T")
CONTAINERS = {
    "model_type": "should be an object",
    "dict_type": "should be an object",
    "list_type": "should be an array",
}
"""In JSON's words, where pydantic's are Python's."""
QUICK_BODY_BYTES = 16 * 1024
"""Longer ones are parsed in a thread: other streams go on."""


class Body(BaseModel):
    """Unknown fields are ignored; an explicit null is an absent field; types are not guessed."""

    model_config = ConfigDict(
        strict=True, extra="ignore", allow_inf_nan=False, protected_namespaces=()
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {name: value for name, value in data.items() if value is not None}
        return data


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 16.0 is an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Integer = Annotated[int, BeforeValidator(_whole)]
Number = float


def parse(body: bytes, model: type[BodyT]) -> BodyT:
    """Raises InvalidRequest whatever the bytes are."""
    if not body.strip():
        raise InvalidRequest("The request has no body; a JSON object is expected.")
    try:
        data = from_json(body.removeprefix(b"\xef\xbb\xbf"), allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequest(f"The body is not valid JSON: {error}.", code="invalid_json") from None
    if not isinstance(data, dict):
        raise InvalidRequest(f"The body must be a JSON object, not {_kind(data)}.")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _explain(error.errors(include_url=False), data) from None


async def read_body(body: bytes, model: type[BodyT]) -> BodyT:
    """`parse`, which may take a while."""
    return await made_of(body, lambda: parse(body, model))


async def made_of(body: bytes, make: Callable[[], T]) -> T:
    """What `make` gives, which works on all that the body holds: in a thread, if that is long."""
    return await asyncio.to_thread(make) if len(body) > QUICK_BODY_BYTES else make()


def _explain(errors: Sequence[ErrorDetails], data: Any) -> InvalidRequest:
    error = errors[0]
    if error["type"] == "extra_forbidden":
        return _unrecognized(errors, data)
    inside = tuple(error.get("ctx", {}).get("field", ()))  # of what was validated
    param = _dotted(error["loc"] + inside, data)
    if error["type"] == "missing":
        return InvalidRequest(
            f"Missing required parameter: '{param}'.",
            param=param,
            code="missing_required_parameter",
        )
    expected = CONTAINERS.get(error["type"]) or error["msg"][:1].lower() + error["msg"][1:]
    expected = expected.replace(" after validation", "")
    code = "invalid_type" if error["type"].endswith("_type") else "invalid_value"
    if code == "invalid_type":
        expected += f" (got {_kind(_at(inside, error['input']))})"
    return InvalidRequest(f"Invalid '{param}': {expected}.", param=param, code=code)


def _at(path: Sequence[str | int], data: Any) -> Any:
    for step in path:
        data = data[step]
    return data


def _unrecognized(errors: Sequence[ErrorDetails], data: Any) -> InvalidRequest:
    """In LM Studio's words; its dialect alone refuses keys that it does not know."""
    *parent, first = errors[0]["loc"]
    beside = [error["loc"][-1] for error in errors if [*error["loc"][:-1]] == parent]
    names = ", ".join(f"'{name}'" for name in beside)
    return InvalidRequest(
        f"Unrecognized key(s) in object: {names}",
        param=_dotted((*parent, first), data),
        code="unrecognized_keys",
    )


def _dotted(location: Sequence[str | int], data: Any) -> str:
    """`messages[0].content`. Pydantic's marks for branches of a union are not part of the path."""
    path = ""
    for position, step in enumerate(location):
        if isinstance(step, int):
            path += f"[{step}]"
            data = data[step] if isinstance(data, list) and step < len(data) else None
        elif isinstance(data, dict) and (step in data or position == len(location) - 1):
            path += f".{step}" if path else step
            data = data.get(step)
    return path


def _kind(value: Any) -> str:
    """JSON's word for it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    names = {int: "a number", float: "a number", str: "a string", list: "an array"}
    return names.get(type(value), "an object")
