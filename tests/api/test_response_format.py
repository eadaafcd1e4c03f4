"""The fields that say what an answer is, in each dialect's own words, reach the engine as a grammar."""

from typing import Any

import pytest

from lmnb.errors import InvalidRequest
from tests.api.conftest import Api
from tests.scripted import Script

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WRAPPED = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA, "strict": True}}
THINKS = "{% for m in messages %}{{ m.content }}{% endfor %}{# <think></think> #}"


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"response_format": WRAPPED}, '"city"'),
        ({"response_format": {**WRAPPED, "json_schema": {"schema": SCHEMA}}}, '"city"'),
        (
            {"response_format": {**WRAPPED, "json_schema": {"schema": SCHEMA, "strict": "true"}}},
            '"city"',
        ),
        ({"response_format": {"type": "json_object"}}, '"object"'),
        ({"response_format": {"type": "json_object", "schema": SCHEMA}}, '"city"'),
        ({"response_format": {"type": "json_object", "value": SCHEMA}}, '"city"'),
        ({"response_format": {"type": "json", "value": SCHEMA}}, '"city"'),
        ({"response_format": {"type": "json_schema", "value": WRAPPED["json_schema"]}}, '"city"'),
        ({"response_format": {"type": "regex", "value": "a+"}}, "/a+/"),
        ({"regex": "a+"}, "/a+/"),
        ({"ebnf": 'root ::= "x"'}, 'start: ("x")'),
        ({"json_schema": SCHEMA}, '"city"'),
        ({"grammar": 'root ::= "yes" | "no"'}, 'start: ("y" "e" "s")'),
        ({"guided_json": SCHEMA}, '"city"'),
        ({"guided_json": '{"const": 5}'}, "const"),
        ({"guided_regex": "[0-9]+"}, "/[0-9]+/"),
        ({"guided_choice": ["yes", "no"]}, '"yes" | "no"'),
        ({"guided_grammar": 'start: "x"'}, 'start: "x"'),
        ({"structured_outputs": {"json": SCHEMA}}, '"city"'),
        ({"structured_outputs": {"regex": "a+"}}, "/a+/"),
        ({"structured_outputs": {"choice": ["a"]}}, '"a"'),
        ({"structured_outputs": {"grammar": 'root ::= "x"'}}, 'start: ("x")'),
    ],
)
async def test_it_reaches_the_engine(api: Api, fields: dict[str, Any], part: str) -> None:
    assert (await api.chat(**fields)).status_code == 200
    response = await api.post("/v1/completions", {"prompt": "x", **fields})
    assert response.status_code == 200, response.text
    for request in api.engine.requests:
        assert request.constraint is not None
        assert part in request.constraint.grammar
        assert request.constraint.triggers == ()


@pytest.mark.parametrize(
    "fields",
    [{}, {"response_format": {"type": "text"}}, {"response_format": None}, {"grammar": ""}],
)
async def test_text_is_free(api: Api, fields: dict[str, Any]) -> None:
    assert (await api.chat(**fields)).status_code == 200
    assert api.engine.requests[0].constraint is None


@pytest.mark.parametrize(
    ("fields", "param", "said"),
    [
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "Missing"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
            "response_format.json_schema.schema",
            "Missing",
        ),
        ({"response_format": {"type": "sound"}}, "response_format.type", "sound"),
        ({"response_format": {"type": "json_object", "schema": 123}}, "response_format.schema", ""),
        ({"response_format": {"type": "regex"}}, "response_format.value", "Missing"),
        ({"response_format": {"type": "regex", "value": 5}}, "response_format.value", "a string"),
        ({"response_format": {**WRAPPED, "schema": {}}, "grammar": "x"}, "grammar", "only one"),
        ({"json_schema": {"uniqueItems": True}}, "json_schema", "'uniqueItems'"),
        ({"guided_json": "{"}, "guided_json", "JSON"),
        ({"guided_choice": []}, "guided_choice", "choose"),
        ({"guided_choice": [1]}, "guided_choice[0]", "string"),
        ({"grammar": "root ::= foo"}, "grammar", "'foo'"),
        ({"structured_outputs": {"structural_tag": {}}}, "structured_outputs.structural_tag", ""),
    ],
)
async def test_what_cannot_be_done_is_a_400(
    api: Api, fields: dict[str, Any], param: str, said: str
) -> None:
    for stream in (False, True):
        response = await api.chat(stream=stream, **fields)
        assert response.status_code == 400, response.text
        error = response.json()["error"]
        assert error["param"] == param, error
        assert said in error["message"]
        assert param in error["message"]
    assert api.engine.requests == []


@pytest.mark.parametrize("when", ["refuse", "fail"])
async def test_what_only_the_engine_can_refuse_names_the_clients_field(api: Api, when: str) -> None:
    """At once, or where it shows on the way."""
    why = InvalidRequest("The grammar cannot be used: x.", param="constraint")
    api.script(Script(**{when: why}))
    response = await api.chat(guided_regex="a")
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "guided_regex"
    assert "the grammar cannot be used: x." in response.json()["error"]["message"]


async def test_a_model_that_may_think_does_so_first(api: Api) -> None:
    """The schema is about the answer: neither does it end the thinking nor land in it."""
    api.engine.chat_template = THINKS
    api.script(Script(texts=("<think>", "hm", "</think>", "\n", '{"city": "Rome"}')))
    answer = (await api.chat(response_format=WRAPPED)).json()["choices"][0]["message"]
    assert answer["content"] == '{"city": "Rome"}'
    assert answer["reasoning_content"] == "hm"
    constraint = api.engine.requests[0].constraint
    assert constraint is not None
    assert constraint.triggers == ("</think>",)
    assert constraint.opening == "<think>"
    assert constraint.final


@pytest.mark.parametrize(
    ("tail", "triggers", "opening"),
    [("<think>\n", ("</think>",), ""), ("<think>\n\n</think>\n\n", (), "")],
)
async def test_a_prompt_that_opens_or_closes_the_thinking(
    api: Api, tail: str, triggers: tuple[str, ...], opening: str
) -> None:
    api.engine.chat_template = THINKS + tail
    assert (await api.chat(response_format=WRAPPED)).status_code == 200
    constraint = api.engine.requests[0].constraint
    assert constraint is not None
    assert constraint.triggers == triggers
    assert constraint.opening == opening


async def test_with_tools_the_answer_is_a_call_or_of_the_form(api: Api) -> None:
    tool = {"type": "function", "function": {"name": "look_up", "parameters": SCHEMA}}
    answer = await api.chat(tools=[tool], response_format={"type": "json_object"})
    assert answer.status_code == 200, answer.text
    constraint = api.engine.requests[0].constraint
    assert constraint is not None
    assert constraint.triggers == ()
    assert "@call | @answer" in constraint.grammar


async def test_responses_have_it_flat(api: Api) -> None:
    flat = {"type": "json_schema", "name": "a", "schema": SCHEMA, "strict": True}
    response = await api.post("/v1/responses", {"input": "Hi", "text": {"format": flat}})
    assert response.status_code == 200, response.text
    assert response.json()["text"]["format"]["schema"] == SCHEMA
    constraint = api.engine.requests[0].constraint
    assert constraint is not None
    assert '"city"' in constraint.grammar
