"""What Anthropic's blocks and tools mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lmnb.api.anthropic.content import InputMessage, conversation
from lmnb.api.anthropic.request import MessagesRequest
from lmnb.chat.message import Message, ToolCall
from lmnb.chat.tools import ToolChoice
from tests.api.test_anthropic import PLAIN, TOOL, USER


def test_calls_and_results_become_messages_of_tools() -> None:
    given = [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "A call.", "signature": "x"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"town": "Rome"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "Down", "is_error": True},
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "content": [{"type": "text", "text": "Sunny"}],
                },
                {"type": "text", "text": "So?"},
            ],
        },
    ]
    turns = [InputMessage.model_validate(turn) for turn in given]
    assert conversation([], turns) == (
        Message("user", "Weather?"),
        Message(
            "assistant",
            "I look.",
            reasoning="A call.",
            tool_calls=(ToolCall("t1", "get_weather", '{"town":"Rome"}'),),
        ),
        Message("tool", "Error: Down", name="get_weather", tool_call_id="t1"),
        Message("tool", "Sunny", name="get_weather", tool_call_id="t1"),
        Message("user", "So?"),
    )


def test_neighbours_of_one_role_are_one_turn() -> None:
    given = [
        {"role": "user", "content": "One."},
        {"role": "user", "content": [{"type": "text", "text": "Two."}]},
        {"role": "assistant", "content": ""},
    ]
    turns = [InputMessage.model_validate(turn) for turn in given]
    assert conversation([], turns) == (Message("user", "One.\nTwo."),)


def test_documents_are_read_where_they_stand() -> None:
    found = {"type": "search_result", "source": "dogs.org", "title": "Dogs"}
    texts = {"type": "content", "content": [{"type": "text", "text": "Tom is a cat."}]}
    content = [
        {"type": "document", "source": PLAIN, "title": "Pets", "citations": {"enabled": False}},
        {"type": "document", "source": texts},
        {**found, "content": [{"type": "text", "text": "They bark."}]},
        {"type": "text", "text": "Who is Rex?"},
    ]
    (message,) = conversation(
        [], [InputMessage.model_validate({"role": "user", "content": content})]
    )
    assert message.content.splitlines() == [
        *("Pets", "Rex is a dog.", "Tom is a cat."),
        *("Dogs", "dogs.org", "They bark.", "Who is Rex?"),
    ]


@pytest.mark.parametrize(
    ("choice", "mode", "parallel"),
    [
        ({"type": "auto"}, ToolChoice("auto"), True),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("required"), False),
        ({"type": "tool", "name": "get_weather"}, ToolChoice("required", ("get_weather",)), True),
        ({"type": "none"}, ToolChoice("none"), True),
    ],
)
def test_choices_among_tools(choice: Any, mode: ToolChoice, parallel: bool) -> None:
    body = {"model": "m", "messages": USER, "max_tokens": 1, "tools": [TOOL], "tool_choice": choice}
    request = MessagesRequest.model_validate(body).to_generation()
    assert request.tool_choice == replace(mode, parallel=parallel)
    assert request.tools[0].parameters == TOOL["input_schema"]


def test_examples_of_a_tools_use_are_shown() -> None:
    tool = {**TOOL, "input_examples": [{"town": "Rome"}]}
    body = {"model": "m", "messages": USER, "max_tokens": 1, "tools": [tool]}
    (shown,) = MessagesRequest.model_validate(body).to_generation().tools
    assert shown.parameters == {**TOOL["input_schema"], "examples": [{"town": "Rome"}]}
