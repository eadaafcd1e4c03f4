"""What an answer shall be: a Python type or a JSON schema, sent as a schema, read back as a value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_origin, is_typeddict

from lmnb.errors import InvalidAnswer, InvalidRequest

_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")
EXPECTED = (
    "a pydantic model, a dataclass, a TypedDict, another type such as list[int], "
    "or a JSON schema as a dict"
)


@dataclass(frozen=True)
class Schema:
    """`json` goes to the server, which holds the answer to it; `parse` makes the value of a text."""

    name: str
    json: dict[str, Any]
    parse: Callable[[str], Any]

    @classmethod
    def of(cls, source: Any) -> Schema:
        """From whatever says it. Raises InvalidRequest for what does not."""
        if isinstance(source, Schema):
            return source
        if isinstance(source, str):
            return cls.of(_from_text(source))
        if isinstance(source, dict):
            return cls(_name(source.get("title")), source, json.loads)
        if isinstance(source, type) or get_origin(source) is not None or is_typeddict(source):
            return cls._of_type(source)
        raise InvalidRequest(f"A schema is {EXPECTED}; not {type(source).__name__}.")

    @classmethod
    def _of_type(cls, kind: Any) -> Schema:
        from pydantic import TypeAdapter
        from pydantic.errors import PydanticUserError

        from lmnb.notebook.chat.typed_dicts import portable

        try:
            adapter = TypeAdapter(portable(kind))
            schema = adapter.json_schema()
        except (PydanticUserError, TypeError, NameError, RecursionError) as error:
            raise InvalidRequest(f"{kind!r} has no JSON schema: {error}") from error
        name = _name(getattr(kind, "__name__", None))
        return cls(name, _without(schema, "uniqueItems"), adapter.validate_json)

    @property
    def response_format(self) -> dict[str, Any]:
        """OpenAI's field."""
        described = {"name": self.name, "schema": self.json, "strict": True}
        return {"type": "json_schema", "json_schema": described}

    def value(self, text: str, finish_reason: str = "stop") -> Any:
        """The value of an answer. Raises InvalidAnswer where it has none."""
        try:
            return self.parse(text)
        except ValueError as error:  # json's and pydantic's are
            if finish_reason == "length":
                raise InvalidAnswer(
                    f"The answer was cut off before the {self.name} was complete: give it more "
                    "tokens (`max_tokens`), or the model more context."
                ) from error
            raise InvalidAnswer(f"The answer is no valid {self.name}: {error}") from error


def _without(schema: Any, keyword: str) -> Any:
    """A set's items differ once it is a set: no grammar can hold a model to that before."""
    if isinstance(schema, list):
        return [_without(each, keyword) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _without(value, keyword) for key, value in schema.items()}
    if kept.get(keyword) is True:
        del kept[keyword]
    return kept


def _from_text(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidRequest(f"The schema is neither a name nor valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidRequest(f"A schema is {EXPECTED}.")
    return value


def _name(name: Any) -> str:
    return _NO_NAME.sub("_", str(name or ""))[:64].strip("_") or "answer"
