"""`settings`: what is set, what is changed, and when it counts."""

from __future__ import annotations

from typing import Any

import pytest

from lmnb.notebook.load_options import given
from lmnb.notebook.options import UsageMistake, split
from lmnb.notebook.verbs import VERBS
from tests.notebook.stub_server import model
from tests.notebook.verb_line import RecordingScreen, ScriptedClient, run

PATH = "api/v1/models/settings/acme/tiny"
DEFAULTS = {"context_length": None, "slots": 4, "threads": None}


@pytest.fixture
def screen() -> RecordingScreen:
    return RecordingScreen()


@pytest.fixture
def client() -> ScriptedClient:
    """A server that keeps what it is told."""
    saved: dict[str, Any] = {"slots": 2}

    def answer(body: Any) -> dict[str, Any]:
        if body is not None:
            saved.clear()
            saved.update(body)
        effective = {**DEFAULTS, **saved}
        changed = body is not None
        return {"settings": dict(saved), "effective": effective, "needs_reload": changed}

    one = {"GET api/v1/models/tiny": model("acme/tiny")}
    return ScriptedClient({**one, f"GET {PATH}": answer, f"PUT {PATH}": answer})


def test_what_is_set_is_shown_and_the_rest_on_request(
    client: ScriptedClient, screen: RecordingScreen
) -> None:
    run("settings tiny", client, screen)
    assert "slots" in screen.text and "threads" not in screen.text
    run("settings tiny --all", client, screen)
    assert "threads" in screen.text
    assert run("settings tiny --json", client, screen)["settings"] == {"slots": 2}
    assert not [route for route, _ in client.asked if route.startswith("PUT")]


def test_flags_are_added_to_what_is_set_for_the_next_load(
    client: ScriptedClient, screen: RecordingScreen
) -> None:
    run("settings tiny -c 2048 --no-mmap", client, screen)
    assert client.asked[-1] == (
        f"PUT {PATH}",
        {"slots": 2, "context_length": 2048, "mmap": False},
    )
    assert "at the next load" in screen.text


@pytest.mark.parametrize("line", ["--unset slots", "--unset=--slots", "--reset"])
def test_what_is_set_can_be_taken_back(
    client: ScriptedClient, screen: RecordingScreen, line: str
) -> None:
    run(f"settings tiny {line}", client, screen)
    assert client.asked[-1] == (f"PUT {PATH}", {})
    assert "Nothing is set for acme/tiny" in screen.text


def test_what_is_not_set_cannot_be_taken_back(
    client: ScriptedClient, screen: RecordingScreen
) -> None:
    with pytest.raises(UsageMistake, match="threads"):
        run("settings tiny --unset threads", client, screen)


def test_a_further_instance_is_asked_for_by_a_flag_only() -> None:
    parser = VERBS["load"].parser("%lms")
    assert given(parser.parse_line(split("tiny"))) == {}
    assert given(parser.parse_line(split("tiny --new-instance"))) == {"new_instance": True}


def test_an_estimate_is_asked_for_the_model_not_for_one_load_of_it() -> None:
    seen: list[Any] = []

    def answer(body: Any) -> Any:
        seen.append(body)
        raise UsageMistake("enough")

    client = ScriptedClient({"POST api/v1/models/estimate": answer})
    with pytest.raises(UsageMistake, match="enough"):
        run("load tiny -c 99 --ttl 5 --identifier me --estimate-only", client, RecordingScreen())
    assert seen == [{"model": "tiny", "context_length": 99}]
