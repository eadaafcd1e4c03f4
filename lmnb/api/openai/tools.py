"""Function tools in the form of chat completions, the choice among them, and the older `functions`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from lmnb.api.body import Body
from lmnb.api.openai.response_format import SaidTrue
from lmnb.api.refusing import unsupported
from lmnb.api.tools import check_names
from lmnb.chat.tools import Tool, ToolChoice, unknown_names

__all__ = ["OneOf", "ToolFields", "ToolName"]

Mode = Literal["none", "auto", "required"]
ToolName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\s\"'<>{}\[\]\\]+$")]


class Function(Body):
    name: ToolName
    description: str = ""
    parameters: dict[str, Any] | None = None
    strict: SaidTrue = False

    def to_tool(self) -> Tool:
        return Tool(self.name, self.description, self.parameters, self.strict)


def _functions_only(value: Any) -> Any:
    kind = value.get("type", "function") if isinstance(value, dict) else None
    if isinstance(kind, str) and kind != "function":
        raise unsupported(f"a tool of type '{kind}' (functions only)", "type")
    return value


class FunctionTool(Body):
    type: Literal["function"] = "function"
    function: Function


class FunctionName(Body):
    name: str


class NamedFunction(Body):
    type: Literal["function"] = "function"
    function: FunctionName


class AllowedTools(Body):
    mode: Literal["auto", "required"] = "auto"
    tools: Annotated[list[NamedFunction], Field(min_length=1)]


class Choice(Body):
    """`{"type": "function", "function": {"name"}}`, or `{"type": "allowed_tools", ...}`."""

    type: Literal["function", "allowed_tools"]
    function: FunctionName | None = None
    allowed_tools: AllowedTools | None = None

    @model_validator(mode="after")
    def _says_which(self) -> Choice:
        if getattr(self, self.type) is None:
            raise PydanticCustomError("missing", "", {"field": (self.type,)})
        return self

    def to_choice(self, parallel: bool) -> ToolChoice:
        if self.function is not None:
            return ToolChoice("required", (self.function.name,), parallel)
        assert self.allowed_tools is not None
        names = tuple(tool.function.name for tool in self.allowed_tools.tools)
        return ToolChoice(self.allowed_tools.mode, names, parallel)


def _mode_or_object(value: Any) -> str:
    return "object" if isinstance(value, dict | Body) else "mode"


def _mode(value: Any) -> Any:
    if value not in get_args(Mode):
        raise PydanticCustomError("choice", "should be 'none', 'auto', 'required' or an object")
    return value


ObjectT = TypeVar("ObjectT", bound=Body)
OneOf = Annotated[
    Annotated[Mode, BeforeValidator(_mode), Tag("mode")] | Annotated[ObjectT, Tag("object")],
    Discriminator(_mode_or_object),
]
"""A mode, or an object that names functions."""


class ToolFields(Body):
    """What a chat request says about tools."""

    tools: list[Annotated[FunctionTool, BeforeValidator(_functions_only)]] = []
    tool_choice: OneOf[Choice] | None = None
    parallel_tool_calls: bool = True
    functions: list[Function] = []
    function_call: OneOf[FunctionName] | None = None

    @property
    def legacy(self) -> bool:
        """Asked in the older form, and so to be answered."""
        return bool(self.functions) and not self.tools

    def offered(self) -> tuple[Tool, ...]:
        functions = self.functions if self.legacy else [tool.function for tool in self.tools]
        return tuple(function.to_tool() for function in functions)

    def choice(self) -> ToolChoice:
        if self.legacy:
            if isinstance(self.function_call, FunctionName):
                return ToolChoice("required", (self.function_call.name,), False)
            return ToolChoice(self.function_call or "auto", (), False)
        if isinstance(self.tool_choice, Choice):
            return self.tool_choice.to_choice(self.parallel_tool_calls)
        return ToolChoice(self.tool_choice or "auto", (), self.parallel_tool_calls)

    @model_validator(mode="after")
    def _speaks_one_form(self) -> ToolFields:
        """Half of a request in two forms would be dropped."""
        why = None
        if self.tools and self.functions:
            why = "functions", "cannot be used together with 'tools'"
        elif self.legacy and self.tool_choice not in (None, "auto"):
            why = "tool_choice", "needs 'tools'"
        elif not self.legacy and self.function_call not in (None, "auto"):
            why = "function_call", "needs 'functions'"
        if why:
            field, message = why
            raise PydanticCustomError("two_forms", "{why}", {"why": message, "field": (field,)})
        return self

    @model_validator(mode="after")
    def _can_be_chosen(self) -> ToolFields:
        field = "function_call" if self.legacy else "tool_choice"
        tools, choice = self.offered(), self.choice()
        if choice.mode == "required" and not tools:
            raise PydanticCustomError("no_tools", "needs tools to choose from", {"field": (field,)})
        for name in unknown_names(tools, choice):
            raise PydanticCustomError(
                "unknown_tool", "'{name}' is not among the tools", {"name": name, "field": (field,)}
            )
        check_names((tool.name for tool in tools), "functions" if self.legacy else "tools")
        return self
