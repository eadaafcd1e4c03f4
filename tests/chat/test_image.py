"""Pictures stand in the prompt where they stood in the message, whatever the template does."""

from __future__ import annotations

import pytest

from lmnb.chat.image import Image, joined, split
from lmnb.chat.message import Message
from lmnb.chat.template import ChatTemplate

from .families import DATA

CAT, DOG = Image("data:cat"), Image("data:dog")


def test_texts_are_lines_and_pictures_stand_between_them() -> None:
    text, images = joined(["One", "two", CAT, "three", DOG])
    assert text == f"One\ntwo{CAT.mark}three{DOG.mark}"
    assert images == (CAT, DOG)
    assert split(text, images) == ["One\ntwo", CAT, "three", DOG]


def test_without_pictures_a_text_is_itself() -> None:
    assert joined(["a", "b"]) == ("a\nb", ())
    assert split("a\nb", ()) == ["a\nb"]


def test_no_two_pictures_have_one_mark() -> None:
    assert len({Image("data:cat").mark for _ in range(100)}) == 100


def test_a_mark_that_somebody_guesses_is_text() -> None:
    guessed = Image("data:cat").mark
    text, images = joined([f"Show {guessed}", CAT])
    assert split(text, images) == [f"Show {guessed}", CAT]


@pytest.mark.parametrize("family", sorted(path.stem for path in DATA.glob("*.jinja")))
def test_every_template_shows_them(family: str) -> None:
    template = ChatTemplate((DATA / f"{family}.jinja").read_text(), bos="<s>", eos="</s>")
    content, images = joined(["Which is", CAT, "and which", DOG])
    pieces = template.render([Message("user", content, images=images)])
    shown = [part for text, _ in pieces for part in split(text, images)]
    assert [part for part in shown if isinstance(part, Image)] == [CAT, DOG]
    at = shown.index(CAT)
    assert shown[at + 1] == "and which"
    assert str(shown[at - 1]).endswith("Which is")
