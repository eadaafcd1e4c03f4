"""Tools in the Responses API's flat form, and the choice among them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Tag, model_validator
from pydantic_core import PydanticCustomError

from lmnb.api.body import Body
from lmnb.api.openai.response_format import SaidTrue
from lmnb.api.openai.responses.mcp_tools import McpTool
from lmnb.api.openai.tools import OneOf, ToolName
from lmnb.api.refusing import unsupported
from lmnb.api.tools import DirectTool, check_names
from lmnb.chat.tools import Tool, ToolChoice, unknown_names

__all__ = ["ToolFields"]

MODES = ("none", "auto", "required")


class FunctionTool(DirectTool):
    type: Literal["function"]
    name: ToolName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: SaidTrue | None = None

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(exclude=set(DirectTool.model_fields))


def _kind(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        return "function"
    return kind if kind in ("function", "mcp") else "other"


def _refuse(value: Any) -> Any:
    """Tools that a server would run itself: there is nobody here to run them."""
    what = f"a tool of type '{value['type']}' (functions and MCP servers only)"
    raise unsupported(what, "type")


AnyTool = Annotated[
    Annotated[FunctionTool, Tag("function")]
    | Annotated[McpTool, Tag("mcp")]
    | Annotated[Any, BeforeValidator(_refuse), Tag("other")],
    Discriminator(_kind),
]


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


AnyChoice = Annotated[OneOf[Choice], BeforeValidator(_choice)]


class ToolFields(Body):
    """What a request says about tools."""

    tools: list[AnyTool] = []
    tool_choice: AnyChoice = "auto"
    parallel_tool_calls: bool = True

    def offered(self) -> tuple[Tool, ...]:
        return tuple(
            Tool(tool.name, tool.description or "", tool.parameters, bool(tool.strict))
            for tool in self.tools
            if isinstance(tool, FunctionTool)
        )

    @property
    def servers(self) -> tuple[McpTool, ...]:
        """Whose tools are called here."""
        return tuple(tool for tool in self.tools if isinstance(tool, McpTool))

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
        if choice.mode == "required" and not self.tools:
            raise PydanticCustomError("no_tools", "needs 'tools'", {"field": ("tool_choice",)})
        for name in unknown_names(tools, choice):
            raise PydanticCustomError(
                "unknown_tool",
                "'{name}' is not among 'tools'",
                {"name": name, "field": ("tool_choice",)},
            )
        check_names(tool.name for tool in tools)
        check_names(server.server_label for server in self.servers)
        return self
