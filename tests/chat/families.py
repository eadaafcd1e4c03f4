# ruff: noqa: RUF001 (DeepSeek's marks are made of wide bars)
"""The families of models whose tool calls are proved, with two calls as each of them writes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lmnb.chat.message import ToolCall
from lmnb.chat.template import ChatTemplate
from lmnb.chat.tools import Tool
from lmnb.chat.tooluse import ToolUse

from .templates import GEMMA3, PHI4_MINI, SMOLLM2

DATA = Path(__file__).with_name("data")

WEATHER = Tool(
    "get_weather",
    "The weather of a place",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "The city"},
            "days": {"type": "integer"},
            "unit": {"enum": ["celsius", "fahrenheit"]},
        },
        "required": ["city", "days"],
    },
)
TIME = Tool("get_time")
TOOLS = (WEATHER, TIME)
CALLS = (
    ToolCall("call00001", "get_weather", '{"city": "Łódź", "days": 3}'),
    ToolCall("call00001", "get_weather", '{"city": "A <b> \\"c\\"", "days": 1, "unit": "celsius"}'),
)

_ONE, _TWO = (call.arguments for call in CALLS)
_HERMES = (
    f'<tool_call>\n{{"name": "get_weather", "arguments": {_ONE}}}\n</tool_call>\n'
    f'<tool_call>\n{{"name": "get_weather", "arguments": {_TWO}}}\n</tool_call>'
)


@dataclass(frozen=True)
class Family:
    source: str
    written: str
    """CALLS, by this model."""
    one: bool = False
    """The model makes one call at a time: only the first is written."""

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return CALLS[:1] if self.one else CALLS

    @property
    def template(self) -> ChatTemplate:
        return template(self.source)

    @property
    def use(self) -> ToolUse:
        return tool_use(self.source)


@cache
def template(source: str) -> ChatTemplate:
    return ChatTemplate(source, bos="<bos>", eos="<eos>")


@cache
def tool_use(source: str) -> ToolUse:
    return ToolUse(template(source))


def _file(name: str) -> str:
    return (DATA / f"{name}.jinja").read_text()


def _listed(start: str, end: str, name: str = "name", arguments: str = "arguments") -> str:
    first, second = (f'{{"{name}": "get_weather", "{arguments}": {call}}}' for call in (_ONE, _TWO))
    return f"{start}[{first}, {second}]{end}"


_COMMAND = (
    "<|START_ACTION|>[\n"
    f'    {{"tool_call_id": "0", "tool_name": "get_weather", "parameters": {_ONE}}},\n'
    f'    {{"tool_call_id": "0", "tool_name": "get_weather", "parameters": {_TWO}}}\n'
    "]<|END_ACTION|>"
)
_NEMO = (
    f'[TOOL_CALLS][{{"name": "get_weather", "arguments": {_ONE}, "id": "call00001"}}, '
    f'{{"name": "get_weather", "arguments": {_TWO}, "id": "call00001"}}]'
)
_CODER = "\n".join(
    f"<tool_call>\n<function=get_weather>\n{parameters}\n</function>\n</tool_call>"
    for parameters in (
        "<parameter=city>\nŁódź\n</parameter>\n<parameter=days>\n3\n</parameter>",
        '<parameter=city>\nA <b> "c"\n</parameter>\n<parameter=days>\n1\n</parameter>\n'
        "<parameter=unit>\ncelsius\n</parameter>",
    )
)
_GLM = "\n".join(
    f"<tool_call>get_weather\n{parameters}\n</tool_call>"
    for parameters in (
        "<arg_key>city</arg_key>\n<arg_value>Łódź</arg_value>\n"
        "<arg_key>days</arg_key>\n<arg_value>3</arg_value>",
        '<arg_key>city</arg_key>\n<arg_value>A <b> "c"</arg_value>\n'
        "<arg_key>days</arg_key>\n<arg_value>1</arg_value>\n"
        "<arg_key>unit</arg_key>\n<arg_value>celsius</arg_value>",
    )
)
_R1 = "<｜tool▁calls▁begin｜>{}<｜tool▁calls▁end｜>".format(
    "\n".join(
        f"<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{call}\n```"
        "<｜tool▁call▁end｜>"
        for call in (_ONE, _TWO)
    )
)
_V3 = "<｜tool▁calls▁begin｜>{}<｜tool▁calls▁end｜>".format(
    "".join(
        f"<｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{call}<｜tool▁call▁end｜>"
        for call in (_ONE, _TWO)
    )
)

_GEMMA4 = (
    '<|tool_call>call:get_weather{city:<|"|>Łódź<|"|>,days:3}<tool_call|>'
    '<|tool_call>call:get_weather{city:<|"|>A <b> "c"<|"|>,days:1,unit:<|"|>celsius<|"|>}<tool_call|>'
    "<|tool_response>"
)

FAMILIES = {
    "gemma-4": Family(_file("gemma-4"), _GEMMA4),
    "gemma-3": Family(GEMMA3, _HERMES),
    "smollm2": Family(SMOLLM2, _HERMES),
    "smollm3": Family(_file("smollm3"), _HERMES),
    "qwen2.5": Family(_file("qwen2.5"), _HERMES),
    "qwen3": Family(_file("qwen3"), _HERMES),
    "qwen3-coder": Family(_file("qwen3-coder"), _CODER),
    "hermes-3": Family(_file("hermes-3"), _HERMES),
    "llama-3.1": Family(
        _file("llama-3.1"), f'{{"name": "get_weather", "parameters": {_ONE}}}', one=True
    ),
    "mistral-nemo": Family(_file("mistral-nemo"), _NEMO),
    "mistral-small-3.2": Family(
        _file("mistral-small-3.2"),
        "".join(f"[TOOL_CALLS]get_weather[CALL_ID]call00001[ARGS]{c}" for c in (_ONE, _TWO)),
    ),
    "magistral": Family(
        _file("ministral-3-reasoning"),
        "".join(f"[TOOL_CALLS]get_weather[ARGS]{call}" for call in (_ONE, _TWO)),
    ),
    "phi-4-mini": Family(PHI4_MINI, _listed("<|tool_call|>", "<|/tool_call|>")),
    "deepseek-r1-distill": Family(_file("deepseek-r1-distill"), _R1),
    "deepseek-v3.1": Family(_file("deepseek-v3.1"), _V3),
    "granite-3.3": Family(_file("granite-3.3"), _listed("<|tool_call|>", "")),
    "granite-4.0": Family(_file("granite-4.0"), _HERMES),
    "command-r7b": Family(_file("command-r7b"), _COMMAND),
    "glm-4.6": Family(_file("glm-4.6"), _GLM),
}
