"""Braces in prompts: values where a value is meant, untouched text everywhere else."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmnb.errors import InvalidRequest
from lmnb.notebook.interpolation import interpolate, notebook_names
from tests.computing import computing_at_most

NAMES = {
    "x": 5,
    "name": "Ada",
    "rows": [{"title": "a {x} b"}],
    "double": lambda value: value * 2,
    "self": "s",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{x}", "5"),
        ("{ x }", "5"),
        ("Hi {name}, {x}!", "Hi Ada, 5!"),
        ('{rows[0]["title"]}', "a {x} b"),
        ("{name.upper()}", "ADA"),
        ("{double(x)}", "10"),
        ("{len(rows)}", "1"),
        ('{double("}")}', "}}"),
        ("{double([n for n in rows])[0] is None}", "{double([n for n in rows])[0] is None}"),
        ("{double([n for n in (1, 2)])}", "[1, 2, 1, 2]"),
        ('{"a": {x}}', '{"a": 5}'),
    ],
)
def test_a_reference_to_a_notebook_name_becomes_its_value(text: str, expected: str) -> None:
    assert interpolate(text, NAMES) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{ }",
        '{"a": 1}',
        '{"a": {"b": 1}}',
        "{'x': x}",
        "{x: 1}",
        "{1: 2}",
        "{x, name}",
        "{x + 1}",
        "{x!r}",
        "{x:.2f}",
        "{unknown}",
        "{unknown.x}",
        "{double(unknown)}",
        "{{unknown}}",
        "{id}",
        "/users/{id}/posts/{type}",
        r"\frac{1}{2}",
        "if (a) { x = 1 }",
        "{\n  x\n}",
        "{x",
        "x}",
        "}{",
        "{'x'}",
        "{not x}",
        "{lambda: x}",
        "f'{1}'",
        r"{x['\d'",
        r"{x, '\d'}",
        "{" * 3000 + "}" * 3000,
    ],
)
def test_everything_else_stays_as_it_is(text: str) -> None:
    assert interpolate(text, NAMES) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{x}}", "{x}"),
        ("{{{x}}}", "{5}"),
        ("{{{{x}}}}", "{{x}}"),
        (r"\frac{{{x}}}{2}", r"\frac{5}{2}"),
        ("{{x}", "{5"),
        ("{x}}", "5}"),
    ],
)
def test_doubled_braces_send_braces_where_a_value_would_have_stood(
    text: str, expected: str
) -> None:
    assert interpolate(text, NAMES) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{rows["a"]}', "TypeError"),
        ("{rows[7]}", "IndexError"),
        ("{name.nope}", "AttributeError"),
        ("{name.nope}", "{{name.nope}}"),
    ],
)
def test_an_expression_that_raises_is_an_error_that_says_so(text: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match="in the prompt raised") as caught:
        interpolate(text, NAMES)
    assert said in caught.value.message


def test_a_megabyte_of_somebodys_code_takes_a_moment() -> None:
    with computing_at_most(10):
        for code in ('{a:1,type:"b",id:{b:2}},', '{"a":{"b":[1,{}]}}', "{x"):
            interpolate(code * 40_000, {"y": 1})


@given(st.text(alphabet="{}[]()\"':, \n.x1", max_size=60))
def test_without_names_any_text_stays_as_it_is(text: str) -> None:
    assert interpolate(text, {}) == text


@given(
    st.text(alphabet=string.ascii_letters + ' "\n:,', max_size=20),
    st.text(alphabet=string.ascii_letters + ' "\n:,', max_size=20),
    st.text(max_size=20),
)
def test_values_are_put_in_once_whatever_they_hold(before: str, after: str, value: str) -> None:
    assert interpolate(f"{before}{{v}}{after}", {"v": value}) == f"{before}{value}{after}"


def test_ipythons_helpers_are_not_the_users_names() -> None:
    hidden = {"exit": 1, "In": [], "_": ""}
    user = {**hidden, "mine": 3, "_3": "three", "__name__": "__main__", "exit": 1}
    assert set(notebook_names(user, hidden)) == {"In", "_", "_3", "mine"}
    assert "exit" in notebook_names(user | {"exit": "mine now"}, hidden)
