"""Replies of thinking models: tags found, taken out, and never waited for without need."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmnb.chat.parser import Content, Reasoning, ReplyParser
from lmnb.chat.reasoning import FORMATS, GRANITE, THINK, ReasoningFormat, detect, opened_by

from .templates import SMOLLM2, THINKING


def split(
    *chunks: str, format: ReasoningFormat | None = THINK, inside: bool = False
) -> tuple[str, str]:
    """(reasoning, content) of a reply that comes in `chunks`."""
    parser = ReplyParser(format, inside)
    deltas = [delta for chunk in chunks for delta in parser.feed(chunk)] + parser.finish()
    assert all(delta.text for delta in deltas)
    return tuple(  # type: ignore[return-value]
        "".join(delta.text for delta in deltas if isinstance(delta, kind))
        for kind in (Reasoning, Content)
    )


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("<think>\nwhy\n</think>\n\nso", ("why", "so")),
        ("\n <think>why</think>so", ("why", "so")),
        ("<think>\n\n</think>\n\nso", ("", "so")),
        ("<think>never closed ", ("never closed ", "")),
        ("<think>cut </thi", ("cut </thi", "")),
        ("no thinking", ("", "no thinking")),
        ("late <think>x</think>", ("", "late <think>x</think>")),
        ("<think>a</think>b <think>c</think>", ("a", "b <think>c</think>")),
        ("  <thin", ("", "  <thin")),
        ("<thinking>x", ("", "<thinking>x")),
        ("", ("", "")),
    ],
)
def test_thinking_is_split_from_the_answer(reply: str, expected: tuple[str, str]) -> None:
    assert split(reply) == expected
    assert split(*reply) == expected


def test_a_reply_may_begin_inside_the_thinking() -> None:
    assert split("\nwhy</think>so", inside=True) == ("why", "so")
    assert split("<think>\nwhy</think>so", inside=True) == ("why", "so")
    assert split("all thought", inside=True) == ("all thought", "")


def test_granites_answer_tags_are_taken_out_too() -> None:
    assert split("<think>a</think> <response>b c</response>\n", format=GRANITE) == ("a", "b c")
    assert split("<think>a</think>plain", format=GRANITE) == ("a", "plain")


def test_without_a_format_text_passes_at_once() -> None:
    parser = ReplyParser(None)
    assert parser.feed(" <think>") == [Content(" <think>")]
    assert parser.feed("") == [] and parser.finish() == []


def test_nothing_waits_that_cannot_be_a_tag() -> None:
    parser = ReplyParser(THINK)
    assert parser.feed("<t") == []
    assert parser.feed("able>") == [Content("<table>")]
    assert parser.feed(" <") == [Content(" <")]


def test_only_what_may_be_the_end_tag_is_held() -> None:
    parser = ReplyParser(THINK, inside=True)
    assert parser.feed("a < b </") == [Reasoning("a < b")]
    assert parser.feed("b>") == [Reasoning(" </b>")]
    assert parser.feed("</think>x") == [Content("x")]


parts = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "<response>", "</response>", "<th", "</", ">", " ", "\n", "a", "<"]
    )
).map("".join)


@given(parts, st.data(), st.sampled_from([THINK, GRANITE, None]), st.booleans())
def test_how_the_text_is_cut_does_not_matter(
    reply: str, data: st.DataObject, format: ReasoningFormat | None, inside: bool
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(reply)), max_size=6)))
    chunks = [reply[a:b] for a, b in zip([0, *cuts], [*cuts, len(reply)], strict=True)]
    whole = split(reply, format=format, inside=inside)
    assert split(*chunks, format=format, inside=inside) == whole
    assert split(*reply, format=format, inside=inside) == whole
    if format is None:
        assert whole == ("", reply)


def test_the_format_is_seen_in_the_template() -> None:
    assert detect(THINKING) == THINK
    assert detect(SMOLLM2) is None
    assert detect("between <think></think> and then <response></response>") == GRANITE
    for format in FORMATS:
        assert detect(f"{{{{ '{format.start}' + x + '{format.end}' }}}}") == format


def test_only_the_end_of_a_prompt_opens_thinking() -> None:
    assert opened_by("<|im_start|>assistant\n<think>\n", THINK)
    assert not opened_by("user: what is <think>?\nassistant:", THINK)
    assert not opened_by("<think>\n\n</think>\n\n", THINK)
