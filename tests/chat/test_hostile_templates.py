"""A model file is a stranger's: whatever its template does, it stops soon and reaches nothing."""

from __future__ import annotations

import pytest

from lmnb.chat import template as template_module
from lmnb.chat.message import Message
from lmnb.chat.meter import Meter, OverBudget, weigh
from lmnb.chat.template import ChatTemplate
from lmnb.errors import InvalidRequest
from tests.computing import computing_at_most

from .templates import SMOLLM2

USER = [Message("user", "Hello")]

TOO_MUCH = """\
{{ 'a' * 10**10 }}
{{ 2 ** (10**9) }}
{{ 9 ** (9 ** 9) }}
{{ 'a' | center(10**9) }}
{{ 'a'.center(10**9) }}
{{ 'a'.zfill(10**9) }}
{{ 'a\\nb' | indent(10**9) }}
{{ 'a\\nb' | indent(first=true, width=10**9) }}
{{ '%1000000000d' % 1 }}
{{ '%*d' % (10**9, 1) }}
{{ '%((x))999999999d' % {'(x)': 1} }}
{{ '%.1000000000f' | format(1) }}
{{ '{:1000000000d}'.format(1) }}
{{ '{:{}}'.format(1, 10**9) }}
{{ '%1000000000d' is even }}
{{ '%1000000000d' is divisibleby(3) }}
{{ ['%1000000000d'] | select('odd') | list }}
{{ 'a' | round(9, 'ceil') }}
{{ 1 | round(10**9, 'ceil') }}
{{ range(10**12) }}
{{ (range(99999) | list)[:] * 99999 }}
{{ [1] * 10**9 }}
{{ [1] | batch(10**9, 0) | list }}
{{ [1] | slice(10**9) | list }}
{{ range(99999) | join('x' * 9999) }}
{{ ('x' * 9999).join('y' * 9999) }}
{{ ('a' * 9999).replace('a', 'b' * 9999) }}
{{ ('a' * 9999) | replace('', 'b' * 9999) }}
{{ range(9999) | list | tojson(separators=('x' * 9999, 'y')) }}
{{ [[1]] | tojson(indent=10**9) }}
{{ range(9999) | map(attribute='a.' * 9999) | list }}
{{ ('f' * 9999) | int(0, 16) }}
{{ (5).to_bytes(10**9) }}
{{ lipsum(n=10**6) }}
{{ strftime_now('%Y' * 9999) }}
{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}
{% for i in range(99999) %}{% for j in range(99999) if false %}{% endfor %}{% endfor %}
{% for i in range(99999) %}{% set x = range(99999) | list %}{% endfor %}
{% set l = [1] %}{% for x in l %}{% set _ = l.append(1) %}{% endfor %}
{% set l = [1] %}{% for i in range(99) %}{% set _ = l.extend(l) %}{% endfor %}
{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}
{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}
{% set ns = namespace(x=3) %}{% for i in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}
{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}
{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}
{% macro m() %}{% endmacro %}{% for i in range(999) %}{{ m(*range(99999)) }}{% endfor %}
{% block a %}{{ self.a() }}{% endblock %}
{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}
{% set a = 'a' * 9999 %}{% for i in range(9999) %}{{ a.rfind('b' ~ a) }}{% endfor %}
{% set a = 'a' * 9999 %}{% for i in range(9999) %}{% set b = a[1:] %}{% endfor %}
{% autoescape 'a' | center(10**9) %}{% endautoescape %}"""

# A value that is small in memory and has 2**60 parts, and what must not be done with it.
LAUGHS = """\
{{ x }}
{{ x | tojson }}
{{ x == y }}
{{ x == y == x }}
{{ x < y }}
{{ x in [y] }}
{{ x in [y] | map('default') }}
{{ x is eq(y) }}
{{ [x] | select('eq', y) | list }}
{{ [{'a': x}] | selectattr('a', 'equalto', y) | list }}
{{ [x].index(y) }}
{{ [x, y] | sort }}
{{ [x, y] | max }}
{{ [{'a': x}, {'a': y}] | groupby('a') }}
{{ {'a': x, 'b': y} | dictsort(by='value') }}
{{ [x] | join }}
{{ [x] | map('string') | list }}
{{ x | string }}
{{ x | lower }}
{{ x is lower }}
{{ x | trim }}
{{ x | e }}
{{ x | replace('a', 'b') }}
{{ 'a' | replace(x, 'b') }}
{{ x | format }}
{{ 'a' ~ x }}
{{ '%s' % (x,) }}
{{ '{}'.format(x) }}
{{ raise_exception(x) }}
{{ {t: 1} }}
{{ {}[t] }}
{{ {}.get(t) }}
{{ {}.update([(t, 1)]) }}
{{ dict([(t, 1)]) }}
{{ t in {} }}
{{ [t] | unique | list }}
{{ namespace(x=x) }}
{% for z in [x, y] %}{{ loop.changed(z) }}{% endfor %}"""

DOUBLING = (
    "{% set ns = namespace(x=[1], y=[1], t=(1,)) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}"
    "{% set ns.y = [ns.y, ns.y] %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}"
    "{% set x = ns.x %}{% set y = ns.y %}{% set t = ns.t %}"
)


def rendered(source: str) -> str:
    return "".join(text for text, _ in ChatTemplate(source).render(USER))


@pytest.fixture
def small_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits are the same with less to spend, and the tests are quicker."""
    monkeypatch.setattr(template_module, "UNITS", 30_000)


@pytest.mark.parametrize("source", TOO_MUCH.splitlines())
@pytest.mark.usefixtures("small_budget")
def test_work_without_end_is_refused(source: str) -> None:
    with computing_at_most(0.5), pytest.raises(InvalidRequest) as caught:
        rendered(source)
    assert caught.value.code == "invalid_chat_template"


@pytest.mark.parametrize("source", LAUGHS.splitlines())
@pytest.mark.usefixtures("small_budget")
def test_a_billion_laughs_are_refused(source: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        rendered(DOUBLING + source)
    assert isinstance(caught.value.__cause__, OverBudget)


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{{ i }}{% endfor %}{% endfor %}",
        "{% for i in range(99999) %}" + "y" * 99_999 + "{% endfor %}",
        DOUBLING + "{{ x in [y] }}",
        "{% set a = 'a' * 2400 %}{% for i in range(99999) %}{% set b = 'b' ~ a in a %}{% endfor %}",
    ],
)
def test_the_whole_budget_is_spent_in_under_a_second(source: str) -> None:
    with computing_at_most(1.0), pytest.raises(InvalidRequest):
        rendered(source)


@pytest.mark.parametrize(
    "source",
    [
        "x" * 1_000_000,
        "{{ a }}" * 20_000,
        "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}",
        "{{ " + "+".join(["1"] * 9_000) + " }}",
        "{{ " + "not " * 9_000 + "1 }}",
        "{{ 1" + "|string" * 6_000 + " }}",
        "{% if x %}" * 3_000 + "{% endif %}" * 3_000,
        "{% for x in y %}" * 50 + "{% endfor %}" * 50,
        "{{ 0x" + "f" * 100_000 + " }}",
        "{{ " + "9" * 100_000 + " }}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{{ 'x' | default(*range(99999)) }}",
        "{% set ns = namespace() %}{% set ns.__call__ = 1 %}",
    ],
)
def test_a_monstrous_source_does_not_compile(source: str) -> None:
    with computing_at_most(0.8), pytest.raises(InvalidRequest, match="does not compile"):
        ChatTemplate(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ''['__class__'] | string }}{{ ''['__class__'].x }}",
        "{{ raise_exception.__globals__.x }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ self._TemplateReference__context.x }}",
        "{{ namespace(a=1)['_Namespace__attrs'].a }}",
        "{{ namespace(**{'__call__': 1}) }}",
        "{{ '' | attr('__class__') }}",
        "{{ ['']|map(attribute='__class__')|map(attribute='x')|list }}",
        "{{ '{0.__class__.x}'.format('') }}",
        "{{ '{a.__class__}'.format_map({'a': 1}) }}",
        "{% macro m() %}{% endmacro %}{{ m._func.x }}",
        "{% for x in [1] %}{{ loop._iterable.x }}{% endfor %}",
        "{{ dict.fromkeys([1]) }}",
        "{{ dict.mro() }}",
    ],
)
def test_nothing_behind_the_values_can_be_reached(source: str) -> None:
    with pytest.raises(InvalidRequest):
        rendered(source)


def test_a_spent_meter_weighs_as_one_that_is_not() -> None:
    """With nothing left, a heavy value must not look light."""
    for left in (0, 1, 5):
        with pytest.raises(OverBudget):
            Meter(left).pay([1] * 100)
    assert weigh([["a" * 640, {"k": 1}]], 1_000) == 16
    assert weigh([1] * 1_000_000, 10) > 10


def test_all_attempts_share_one_budget() -> None:
    """A template that burns its time and then refuses is not given it again for every form."""
    burn = "{% for i in range(60000) %}{% endfor %}{{ raise_exception('no') }}"
    messages = [Message("system", "s"), *USER, *USER, Message("system", "t")]
    with computing_at_most(1.0), pytest.raises(InvalidRequest):
        ChatTemplate(burn).render(messages)


def test_long_conversations_have_room() -> None:
    messages = [Message("user" if i % 2 else "assistant", "word " * 200) for i in range(2_000)]
    [(prompt, _)] = ChatTemplate(SMOLLM2).render(messages)
    assert len(prompt) > 2_000_000
