"""Function tools: what a model may call, and whether it may, must or must not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["AUTO", "Tool", "ToolChoice", "callable_tools"]

NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}


@dataclass(frozen=True, slots=True)
class Tool:
    """A function. `parameters` is a JSON schema; None: it takes none.

    `strict`: a schema that cannot be enforced in full is refused, not approximated.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] | None = None
    strict: bool = False

    @property
    def schema(self) -> Mapping[str, Any]:
        """The parameters' schema, always that of an object."""
        if not self.parameters:
            return NO_PARAMETERS
        return {"type": "object", **self.parameters}

    def to_json(self) -> dict[str, Any]:
        """OpenAI's tool object, with every key that chat templates rely on."""
        schema = dict(self.schema)
        schema.setdefault("properties", {})
        function = {"name": self.name, "description": self.description, "parameters": schema}
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """`names`: only these may be called; empty: all. `parallel`: several calls in one answer."""

    mode: Literal["none", "auto", "required"] = "auto"
    names: tuple[str, ...] = ()
    parallel: bool = True


AUTO = ToolChoice()


def callable_tools(tools: Sequence[Tool], choice: ToolChoice) -> tuple[Tool, ...]:
    """The tools which may be called now."""
    if choice.mode == "none":
        return ()
    return tuple(tool for tool in tools if not choice.names or tool.name in choice.names)


def unknown_names(tools: Iterable[Tool], choice: ToolChoice) -> list[str]:
    """Names in the choice which no tool has."""
    known = {tool.name for tool in tools}
    return [name for name in choice.names if name not in known]
