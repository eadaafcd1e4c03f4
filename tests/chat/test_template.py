"""Rendering: what transformers would give, for conversations as clients really send them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from lmnb.chat.message import Message, ToolCall
from lmnb.chat.template import DEFAULT_TEMPLATE, ChatTemplate
from lmnb.errors import InvalidRequest

from .templates import ALTERNATING, SMOLLM2, SYSTEM_ONLY_FIRST, THINKING

USER = Message("user", "Hello")
CALL = Message("assistant", "", tool_calls=(ToolCall("c1", "f", '{"city": "Zürich"}'),))
TOOLS = [{"type": "function", "function": {"name": "f", "description": "<b> & 'é'"}}]


def text(source: str, *messages: Message, **options: Any) -> str:
    pieces = ChatTemplate(source, bos="<s>", eos="</s>").render(messages or [USER], **options)
    assert len(pieces) <= 1
    return "".join(piece for piece, _ in pieces)


def test_smollm2_renders_as_its_makers_meant() -> None:
    assert text(SMOLLM2, USER) == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
        "<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    )


def test_an_ordinary_prompt_is_one_special_piece() -> None:
    template = ChatTemplate(SMOLLM2, special_tokens=["<|im_start|>", "<|im_end|>"])
    [(prompt, special)] = template.render([Message("user", "a < b, x[0] and <|pipes|>")])
    assert special and "a < b, x[0] and <|pipes|>" in prompt


def test_no_generation_prompt_when_not_wanted() -> None:
    assert not text(SMOLLM2, add_generation_prompt=False).endswith("assistant\n")


def test_variables_reach_the_template() -> None:
    assert text(THINKING, variables={"enable_thinking": False}).endswith("</think>\n\n")
    assert not text(THINKING).endswith("</think>\n\n")


def test_the_caller_cannot_replace_messages() -> None:
    assert "Hello" in text(SMOLLM2, variables={"messages": [], "add_generation_prompt": False})


def test_tojson_is_hugging_faces() -> None:
    """No HTML escapes, no ASCII escapes: models were trained on this."""
    source = "{{ tools | tojson }}{{ messages[0].content | tojson(indent=2) }}"
    assert text(source, tools=TOOLS) == json.dumps(TOOLS, ensure_ascii=False) + '"Hello"'


def test_the_environment_has_what_transformers_gives() -> None:
    source = (
        "{% generation %}{% set x = 1 %}a{% endgeneration %}"
        "{% for i in range(5) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}"
        "{{ strftime_now('%Y') | length }}{{ tools is none }}{{ bos_token }}{{ documents is none }}"
    )
    assert text(source) == "a014True<s>True"


def test_blocks_are_trimmed_as_transformers_does() -> None:
    assert text("  {% if true %}\n  a\n  {% endif %}\nb") == "  a\nb"


def test_arguments_are_an_object_first() -> None:
    assert text("{{ messages[1].tool_calls[0].function.arguments.city }}", USER, CALL) == "Zürich"


def test_arguments_are_text_for_a_template_that_wants_text() -> None:
    source = "{{ 'args: ' + messages[1].tool_calls[0].function.arguments }}"
    assert text(source, USER, CALL) == 'args: {"city": "Zürich"}'


def test_arguments_that_are_no_json_stay_text() -> None:
    broken = Message("assistant", "", tool_calls=(ToolCall("c", "f", "{oops"),))
    assert text("{{ messages[0].tool_calls[0].function.arguments }}", broken) == "{oops"


def test_a_system_message_joins_the_user_turn_where_there_is_no_system_role() -> None:
    prompt = text(ALTERNATING, Message("system", "Be kind."), USER)
    assert prompt.startswith("<s><start_of_turn>user\nBe kind.\n\nHello<end_of_turn>")


def test_turns_of_one_role_are_joined_where_roles_must_alternate() -> None:
    prompt = text(ALTERNATING, USER, Message("user", "Again"))
    assert "user\nHello\n\nAgain<end_of_turn>" in prompt


def test_turns_stay_apart_where_the_template_takes_them() -> None:
    assert text(SMOLLM2, USER, Message("user", "Again")).count("<|im_start|>user") == 2


def test_later_system_messages_move_to_the_front() -> None:
    prompt = text(SYSTEM_ONLY_FIRST, Message("system", "A"), USER, Message("system", "B"))
    assert prompt == "[system]A\n\nB[user]Hello"


def test_a_refusal_is_the_templates_own_words() -> None:
    with pytest.raises(InvalidRequest, match="roles must alternate") as caught:
        text(ALTERNATING, Message("assistant", "I begin"), USER)
    assert caught.value.param == "messages" and caught.value.code is None


@pytest.mark.parametrize(
    "source",
    ["{{ nothing.at.all }}", "{{ 1 / 0 }}", "{{ messages[0].content + 1 }}", "{{ 'a'.x() }}"],
)
def test_a_broken_template_is_an_invalid_request(source: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        text(source)
    assert caught.value.code == "invalid_chat_template"


@pytest.mark.parametrize("source", ["{% if %}", "{{ (", "{% endfor %}", "{{ x|no_such_filter }}"])
def test_a_template_that_does_not_compile_says_so(source: str) -> None:
    with pytest.raises(InvalidRequest, match="template does not compile") as caught:
        ChatTemplate(source)
    assert caught.value.code == "invalid_chat_template"


def test_lists_may_be_changed_but_not_the_callers() -> None:
    """Kimi K2 queues tool calls in a list; transformers' sandbox refuses that."""
    source = (
        "{% set queue = [] %}{% for m in messages %}{% set _ = queue.append(m.content) %}{% endfor %}"
        "{% set _ = messages.pop() %}{% set _ = tools[0].update({'x': 1}) %}{{ queue.pop(0) }}"
    )
    tools = [{"type": "function"}]
    assert text(source, USER, tools=tools) == "Hello"
    assert tools == [{"type": "function"}]


def test_a_tool_template_does_without_tools() -> None:
    assert (
        text("{% for tool in tools %}{{ tool }}{% endfor %}x{{ messages[0].content }}") == "xHello"
    )


def test_firefunctions_own_variables_are_there() -> None:
    assert '"name": "f"' in text("{{ functions + '\n' + datetime }}", tools=TOOLS)


def test_content_becomes_parts_for_a_template_that_only_reads_parts() -> None:
    source = "{% for m in messages %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}"
    assert text(source) == "Hello"


def test_reasoning_has_the_names_that_templates_use() -> None:
    thought = Message("assistant", "b", reasoning="because")
    assert "<think>\nbecause\n</think>\n\nb" in text(THINKING, USER, thought)
    assert text("{{ messages[0].thinking }}{{ messages[0].reasoning }}", thought) == "because" * 2


@pytest.mark.parametrize("source", [SMOLLM2, THINKING])
def test_the_last_message_can_be_left_open(source: str) -> None:
    last = Message("assistant", "The answer is ")
    assert text(source, USER, last, continue_final=True).endswith("assistant\nThe answer is ")


def test_an_open_message_is_trimmed_where_the_template_trims() -> None:
    """A space before the next token would take the model off its path."""
    last = Message("assistant", "The answer is ")
    assert text(ALTERNATING, USER, last, continue_final=True).endswith("\nThe answer is")


def test_only_the_assistants_message_can_be_continued() -> None:
    with pytest.raises(InvalidRequest, match="must be the assistant's"):
        text(SMOLLM2, USER, continue_final=True)


def test_half_characters_become_replacement_characters() -> None:
    assert text(SMOLLM2, Message("user", "a\ud800b")).encode()


def test_the_default_template_is_a_transcript() -> None:
    messages = [Message("system", "You are helpful."), USER, Message("assistant", " Hi "), USER]
    assert text(DEFAULT_TEMPLATE, *messages) == (
        "You are helpful.\n\nUser: Hello\nAssistant: Hi\nUser: Hello\nAssistant:"
    )


def test_fifty_messages_take_about_a_millisecond() -> None:
    template = ChatTemplate(THINKING, special_tokens=["<|im_start|>", "<|im_end|>"])
    roles = ["user", "assistant"] * 25
    messages = [Message(role, "Some words, if a < b.\n" * 10) for role in roles]  # type: ignore[arg-type]
    best = min(_timed(template, messages) for _ in range(5))
    assert best < 0.01


def _timed(template: ChatTemplate, messages: list[Message]) -> float:
    began = time.thread_time()
    template.render(messages)
    return time.thread_time() - began
