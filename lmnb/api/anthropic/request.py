"""What a client may send to `/v1/messages`, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from lmnb.api.anthropic.content import Blocks, InputMessage, conversation
from lmnb.api.anthropic.errors import NO_THREADS
from lmnb.api.body import INT32, INT64, Body, Integer
from lmnb.api.openai.sampling import GenerationFields, token_limit
from lmnb.api.refusing import RefusingFields, unsupported
from lmnb.api.tools import DirectTool, check_names
from lmnb.chat.grammar import ResponseFormat
from lmnb.chat.tools import AUTO, Tool, ToolChoice
from lmnb.errors import InvalidRequest
from lmnb.service.request import GenerationRequest

__all__ = ["CountRequest", "MessagesRequest"]

MODES: dict[str, Literal["none", "auto"]] = {"none": "none", "auto": "auto"}


class Thinking(Body):
    """Anthropic's least budget is 1024; a local model may be given less."""

    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: Annotated[Integer, Field(ge=1, le=INT32)] | None = None
    display: Literal["summarized", "omitted"] = "summarized"


class OutputFormat(Body):
    type: Literal["json_schema"]
    schema_: Annotated[dict[str, Any], Field(alias="schema")]


class OutputConfig(RefusingFields):
    refused: ClassVar[Mapping[str, str]] = {"task_budget": "a budget of several answers"}

    effort: str | None = None
    format: OutputFormat | None = None


def _is_the_clients(type: str) -> str:
    if type != "custom":
        raise unsupported(f"the tool '{type}' (only tools with an 'input_schema')")
    return type


class ToolSpec(DirectTool):
    """A tool of the client's own. Those that Anthropic runs on its servers cannot be had here."""

    type: Annotated[str, AfterValidator(_is_the_clients)] = "custom"
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,128}$")]
    description: str = ""
    input_schema: dict[str, Any] | None = None
    input_examples: list[dict[str, Any]] = []
    strict: bool = False

    def to_tool(self) -> Tool:
        schema = self.input_schema
        if self.input_examples:
            schema = {**(schema or {}), "examples": self.input_examples}
        return Tool(self.name, self.description, schema, self.strict)


class Choice(Body):
    type: Literal["auto", "any", "tool", "none"]
    name: str = ""
    disable_parallel_tool_use: bool = False

    @model_validator(mode="after")
    def _names_its_tool(self) -> Choice:
        if self.type == "tool" and not self.name:
            raise PydanticCustomError("missing", "", {"field": ("name",)})
        return self

    def to_choice(self) -> ToolChoice:
        return ToolChoice(
            mode=MODES.get(self.type, "required"),
            names=(self.name,) if self.type == "tool" else (),
            parallel=not self.disable_parallel_tool_use,
        )


class Edit(Body):
    type: str

    @model_validator(mode="after")
    def _is_done_anyway(self) -> Edit:
        """Chat templates leave out what was thought before earlier answers, as far as they want to."""
        if not self.type.startswith("clear_thinking"):
            raise unsupported(f"'{self.type}'", "type")
        return self


class ContextManagement(Body):
    edits: list[Edit] = []


class CountRequest(GenerationFields, RefusingFields):
    """What has to do with the prompt. Metadata, betas and cache marks are ignored: they change
    nothing in an answer."""

    refused: ClassVar[Mapping[str, str]] = {
        "mcp_servers": "an MCP server of the request's own ('v1/responses' takes them)",
        "container": "a container to run code in",
        "compaction": "compaction",
        "fallbacks": "another model in the place of one that fails",
    }

    messages: Annotated[list[InputMessage], Field(min_length=1)]
    n: Literal[1] = 1
    system: Blocks = []
    thinking: Thinking | None = None
    output_config: OutputConfig = OutputConfig()
    output_format: OutputFormat | None = None
    """`output_config.format`, as it was called in a beta."""
    tools: list[ToolSpec] = []
    tool_choice: Choice | None = None
    chat_template_kwargs: dict[str, Any] = {}
    context_management: ContextManagement = ContextManagement()
    thread: dict[str, Any] | None = None
    speed: Literal["standard"] = "standard"
    service_tier: Literal["auto", "standard_only"] = "auto"

    @model_validator(mode="after")
    def _can_be_called(self) -> CountRequest:
        names = [tool.name for tool in self.tools]
        check_names(names)
        choice = self.tool_choice
        if choice is not None and choice.type == "any" and not names:
            raise PydanticCustomError(
                "no_tools", "needs tools to choose from", {"field": ("tool_choice",)}
            )
        if choice is not None and choice.type == "tool" and choice.name not in names:
            raise PydanticCustomError(
                "unknown_tool",
                "'{name}' is not among the tools",
                {"name": choice.name, "field": ("tool_choice", "name")},
            )
        return self

    def to_generation(self) -> GenerationRequest:
        """Raises InvalidRequest."""
        if self.thread is not None:
            raise InvalidRequest(
                "Conversations are not kept here: send all of it, without 'thread'.",
                param="thread",
                code=NO_THREADS,
            )
        messages = conversation(self.system, self.messages)
        return GenerationRequest(
            model=self.model,
            messages=messages,
            sampling=self.sampling(),
            max_tokens=token_limit(self.max_tokens),
            stop=self.stops,
            thinking_tokens=self.thinking.budget_tokens if self.thinking else None,
            template_kwargs=self._template_kwargs(),
            continue_final=messages[-1].is_begun,
            ignore_eos=self.ignore_eos,
            ttl=self.ttl,
            response_format=self._format(),
            tools=tuple(tool.to_tool() for tool in self.tools),
            tool_choice=self.tool_choice.to_choice() if self.tool_choice else AUTO,
        )

    def _format(self) -> ResponseFormat | None:
        for param, wanted in (
            ("output_config.format.schema", self.output_config.format),
            ("output_format.schema", self.output_format),
        ):
            if wanted is not None:
                return ResponseFormat("json_schema", wanted.schema_, strict=True, param=param)
        return None

    def _template_kwargs(self) -> dict[str, Any]:
        given: dict[str, Any] = {}
        if self.output_config.effort:
            given["reasoning_effort"] = self.output_config.effort
        if self.thinking is not None:
            given["enable_thinking"] = self.thinking.type != "disabled"
        return {**given, **self.chat_template_kwargs}


class MessagesRequest(CountRequest):
    """The body."""

    max_tokens: Annotated[Integer, Field(ge=0, le=INT64)]
    """0 only reads the prompt, for the next request to find it read."""
    stop_sequences: list[str] = []

    @property
    def stops(self) -> tuple[str, ...]:
        return tuple(text for text in (*self.stop_sequences, *self.stop) if text)

    @property
    def shows_thinking(self) -> bool:
        return self.thinking is None or self.thinking.display != "omitted"
