"""The model's own chat template: a conversation in, the text of the prompt out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from lmnb.chat.controls import CUT, ControlTokens, without_marks
from lmnb.chat.habits import habits_of
from lmnb.chat.message import Message
from lmnb.chat.meter import UNITS, Meter, OverBudget
from lmnb.chat.sandbox import Raised, Sandbox
from lmnb.chat.shapes import shapes, system_first
from lmnb.chat.turns import Turns, copied
from lmnb.errors import InvalidRequest

__all__ = ["DEFAULT_TEMPLATE", "ChatTemplate"]

DEFAULT_TEMPLATE = """\
{%- for message in messages %}
    {%- if message.role == 'system' %}
        {{- message.content + '\\n\\n' }}
    {%- else %}
        {{- message.role | capitalize + ': ' + message.content | trim + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- 'Assistant:' }}
{%- endif %}"""
"""For models that bring no template (base models): a transcript, which any model can go on with.

    You are helpful.

    User: Hello
    Assistant:

Such a model does not end its turn with a token; a stop string of "\\nUser:" ends it.
"""

_Attempt = tuple[tuple[Message, ...], Callable[[str], Any], list[Any] | None]

_HOPELESS = (OverBudget, RecursionError, MemoryError)
_SHOW_UNITS = 20_000
_MAX_ERROR = 500
_SURROGATES = re.compile("[\ud800-\udfff]")  # JSON may hold half a character; UTF-8 may not


class ChatTemplate:
    """A compiled template. Rendering changes nothing in it, so threads may share it.

    `source` is Jinja as Hugging Face's `chat_template` has it (see `sandbox.py` for the limits);
    `special_tokens` are the texts which the tokeniser would read as control tokens.

    Raises InvalidRequest (code `invalid_chat_template`) if it does not compile.
    """

    def __init__(
        self,
        source: str,
        *,
        bos: str = "",
        eos: str = "",
        special_tokens: Sequence[str] = (),
    ) -> None:
        self.source = source
        self._tokens = {"bos_token": bos, "eos_token": eos}
        self._controls = ControlTokens(special_tokens)
        self._sandbox = Sandbox(self._controls)
        try:
            self._template = self._sandbox.compile_template(without_marks(source))
        except Exception as error:  # Python's own compiler raises many kinds
            raise self._invalid("does not compile", error) from error
        habits = habits_of(source, self._show)
        self._forgets_system = habits.forgets_system
        self._turns = Turns(habits, self._controls.protect)

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = True,
        continue_final: bool = False,
        variables: Mapping[str, Any] = {},
    ) -> list[tuple[str, bool]]:
        """The prompt as pieces (text, special).

        special=False marks control-token text which users wrote: it is to be tokenised as plain
        text. Without such text there is one piece. `tools` are OpenAI's tool objects; `variables`
        go to the template beside the usual ones. `continue_final` leaves the last message, the
        assistant's, open, and adds no generation prompt.

        Raises InvalidRequest: with the template's own words and param `messages` if it refuses the
        conversation in every form (`shapes.py`), with code `invalid_chat_template` if it is broken.
        """
        if continue_final and (not messages or messages[-1].role != "assistant"):
            raise InvalidRequest(
                "The last message must be the assistant's to be continued.", param="messages"
            )
        if self._forgets_system:
            messages = system_first(tuple(messages))
        meter = Meter(_budget(messages))
        refusal: InvalidRequest | None = None
        for shape, parse, no_tools in _attempts(messages, tools):
            given = self._variables(tools or no_tools, variables)
            given["messages"] = self._turns.of(
                shape, parse=parse, tools=given["tools"], continue_final=continue_final
            )
            given["add_generation_prompt"] = add_generation_prompt and not continue_final
            try:
                text = self._run(given, meter)
            except InvalidRequest as error:
                if isinstance(error.__cause__, _HOPELESS):
                    raise
                # The template's own words say most, and the last ones name what cannot be mended.
                if refusal is None or error.param is not None:
                    refusal = error
            else:
                text = _cut(text) if continue_final else text
                whole = text if text.isascii() else _SURROGATES.sub("\ufffd", text)
                return self._controls.pieces(whole)
        assert refusal is not None
        raise refusal

    def _show(self, turns: Sequence[Mapping[str, Any]]) -> str:
        given = self._variables([], {}) | {"messages": turns, "add_generation_prompt": True}
        try:
            return self._run(given, Meter(_SHOW_UNITS))
        except InvalidRequest:
            return ""

    def _run(self, variables: dict[str, Any], meter: Meter) -> str:
        """Raises InvalidRequest for whatever the template does."""
        try:
            return self._sandbox.run(self._template, variables, meter)
        except Raised as error:
            raise InvalidRequest(_message(error), param="messages") from error
        except Exception as error:
            raise self._invalid("failed", error) from error

    def _variables(
        self, tools: Sequence[Mapping[str, Any]] | None, variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What transformers gives, and `functions` and `datetime` for firefunction."""
        protect = self._controls.protect
        return {
            **self._tokens,
            "documents": None,
            "functions": protect(json.dumps(tools, indent=4, default=dict)) if tools else "",
            "datetime": datetime.now().strftime("%Y-%m-%d %H:%M:%S"),
            **copied(dict(variables), protect),
            "tools": None if tools is None else copied(tools, protect),
        }

    def _invalid(self, what: str, error: Exception) -> InvalidRequest:
        return InvalidRequest(
            f"The chat template {what}: {type(error).__name__}: {_message(error)}",
            code="invalid_chat_template",
        )


def _message(error: Exception) -> str:
    return without_marks(str(error))[:_MAX_ERROR]


def _attempts(messages: Sequence[Message], tools: object) -> Iterator[_Attempt]:
    """What to try until the template accepts: (messages, reader of arguments, stand-in for tools).

    Most templates want arguments as objects, a few as text. No tools are None, as in transformers;
    some templates for tools only iterate over them all the same.
    """
    empty: list[Any] = []
    for no_tools in (None,) if tools else (None, empty):
        for shape in shapes(messages):
            yield shape, _as_object, no_tools
            if any(message.tool_calls for message in shape):
                yield shape, str, no_tools


def _as_object(arguments: str) -> Any:
    """Arguments as most templates want them. Text that is no JSON stays text."""
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments


def _budget(messages: Sequence[Message]) -> int:
    """Units for a conversation. Some honest templates look at every turn from every turn."""
    turns = len(messages)
    characters = sum(
        len(message.content)
        + len(message.reasoning)
        + sum(len(call.arguments) for call in message.tool_calls)
        for message in messages
    )
    return UNITS + characters // 4 + min(500 * turns + 8 * turns**2, 5 * UNITS)


def _cut(text: str) -> str:
    """The text before the mark that ends the last message."""
    at = text.rfind(CUT)
    if at < 0:
        raise InvalidRequest(
            "The chat template does not show the last message's end, so it cannot be continued.",
            param="messages",
        )
    return text[:at] if text.startswith(CUT + " ", at) else text[:at].rstrip()
