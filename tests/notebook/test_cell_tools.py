"""`%%lms --tools`: functions that the model calls, with consent, and a bounded number of times."""

from typing import Any

import pytest

from tests.notebook.kernels import Kernel
from tests.notebook.stub_server import StubServer

WEATHER = '''
def weather(city: str, days: int = 1) -> dict:
    """The weather of a city.

    Args:
        city: its name, in English
        days: how many
    """
    asked.append((city, days))
    return {"city": city, "celsius": 18}

asked = []
'''


def call(arguments: str, name: str = "weather", id: str = "c1") -> dict[str, Any]:
    """A delta that calls a tool."""
    function = {"name": name, "arguments": arguments}
    return {"tool_calls": [{"index": 0, "id": id, "type": "function", "function": function}]}


def rest(arguments: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]}


@pytest.fixture
def calling(kernel: Kernel, stub: StubServer) -> Kernel:
    """A kernel with a tool, and a model that calls it once and then answers."""
    kernel.run(WEATHER)
    first = ["Let me look.", call('{"city": '), rest('"Paris"}'), {"finish_reason": "tool_calls"}]
    stub.answers = [first, ["It is 18 degrees."]]
    return kernel


def test_a_call_runs_and_its_result_goes_back(calling: Kernel, stub: StubServer) -> None:
    ran = calling.run("%%lms --tools weather --yes\nHow is Paris?")
    assert ran.status == "ok"
    assert calling.value("asked") == [("Paris", 1)]
    (tool,) = stub.chats[0]["tools"]
    assert tool["function"]["name"] == "weather"
    assert tool["function"]["description"] == "The weather of a city."
    assert tool["function"]["parameters"]["required"] == ["city"]
    city = tool["function"]["parameters"]["properties"]["city"]
    assert (city["type"], city["description"]) == ("string", "its name, in English")
    _, asking, result = stub.chats[1]["messages"]
    assert asking["content"] == "Let me look."
    assert asking["tool_calls"][0]["function"]["arguments"] == '{"city": "Paris"}'
    assert result["role"] == "tool"
    assert result["tool_call_id"] == asking["tool_calls"][0]["id"] == "c1"
    assert result["content"] == '{\n  "city": "Paris",\n  "celsius": 18\n}'


def test_calls_and_results_are_saved_with_the_answer(calling: Kernel) -> None:
    ran = calling.run("%%lms --tools weather --yes\nHow is Paris?")
    markdown = ran.text("text/markdown")
    head = '<details><summary><code>weather(city="Paris")</code></summary>'
    assert markdown.startswith(f'Let me look.\n\n{head}\n\n```\n{{\n  "city"')
    assert "It is 18 degrees." in markdown
    assert ran.text().startswith('→ weather(city="Paris")\n← {\n  "city": "Paris"')
    assert calling.value("(str(_), [str(c) for c in _.calls], _.calls[0].outcome)") == (
        "It is 18 degrees.",
        ['weather(city="Paris")'],
        "done",
    )


def test_the_conversation_goes_on_from_the_calls(calling: Kernel, stub: StubServer) -> None:
    calling.run("%%lms --tools weather --yes\nHow is Paris?")
    calling.run("%%lms\nThanks.")
    roles = [message["role"] for message in stub.chats[-1]["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]


def test_the_person_is_asked_and_may_refuse(calling: Kernel, stub: StubServer) -> None:
    ran = calling.run("%%lms --tools weather\nHow is Paris?", answers=["n"])
    assert ran.questions == ['The model wants to run weather(city="Paris"). [y]es, [N]o, [a]ll? ']
    assert calling.value("asked") == []
    assert stub.chats[1]["messages"][-1]["content"] == "The user did not allow this call."
    assert "refused" in ran.text()


def test_yes_to_all_is_asked_once(calling: Kernel, stub: StubServer) -> None:
    stub.answers.insert(0, [call('{"city": "Rome"}'), {"finish_reason": "tool_calls"}])
    ran = calling.run("%%lms --tools weather\nHow is it?", answers=["a"])
    assert len(ran.questions) == 1
    assert calling.value("asked") == [("Rome", 1), ("Paris", 1)]


def test_where_nobody_can_be_asked_nothing_is_sent(calling: Kernel, stub: StubServer) -> None:
    ran = calling.run("%%lms --tools weather\nHow is Paris?")
    assert "`--yes` allows" in ran.stream("stderr")
    assert not stub.chats


@pytest.mark.parametrize(
    ("delta", "said"),
    [
        (call('{"town": "Paris"}'), "ValidationError: 2 validation errors"),
        (call('{"city": "Paris", "days": "many"}'), "ValidationError: 1 validation error"),
        (call("{}", "delete_everything"), "There is no tool 'delete_everything', only: weather"),
        (call('{"city": "", "days": 0}'), "done"),
    ],
)
def test_what_goes_wrong_is_the_models_to_read(
    calling: Kernel, stub: StubServer, delta: dict[str, Any], said: str
) -> None:
    stub.answers[0] = [delta, {"finish_reason": "tool_calls"}]
    ran = calling.run("%%lms --tools weather --yes\nHow is Paris?")
    assert ran.status == "ok"
    result = stub.chats[1]["messages"][-1]["content"]
    outcome = calling.value("_.calls[0].outcome")
    assert said in result if outcome == "failed" else outcome == said


def test_an_exception_in_a_tool_is_the_models_to_read(kernel: Kernel, stub: StubServer) -> None:
    kernel.run("async def weather(city: str):\n    raise LookupError(f'no {city}')")
    stub.answers = [[call('{"city": "Oz"}'), {"finish_reason": "tool_calls"}], ["None there."]]
    assert kernel.run("%%lms --tools weather --yes\nHow is Oz?").status == "ok"
    assert stub.chats[1]["messages"][-1]["content"] == "LookupError: no Oz"


def test_the_last_round_may_call_nothing(kernel: Kernel, stub: StubServer) -> None:
    kernel.run(WEATHER)
    stub.answer = [call('{"city": "Paris"}'), {"finish_reason": "tool_calls"}]
    stub.answers = [stub.answer, stub.answer, ["Enough."]]
    ran = kernel.run("%%lms --tools weather --tool-choice required --yes --max-rounds 3\nGo.")
    assert ran.status == "ok"
    assert [body["tool_choice"] for body in stub.chats] == ["required", "auto", "none"]
    assert len(kernel.value("asked")) == 2
    stub.answers = [stub.answer, ["Enough."]]
    kernel.run("%%lms --tools weather --tool-choice weather --yes\nGo.")
    named = {"type": "function", "function": {"name": "weather"}}
    assert stub.chats[3]["tool_choice"] == named


def test_a_server_that_calls_for_ever_is_not_followed(kernel: Kernel, stub: StubServer) -> None:
    kernel.run(WEATHER)
    stub.answer = [call('{"city": "Paris"}'), {"finish_reason": "tool_calls"}]
    assert kernel.run("%%lms --tools weather --yes --max-rounds 2\nGo.").status == "ok"
    assert (len(stub.chats), len(kernel.value("asked"))) == (2, 1)
    # A line that begins with an inline tag is Markdown; this one is not.
    assert '<div><code>weather(city="Paris")</code>…</div>' in kernel.run(
        "from IPython.display import display\ndisplay(_)"
    ).text("text/markdown")


def test_an_interrupted_tool_keeps_what_came(kernel: Kernel, stub: StubServer) -> None:
    kernel.run("import time\ndef wait():\n    time.sleep(60)")
    stub.answers = [["Wait.", call("{}", "wait"), {"finish_reason": "tool_calls"}]]
    ran = kernel.run("%%lms --tools wait --yes\nGo.", interrupt_at="wait()")
    assert ran.status == "error"
    assert "interrupted" in ran.text()
    assert kernel.run("%%lms\nAgain?").status == "ok"
    assert [m["content"] for m in stub.chats[-1]["messages"]] == ["Again?"]
