"""The constraint that keeps a model's tool calls valid."""

from __future__ import annotations

from lmnb.chat.callgrammar import call_grammar, tags
from lmnb.chat.grammar import ResponseFormat, either
from lmnb.chat.harmony import MARKS, TRIGGER, harmony_grammar
from lmnb.chat.tools import Tool, ToolChoice, callable_tools
from lmnb.engine.options import Constraint
from lmnb.errors import InvalidRequest
from lmnb.service.instances import LoadedModel
from lmnb.service.prompt import Prompt

__all__ = ["call_constraint"]


async def call_constraint(
    model: LoadedModel,
    prompt: Prompt,
    tools: tuple[Tool, ...],
    choice: ToolChoice,
    answer: ResponseFormat | None = None,
) -> Constraint | None:
    """Required calls hold from the start, or from where the thinking ends; others from where the
    model begins one. With `answer` all holds from the start: a call, or an answer of that form.
    None when there is nothing to call."""
    callable_now = callable_tools(tools, choice)
    if not callable_now:
        return None
    for tool in callable_now:
        if tool.schema.get("type") != "object":
            raise InvalidRequest(
                f"The parameters of '{tool.name}' must be the schema of an object.", param="tools"
            )
    if prompt.voice.harmony:
        return await _harmony(model, callable_now, choice) if answer is None else None
    form = prompt.voice.tool_use.format
    reasoning = None if prompt.thought else prompt.voice.reasoning
    either_way = answer is not None and choice.mode != "required"
    required = choice.mode == "required" or either_way
    wanted = tags(form)
    end = model.engine.facts.eos
    single = not required and not choice.parallel
    if single:
        wanted.add(end)
    tokens = await _token_ids(model, wanted)
    grammar = call_grammar(
        form,
        callable_now,
        after_lead=not required,
        after_thinking=required and reasoning is not None,
        parallel=choice.parallel,
        tokens=tokens,
        end=end if single and end in tokens else "",
    )
    if not required:
        return Constraint(grammar=grammar, triggers=form.leads)
    if either_way and answer is not None:
        grammar = either(grammar, answer, after_thinking=reasoning is not None)
    if reasoning is None:
        return Constraint(grammar=grammar)
    return Constraint(
        grammar=grammar,
        triggers=(reasoning.end,),
        final=True,
        opening="" if prompt.inside else reasoning.start,
    )


async def _harmony(model: LoadedModel, tools: tuple[Tool, ...], choice: ToolChoice) -> Constraint:
    required = choice.mode == "required"
    tokens = await _token_ids(model, set(MARKS))
    grammar = harmony_grammar(tools, after_trigger=not required, tokens=tokens)
    return Constraint(grammar=grammar, triggers=() if required else (TRIGGER,))


async def _token_ids(model: LoadedModel, texts: set[str]) -> dict[str, int]:
    """The ids of those texts which are one token. Asks the engine once for each."""
    known = model.prompts.token_ids
    for text in texts - known.keys():
        ids = await model.engine.tokenize(text, add_special=False, parse_special=True)
        known[text] = ids[0] if len(ids) == 1 else None
    return {text: id for text in texts if (id := known[text]) is not None}
