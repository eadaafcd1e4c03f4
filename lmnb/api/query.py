"""Query strings: `?limit=5&sort=likes` becomes a typed object, or a 400 that names the parameter."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from tornado.web import RequestHandler

from lmnb.errors import InvalidRequest

__all__ = ["Query", "parse_query"]

QueryT = TypeVar("QueryT", bound="Query")


class Query(BaseModel):
    """Unknown parameters are ignored; an empty one is an absent one; numbers come as text."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, protected_namespaces=())


def parse_query(handler: RequestHandler, model: type[QueryT]) -> QueryT:
    """What the address of a request asks. Raises InvalidRequest."""
    given = {name: handler.get_query_argument(name, "") for name in model.model_fields}
    try:
        return model.model_validate({name: value for name, value in given.items() if value})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        param, message = str(first["loc"][0]), first["msg"][:1].lower() + first["msg"][1:]
        raise InvalidRequest(
            f"Invalid '{param}': {message}.", param=param, code="invalid_value"
        ) from None
