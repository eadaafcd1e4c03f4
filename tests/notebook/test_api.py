"""`lmnb.chat`, `lmnb.embed` and what looks after models, against the contract's stub."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypedDict

import numpy as np
import pytest

import lmnb
from lmnb.errors import InvalidAnswer, InvalidRequest, ModelNotFound, ServerNotFound
from lmnb.notebook.api.achat import achat
from lmnb.notebook.api.chat import chat
from lmnb.notebook.api.embed import aembed, embed
from lmnb.notebook.api.manage import (
    adownload,
    aload,
    amodels,
    download,
    estimate,
    load,
    models,
    unload,
)
from lmnb.notebook.connection.session import session
from tests.notebook.stub_server import StubServer, model
from tests.notebook.test_cell_tools import call
from tests.until import until

pytestmark = pytest.mark.usefixtures("own_server")


async def cancelled(work: Coroutine[Any, Any, object], once: Callable[[], object]) -> None:
    """Begin it, and cancel it when `once` holds."""
    task = asyncio.ensure_future(work)
    await until(once)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@dataclass
class Person:
    name: str
    age: int


def test_a_question_has_a_reply(stub: StubServer) -> None:
    reply = chat("Hello?", system="Be kind.", temperature=0, max_tokens=9)
    assert (reply, reply.text, reply.model) == ("Hello there.", "Hello there.", "tiny")
    assert reply.usage["total_tokens"] == 12
    (body,) = stub.chats
    assert [m["content"] for m in body["messages"]] == ["Be kind.", "Hello?"]
    assert (body["temperature"], body["max_tokens"], body["model"]) == (0, 9, "tiny")
    chat([{"role": "user", "content": "alone"}], model="other")
    assert (stub.prompts[-1], stub.chats[-1]["model"]) == ("alone", "other")


def test_a_stream_gives_pieces_and_then_the_reply(stub: StubServer) -> None:
    stub.answer = [{"reasoning_content": "Hm."}, "Hello", " there."]
    stream = chat("Hello?", stream=True)
    assert next(stream) == "Hello"
    assert (stream.text, stream.reasoning) == ("Hello", "Hm.")
    assert list(stream) == [" there."]
    assert (stream.reply, stream.usage["total_tokens"]) == ("Hello there.", 12)


def test_leaving_a_stream_stops_the_model(stub: StubServer) -> None:
    stub.answer = ["Once", 60, "upon"]
    with chat("Tell.", stream=True) as stream:
        assert next(stream) == "Once"
    assert stub.client_left.wait(30)
    assert stream.text == "Once"


def test_a_schema_gives_a_value(stub: StubServer) -> None:
    stub.answer = ['{"name": "Alice", "age": 31}']
    assert chat("Who?", schema=Person).value == Person("Alice", 31)
    stub.answer = ["[1, 2]"]
    assert chat("Which?", schema=list[int]).value == [1, 2]
    assert chat("Which?", schema=set[int]).value == {1, 2}
    assert "uniqueItems" not in str(stub.chats[-1]["response_format"])  # no grammar can say it
    stub.answer = ['{"name": "Al', {"finish_reason": "length"}]
    with pytest.raises(InvalidAnswer, match="cut off") as failed:
        chat("Who?", schema=Person)
    assert failed.value.reply == '{"name": "Al'


def test_a_schema_may_be_nested_typed_dicts(stub: StubServer) -> None:
    class Pet(TypedDict, total=False):
        name: str

    class Owner(TypedDict):
        pets: list[Pet]

    stub.answer = ['{"pets": [{"name": "Rex"}, {}]}']
    assert chat("Who?", schema=Owner).value == {"pets": [{"name": "Rex"}, {}]}
    stub.answer = ['{"pets": [{"name": 3}]}']
    with pytest.raises(InvalidAnswer):
        chat("Who?", schema=Owner)


def test_tools_are_called_and_may_be_confirmed(stub: StubServer) -> None:
    def weather(city: str) -> str:
        return f"{city}: 18"

    ask = [call('{"city": "Paris"}'), {"finish_reason": "tool_calls"}]
    stub.answers = [ask, ["18 degrees."]]
    reply = chat("How is Paris?", tools=[weather])
    assert (reply, reply.calls[0].result) == ("18 degrees.", "Paris: 18")
    stub.answers = [ask, ["I may not."]]
    reply = chat("How is Paris?", tools=[weather], confirm=lambda call: call.name != "weather")
    assert reply.calls[0].outcome == "refused"


async def test_the_async_twin_streams_and_calls_async_tools(stub: StubServer) -> None:
    async def weather(city: str) -> str:
        await asyncio.sleep(0)
        return f"{city}: 18"

    def pressure(city: str) -> int:
        return 1013

    stub.answers = [
        [call('{"city": "Paris"}'), {"finish_reason": "tool_calls"}],
        [call('{"city": "Paris"}', "pressure"), {"finish_reason": "tool_calls"}],
        ["18", " degrees."],
    ]
    stream = await achat("How is Paris?", tools=[weather, pressure], stream=True)
    assert [piece async for piece in stream] == ["18", " degrees."]
    assert [call.result for call in stream.reply.calls] == ["Paris: 18", "1013"]
    assert await achat("Hello?") == "Hello there."


async def test_cancelling_the_async_twin_stops_the_model(stub: StubServer) -> None:
    stub.answer = ["Once", 60]
    await cancelled(achat("Tell."), lambda: stub.chats)
    assert await asyncio.to_thread(stub.client_left.wait, 30)


def test_vectors_are_rows_of_an_array(stub: StubServer) -> None:
    stub.models = [model("tiny", "tiny"), model("minilm") | {"type": "embedding"}]
    vectors = embed(["a", "bcd"])
    assert (vectors.shape, vectors.dtype) == ((2, 2), np.float32)
    assert vectors.tolist() == [[1.0, 1.0], [3.0, 1.0]]
    assert stub.bodies[-1]["model"] == "minilm"
    many = embed((str(number) for number in range(600)), "other", dimensions=2)
    assert many.shape == (600, 2) and many[599].tolist() == [3.0, 1.0]
    assert [len(body["input"]) for body in stub.bodies[1:]] == [256, 256, 88]
    assert stub.bodies[-1]["dimensions"] == 2


async def test_the_async_twin_of_embed(stub: StubServer) -> None:
    assert (await aembed("four", "minilm")).tolist() == [[4.0, 1.0]]


def test_what_cannot_be_embedded_is_said(stub: StubServer) -> None:
    with pytest.raises(ModelNotFound, match="no embedding model"):
        embed("a")
    with pytest.raises(InvalidRequest, match="Text number 1 is no text but nan"):
        embed(["a", float("nan")], "m")  # type: ignore[list-item]
    with pytest.raises(InvalidRequest, match="no text to embed"):
        embed([], "m")


def test_models_are_listed_loaded_and_unloaded(stub: StubServer) -> None:
    assert [each["key"] for each in models()] == ["tiny"]
    assert load("tiny", context_length=2048)["instance_id"] == "tiny"
    assert stub.bodies[-1]["context_length"] == 2048
    unload()
    assert stub.bodies[-1] == {"instance_id": "tiny"}
    with pytest.raises(InvalidRequest, match="Loaded: none"):
        unload()


async def test_the_async_twins_of_what_looks_after_models() -> None:
    assert [each["key"] for each in await amodels()] == ["tiny"]
    assert (await aload("tiny", slots=2))["load_time_seconds"] == 1.5
    assert (await adownload("acme/tiny-GGUF"))["status"] == "completed"
    assert (await adownload("acme/tiny-GGUF", wait=False))["status"] == "downloading"


async def test_cancelling_a_load_closes_its_stream(stub: StubServer) -> None:
    stub.load_events.insert(1, 60)
    await cancelled(aload("tiny"), lambda: stub.bodies)
    assert await asyncio.to_thread(stub.client_left.wait, 30)


@pytest.mark.parametrize(
    ("before", "then"),
    [
        ([], {"job_id": "job_1"}),
        ([{"job_id": "job_1", "status": "paused"}], {"job_id": "job_1"}),
        ([{"job_id": "job_1", "status": "downloading"}], {"model": "acme/tiny-GGUF"}),
    ],
)
async def test_cancelling_a_download_pauses_what_it_began(
    stub: StubServer, before: list[dict[str, str]], then: dict[str, str]
) -> None:
    stub.downloads, stub.download_status = before, "downloading"
    await cancelled(adownload("acme/tiny-GGUF"), stub.download_followed.is_set)
    assert stub.bodies[-1] == then


def test_a_download_is_followed_or_left_to_the_server(stub: StubServer) -> None:
    assert download("acme/tiny-GGUF", "Q4_K_M")["status"] == "completed"
    assert download("acme/tiny-GGUF", wait=False)["status"] == "downloading"
    assert stub.bodies[-1] == {"model": "acme/tiny-GGUF"}


async def test_cancelling_a_download_that_has_just_ended_is_no_failure(stub: StubServer) -> None:
    stub.download_status, stub.has_ended = "downloading", True
    await cancelled(adownload("acme/tiny-GGUF"), stub.download_followed.is_set)
    assert stub.bodies[-1] == {"job_id": "job_1"}


def test_an_estimate_is_asked_of_the_server(stub: StubServer) -> None:
    assert estimate("tiny", context_length=2048)["fit"] == "cpu"
    assert stub.bodies[-1] == {"model": "tiny", "context_length": 2048}


def test_which_model_is_said_with_model(stub: StubServer) -> None:
    stub.models = [model("a", "a"), model("b", "b")]
    with pytest.raises(InvalidRequest, match=r"Loaded: a, b. Say it with `model=`"):
        chat("Hello?")


def test_a_script_without_a_server_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.delenv("LMNB_BASE_URL")
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    session.forget()
    with pytest.raises(ServerNotFound, match="lmnb serve"):
        chat("Hello?")


def test_the_functions_are_lmnbs_own_though_rooms_have_their_names() -> None:
    for room in ("chat", "models"):
        import_module(f"lmnb.{room}")

    assert lmnb.chat("Hello?") == "Hello there."
    assert [each["key"] for each in lmnb.models()] == ["tiny"]
    assert sys.modules["lmnb.chat"] is lmnb.chat
    for name in lmnb.__all__:
        assert getattr(lmnb, name) is not None
