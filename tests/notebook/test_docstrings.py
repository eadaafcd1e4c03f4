"""What a tool is said to be: three styles of docstrings, and none."""

import inspect

import pytest

from lmnb.notebook.chat.docstrings import parse_docstring

GOOGLE = """The weather.

    Of today, that is.

    Args:
        city (str): its name,
            in English
        days: how many

    Returns:
        degrees: a number
    """
NUMPY = """The weather.

    Of today, that is.

    Parameters
    ----------
    city : str
        its name,
        in English
    days : int, optional
        how many

    Returns
    -------
    degrees : float
        a number
    """
REST = """The weather.

    Of today, that is.

    :param str city: its name,
        in English
    :param days: how many
    :returns: a number
    """


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, REST])
def test_parameters_are_found_in_each_style(text: str) -> None:
    found = parse_docstring(inspect.cleandoc(text))
    assert found.summary == "The weather.\n\nOf today, that is."
    assert found.parameters == {"city": "its name, in English", "days": "how many"}


@pytest.mark.parametrize("text", ["", "One line.", "Notes: it has a colon.\nAnd a line."])
def test_what_has_no_parameters_is_summary(text: str) -> None:
    found = parse_docstring(text)
    assert (found.summary, found.parameters) == (text, {})
