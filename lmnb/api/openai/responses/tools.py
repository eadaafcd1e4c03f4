"""Function tools in the Responses API's flat form, and the choice among them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from lmnb.api.body import Body
from lmnb.api.openai.sampling import unsupported
from lmnb.chat.tools import Tool, ToolChoice

__all__ = ["AnyChoice", "Choice", "FunctionTools", "choice_from", "tool_from"]

MODES = ("none", "auto", "required")


class FunctionTool(Body):
    type: Literal["function"]
    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_.-]+$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in type(self).model_fields}


def _function_only(value: Any) -> Any:
    """Tools that a server would run itself: there is nobody here to run them."""
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(kind, str) and kind != "function":
        raise unsupported(f"a tool of type '{kind}' (functions only)", "type")
    return value


class NamedTool(Body):
    type: Literal["function"] = "function"
    name: str


class Choice(Body):
    """`{"type": "function", "name"}` or `{"type": "allowed_tools", "mode", "tools"}`."""

    type: Literal["function", "allowed_tools"]
    name: str = ""
    mode: Literal["auto", "required"] = "auto"
    tools: list[NamedTool] = []

    def names(self) -> tuple[str, ...]:
        if self.type == "function":
            return (self.name,)
        return tuple(tool.name for tool in self.tools)


def _choice(value: Any) -> Any:
    if isinstance(value, str):
        if value not in MODES:
            raise PydanticCustomError("choice", "should be 'none', 'auto', 'required' or an object")
        return value
    kind = value.get("type") if isinstance(value, dict) else None
    if kind in ("function", "allowed_tools"):
        return value
    if isinstance(kind, str):
        raise unsupported(f"the choice of a tool of type '{kind}'", "type")
    raise PydanticCustomError("choice_type", "should be a string or an object with a type")


FunctionTools = list[Annotated[FunctionTool, BeforeValidator(_function_only)]]
AnyChoice = Annotated[Literal["none", "auto", "required"] | Choice, BeforeValidator(_choice)]


def tool_from(tool: FunctionTool) -> Tool:
    return Tool(tool.name, tool.description or "", tool.parameters, bool(tool.strict))


def choice_from(choice: str | Choice, *, parallel: bool) -> ToolChoice:
    if isinstance(choice, str):
        return ToolChoice(choice, parallel=parallel)  # type: ignore[arg-type]
    mode = "required" if choice.type == "function" else choice.mode
    return ToolChoice(mode, choice.names(), parallel)
