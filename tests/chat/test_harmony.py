"""gpt-oss's channels: thinking, calls and answers apart, however the text is cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper

from lmnb.chat.deltas import Call, Content, Delta, Reasoning
from lmnb.chat.harmony import MARKS, HarmonyParser, harmony_grammar, is_harmony

from .families import DATA, TOOLS

THINKS = "<|channel|>analysis<|message|>Let me see.<|end|><|start|>assistant"
CALLS = (
    "<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>"
    '{"city": "Łódź", "days": 3}<|call|>'
)
ANSWERS = "<|channel|>final<|message|>It is sunny.<|return|>"


def read(*chunks: str) -> list[Delta]:
    """The deltas, with neighbours of one kind joined."""
    parser = HarmonyParser(TOOLS)
    deltas = [delta for chunk in chunks for delta in parser.feed(chunk)] + parser.finish()
    joined: list[Delta] = []
    for delta in deltas:
        last = joined[-1] if joined else None
        if isinstance(last, Call) and isinstance(delta, Call) and delta.name is None:
            joined[-1] = Call(last.index, last.text + delta.text, last.name)
        elif type(last) is type(delta) and not isinstance(delta, Call):
            assert last is not None
            joined[-1] = type(delta)(last.text + delta.text)
        else:
            joined.append(delta)
    return joined


CALL = Call(0, '{"city": "Łódź", "days": 3}', "get_weather")


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (ANSWERS, [Content("It is sunny.")]),
        (THINKS + ANSWERS, [Reasoning("Let me see."), Content("It is sunny.")]),
        (THINKS + CALLS, [Reasoning("Let me see."), CALL]),
        # As its template writes it.
        (
            " to=functions.get_weather<|channel|>commentary json<|message|>"
            '{"city": "Łódź", "days": 3}<|call|>',
            [CALL],
        ),
        (
            "<|channel|>commentary<|message|>I look it up.<|end|><|start|>assistant" + CALLS,
            [Content("I look it up."), CALL],
        ),
        ("<|channel|>analysis<|message|>cut", [Reasoning("cut")]),
        (CALLS.replace("get_weather", "unknown"), [Content('{"city": "Łódź", "days": 3}')]),
        ("No channels at all.", [Content("No channels at all.")]),
        (THINKS, [Reasoning("Let me see.")]),
        ("", []),
    ],
)
def test_messages_are_told_apart(reply: str, expected: list[Delta]) -> None:
    assert read(reply) == expected
    assert read(*reply) == expected


parts = st.lists(
    st.sampled_from(
        [
            THINKS,
            CALLS,
            ANSWERS,
            "<|start|>",
            "<|channel|>",
            "<|message|>",
            "<|end|>",
            "final",
            "a<",
        ]
    ),
    max_size=6,
).map("".join)


@given(parts, st.data())
def test_how_the_text_is_cut_does_not_matter(reply: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(reply)), max_size=6)))
    chunks = [reply[a:b] for a, b in zip([0, *cuts], [*cuts, len(reply)], strict=True)]
    assert read(*chunks) == read(*reply) == read(reply)


class _Vocabulary:
    """Bytes, and a token for each mark."""

    eos_token_id, bos_token_id = 256, None
    tokens = (
        *(bytes([byte]) for byte in range(256)),
        b"\xff<eos>",
        *(b"\xff" + mark.encode() for mark in MARKS),
    )
    special_token_ids = tuple(range(256, 257 + len(MARKS)))

    def __call__(self, text: bytes | str) -> list[int]:
        return list(text if isinstance(text, bytes) else text.encode())


TOKENIZER = LLTokenizer(TokenizerWrapper(_Vocabulary()))
IDS = {mark: 257 + number for number, mark in enumerate(MARKS)}
_ANY_MARK = re.compile("(" + "|".join(map(re.escape, MARKS)) + ")")


def accepts(text: str, *, after_trigger: bool = False) -> bool:
    grammar = harmony_grammar(TOOLS, after_trigger=after_trigger, tokens=IDS)
    matcher = LLMatcher(TOKENIZER, grammar, log_level=0)
    assert not matcher.is_error(), matcher.get_error()
    tokens = [
        token
        for part in _ANY_MARK.split(text)
        for token in ([IDS[part]] if part in IDS else part.encode())
    ]
    return matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()


def test_the_grammar_takes_thinking_and_one_valid_call() -> None:
    assert accepts(CALLS)
    assert accepts(THINKS + CALLS)
    assert not accepts(ANSWERS)
    assert not accepts(CALLS.replace("get_weather", "get_weathers"))
    assert not accepts(CALLS.replace("3", '"three"'))
    rest = CALLS.partition("to=functions.")[2]
    assert accepts(rest, after_trigger=True)
    assert accepts(rest.replace(" <|constrain|>json", "<|channel|>commentary"), after_trigger=True)


def test_it_is_seen_in_the_template() -> None:
    assert is_harmony((DATA / "gpt-oss.jinja").read_text())
    assert not is_harmony((DATA / "qwen3.jinja").read_text())
