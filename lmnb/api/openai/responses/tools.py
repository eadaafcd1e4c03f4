"""Function tools in the Responses API's flat form, and the choice among them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from lmnb.api.body import Body
from lmnb.api.openai.response_format import SaidTrue
from lmnb.api.openai.sampling import unsupported
from lmnb.api.openai.tools import OneOf
from lmnb.chat.tools import Tool, ToolChoice, unknown_names

__all__ = ["ToolFields"]

MODES = ("none", "auto", "required")


class FunctionTool(Body):
    type: Literal["function"]
    name: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\s\"'<>{}\[\]\\]+$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: SaidTrue | None = None

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
    mode: Literal["none", "auto", "required"] = "auto"
    tools: list[NamedTool] = []

    @model_validator(mode="after")
    def _says_which(self) -> Choice:
        if self.type == "allowed_tools" and not self.tools:
            raise PydanticCustomError("no_tools", "should not be empty", {"field": ("tools",)})
        return self

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
AnyChoice = Annotated[OneOf[Choice], BeforeValidator(_choice)]


class ToolFields(Body):
    """What a request says about tools."""

    tools: FunctionTools = []
    tool_choice: AnyChoice = "auto"
    parallel_tool_calls: bool = True

    def offered(self) -> tuple[Tool, ...]:
        return tuple(
            Tool(tool.name, tool.description or "", tool.parameters, bool(tool.strict))
            for tool in self.tools
        )

    def choice(self) -> ToolChoice:
        choice, parallel = self.tool_choice, self.parallel_tool_calls
        if isinstance(choice, str):
            return ToolChoice(choice, parallel=parallel)
        mode = "required" if choice.type == "function" else choice.mode
        return ToolChoice(mode, choice.names(), parallel)

    def choice_json(self) -> str | dict[str, Any]:
        """As it is echoed."""
        choice = self.tool_choice
        if isinstance(choice, str):
            return choice
        if choice.type == "function":
            return {"type": "function", "name": choice.name}
        tools = [{"type": "function", "name": name} for name in choice.names()]
        return {"type": "allowed_tools", "mode": choice.mode, "tools": tools}

    @model_validator(mode="after")
    def _can_be_chosen(self) -> ToolFields:
        tools, choice = self.offered(), self.choice()
        if choice.mode == "required" and not tools:
            raise PydanticCustomError("no_tools", "needs 'tools'", {"field": ("tool_choice",)})
        for name in unknown_names(tools, choice):
            raise PydanticCustomError(
                "unknown_tool",
                "'{name}' is not among 'tools'",
                {"name": name, "field": ("tool_choice",)},
            )
        names = [tool.name for tool in tools]
        for name in names:
            if names.count(name) > 1:
                raise PydanticCustomError(
                    "same_name", "two tools are named '{name}'", {"name": name, "field": ("tools",)}
                )
        return self
