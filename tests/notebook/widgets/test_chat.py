"""`lmnb.Chat()` without its browser: what is asked of the server, and what would show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lmnb.notebook.widgets.chat import Chat
from tests.notebook.stub_server import StubServer, model

from .conftest import until


@pytest.fixture
def chat() -> Iterator[Chat]:
    chat = Chat("tiny")
    yield chat
    chat.close()


def ask(chat: Chat, text: str, **more: Any) -> None:
    do(chat, "ask", text=text, **more)


def do(chat: Chat, kind: str, **more: Any) -> None:
    """What the browser's side would send."""
    chat._handle_custom_msg({"kind": kind, **more}, [])
    until(lambda: not chat.busy)


def shown(chat: Chat) -> list[str]:
    return [turn["text"] for turn in chat.turns]


def test_a_conversation_goes_on(chat: Chat, stub: StubServer) -> None:
    chat.system = "Be brief."
    chat.parameters = {"temperature": 0, "max_tokens": 9, "seed": ""}
    ask(chat, "Hi")
    stub.answer = ["Fine."]
    ask(chat, "How are you?")
    assert shown(chat) == ["Hi", "Hello there.", "How are you?", "Fine."]
    said = [message["content"] for message in stub.chats[-1]["messages"]]
    assert said == ["Be brief.", "Hi", "Hello there.", "How are you?"]
    assert (stub.chats[-1]["temperature"], stub.chats[-1]["max_tokens"]) == (0, 9)
    assert "seed" not in stub.chats[-1]
    assert [m["role"] for m in chat.messages] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
    ]
    assert chat.turns[1]["facts"].startswith("50 tokens/s")
    assert chat.meter["total"] == 4096


def test_another_answer_stands_beside_the_first(chat: Chat, stub: StubServer) -> None:
    ask(chat, "Hi")
    stub.answer = ["Good day."]
    do(chat, "again", id=chat.turns[1]["id"])
    assert shown(chat) == ["Hi", "Good day."]
    assert (chat.turns[1]["at"], chat.turns[1]["of"]) == (2, 2)
    assert len(stub.chats[-1]["messages"]) == 1
    do(chat, "branch", id=chat.turns[1]["id"], step=-1)
    assert shown(chat) == ["Hi", "Hello there."]


def test_an_edited_message_is_answered_and_the_old_way_stays(chat: Chat, stub: StubServer) -> None:
    ask(chat, "Hi")
    ask(chat, "more")
    do(chat, "edit", id=chat.turns[0]["id"], text="Ho")
    assert shown(chat) == ["Ho", "Hello there."]
    do(chat, "branch", id=chat.turns[0]["id"], step=-1)
    assert shown(chat) == ["Hi", "Hello there.", "more", "Hello there."]


def test_stop_keeps_what_came_and_the_server_hears_of_it(chat: Chat, stub: StubServer) -> None:
    stub.answer = ["Once", 60, "upon"]
    chat.ask("Tell.")
    until(lambda: chat._tree.path()[-1].reply)
    chat.stop()
    until(lambda: not chat.busy)
    assert (shown(chat)[-1], chat.turns[-1]["state"]) == ("Once", "interrupted")
    assert stub.client_left.wait(10)
    stub.answer = ["Yes."]
    ask(chat, "Go on?")
    assert shown(chat)[-1] == "Yes."


def test_a_failure_shows_in_its_turn_and_can_be_tried_again(chat: Chat, stub: StubServer) -> None:
    stub.answer = ["So", {"error": {"message": "The engine died.", "code": "engine_died"}}]
    ask(chat, "Hi")
    assert (chat.turns[1]["text"], chat.turns[1]["state"]) == ("So", "failed")
    assert chat.turns[1]["error"] == "The engine died."
    stub.answer = ["Well."]
    do(chat, "again", id=chat.turns[1]["id"])
    assert shown(chat) == ["Hi", "Well."]


def test_thinking_is_apart_from_the_answer(chat: Chat, stub: StubServer) -> None:
    stub.answer = [{"reasoning_content": "Hmm."}, "Done."]
    ask(chat, "Hi")
    assert (chat.turns[1]["text"], "Hmm." in chat.turns[1]["thought"]) == ("Done.", True)


def test_pictures_are_sent_as_parts(chat: Chat, stub: StubServer) -> None:
    ask(chat, "What is it?", images=["data:image/png;base64,AA"])
    text, picture = stub.chats[-1]["messages"][-1]["content"]
    assert (text["text"], picture["type"]) == ("What is it?", "image_url")


def test_what_is_done_while_it_answers_is_not_done(chat: Chat, stub: StubServer) -> None:
    stub.answer = ["a", 60]
    chat.ask("one")
    chat.ask("two")
    chat._handle_custom_msg({"kind": "clear"}, [])
    assert [turn["role"] for turn in chat.turns] == ["user", "assistant"]
    chat.stop()
    until(lambda: not chat.busy)


def test_the_loaded_model_is_chosen_when_none_is_named(stub: StubServer) -> None:
    stub.models = [model("big"), model("small", "small")]
    chat = Chat()
    until(lambda: chat.model)
    assert chat.model == "small"
    assert [one["loaded"] for one in chat.models] == [False, True]
    chat.close()


def test_the_transcript_is_the_branch_that_shows(chat: Chat, stub: StubServer) -> None:
    assert chat.transcript() == ""
    ask(chat, "Hi *there*")
    assert "Hi *there*" in chat.transcript()
    assert "**tiny**\n\nHello there." in chat.transcript()


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(TypeError, match="not warmth"):
        Chat(warmth=1)
