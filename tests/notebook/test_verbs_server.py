"""Verbs about what is here: models, memory, ports, keys, the log."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lmnb.errors import InvalidRequest, NotFound
from lmnb.notebook.options import UsageMistake
from tests.notebook.stub_server import model
from tests.notebook.verb_line import RecordingScreen, ScriptedClient, ScriptedPerson, run

MODELS = "GET api/v1/models"
DELETE = "POST api/v1/models/delete"
ESTIMATE: dict[str, Any] = {
    "model": "tiny",
    "load_config": {"context_length": 4096},
    "devices": [
        {
            "name": "CPU",
            "kind": "cpu",
            "free_bytes": 4e9,
            "weights_bytes": 100e6,
            "kv_cache_bytes": 50e6,
            "compute_bytes": 10e6,
            "projector_bytes": 0,
            "total_required_bytes": 160e6,
        }
    ],
    "total_bytes": 160e6,
    "fit": "cpu",
    "guardrail": {"mode": "balanced", "allowed": True, "reason": None},
    "automatic": {"gpu_layers": 0, "context_length": 8192},
    "layers": 30,
    "arithmetic": ["weights: 100 MB"],
}


@pytest.fixture
def screen() -> RecordingScreen:
    return RecordingScreen()


@pytest.fixture
def client() -> ScriptedClient:
    embedding = {**model("minilm"), "type": "embedding"}
    models = [model("tiny", "tiny"), model("acme/big"), embedding]
    gone = {"key": "acme/big", "freed_bytes": 98e6, "files": ["big.gguf"]}
    one = {"GET api/v1/models/big": models[1]}
    return ScriptedClient({MODELS: {"models": models}, DELETE: gone, **one})


def test_ls_has_a_table_for_each_kind(client: ScriptedClient, screen: RecordingScreen) -> None:
    run("ls", client, screen)
    assert screen.text.startswith("You have 3 models, taking up 294.00 MB of disk.\n\nLLM ")
    assert "\nEMBEDDING " in screen.text
    assert [entry["key"] for entry in run("ls --json --embedding", client, screen)] == ["minilm"]


def test_ls_finds_what_is_here_twice(screen: RecordingScreen) -> None:
    copies = [{"model": "a", "path": "/x/a.gguf"}, {"model": "b", "path": "/y/b.gguf"}]
    twice = {"sha256": "0", "size_bytes": 5e6, "wasted_bytes": 5e6, "copies": copies}
    client = ScriptedClient({"GET api/v1/models/duplicates": {"duplicates": [], "wasted_bytes": 0}})
    run("ls --duplicates", client, screen)
    assert screen.said == ["Nothing is on this disk twice."]
    found = {"duplicates": [twice], "wasted_bytes": 5e6}
    client.answers["GET api/v1/models/duplicates"] = found
    run("ls --duplicates", client, screen)
    assert "5.00 MB could be freed." in screen.said[-1] and "/y/b.gguf" in screen.said[-1]
    assert run("ls --duplicates --json", client, screen) == found


def test_info_says_what_the_server_knows(client: ScriptedClient, screen: RecordingScreen) -> None:
    settings = "GET api/v1/models/settings/acme/big"
    client.answers[settings] = {"settings": {"context_length": 2048}}
    run("info big", client, screen)
    assert "size bytes" in screen.text and "98.00 MB" in screen.text
    assert "saved context length" in screen.text.replace("_", " ")
    client.answers[settings] = NotFound("no settings")
    assert run("info big --json", client, screen)["settings"] == {}


def test_rm_asks_first(client: ScriptedClient) -> None:
    for agrees in (False, True):
        person = ScriptedPerson(agrees=agrees)
        screen = RecordingScreen(person)
        run("rm big", client, screen)
        assert person.questions == ["Delete acme/big (98.00 MB)?"]
        assert ((DELETE, {"model": "acme/big", "force": False}) in client.asked) is agrees
    assert screen.said == ["acme/big is deleted. 98.00 MB are free again."]


def test_rm_with_nobody_there_wants_a_yes(client: ScriptedClient, screen: RecordingScreen) -> None:
    with pytest.raises(InvalidRequest, match="--yes"):
        run("rm big", client, screen)
    run("rm big --yes --force", client, screen)
    assert client.asked[-1] == (DELETE, {"model": "acme/big", "force": True})


def test_unload_asks_which_where_somebody_is_there() -> None:
    loaded = [{"identifier": "one"}, {"identifier": "two"}]
    unload = "POST api/v1/models/unload"
    client = ScriptedClient({"GET api/v1/status": {"loaded": loaded}, unload: {}})
    with pytest.raises(InvalidRequest, match="one, two"):
        run("unload", client, RecordingScreen())
    for picks, asked in ((None, []), (2, [(unload, {"instance_id": "two"})])):
        run("unload", client, RecordingScreen(ScriptedPerson(picks=picks)))
        assert [one for one in client.asked if one[0] == unload] == asked
    run("unload --all --force", client, RecordingScreen())
    assert client.asked[-1][1] == {"instance_id": "two", "cancel_running": True}


@pytest.mark.parametrize("line", ["estimate tiny -c 4096", "load tiny -c 4096 --estimate-only"])
def test_an_estimate_has_lm_studios_lines(line: str, screen: RecordingScreen) -> None:
    client = ScriptedClient({"POST api/v1/models/estimate": ESTIMATE})
    run(line, client, screen)
    assert client.asked[0][1] == {"model": "tiny", "context_length": 4096}
    lines = screen.text.splitlines()
    assert lines[:5] == [
        "Model: tiny",
        "Context Length: 4,096",
        "GPU Offload: 0%",
        "Estimated GPU Memory: 0 B",
        "Estimated Total Memory: 160.00 MB",
    ]
    assert "may be loaded based on your resource guardrails settings" in lines[6]
    run(f"{line} --detailed", client, screen)
    assert "KV CACHE" in screen.text and screen.said[-1] == "weights: 100 MB"
    assert run(f"{line} --json", client, screen) == ESTIMATE


def test_an_estimate_says_what_will_not_load(screen: RecordingScreen) -> None:
    guardrail = {"mode": "strict", "allowed": False, "reason": "1 GB short"}
    client = ScriptedClient({"POST api/v1/models/estimate": {**ESTIMATE, "guardrail": guardrail}})
    run("estimate tiny --guardrail strict", client, screen)
    assert client.asked[0][1]["guardrail"] == "strict"
    assert "will fail to load" in screen.text and "1 GB short" in screen.text


def test_the_second_listener(screen: RecordingScreen) -> None:
    state = {
        "running": True,
        "port": 1234,
        "base_url": "http://127.0.0.1:1234/",
        "cors": True,
        "key_required": False,
        "error": None,
    }
    client = ScriptedClient(
        {
            "POST api/v1/server/start": state,
            "POST api/v1/server/stop": {**state, "running": False},
            "GET api/v1/server": {**state, "running": False, "error": "Port 1234 is in use by x."},
        }
    )
    run("server start --cors", client, screen)
    asked = {"port": 1234, "cors": True, "require_key": False}
    assert client.asked == [("POST api/v1/server/start", asked)]
    assert "running on port 1234: http://127.0.0.1:1234/v1" in screen.said[0]
    assert "CORS is on" in screen.said[1]
    run("server status", client, screen)
    assert "in use by x" in screen.said[-1]
    assert run("server status --json", client, screen)["running"] is False
    run("server stop", client, screen)
    assert screen.said[-1] == "The server was stopped."


def test_keys_are_made_listed_and_revoked(screen: RecordingScreen) -> None:
    moments = {"created_at": "2026-01-02T03:04:05.000Z", "expires_at": None, "last_used": None}
    key = {"id": "abcd1234", "name": "laptop", "permissions": ["use"], **moments}
    client = ScriptedClient(
        {
            "POST api/v1/keys": {**key, "key": "sk-lm-abcd1234:x"},
            "GET api/v1/keys": {"keys": [key]},
            "DELETE api/v1/keys/abcd1234": {"id": "abcd1234", "revoked": True},
        }
    )
    run("key create laptop --permissions use manage --expires 2h", client, screen)
    body = {"name": "laptop", "permissions": ["use", "manage"], "expires_in": 7200}
    assert client.asked[-1] == ("POST api/v1/keys", body)
    assert screen.said[0] == "sk-lm-abcd1234:x"
    run("key ls", client, screen)
    assert "abcd1234  laptop  use  2026-01-02 03:04" in screen.said[-1]
    run("key rm abcd1234", client, screen)
    assert screen.said[-1] == "The key abcd1234 is revoked."


LINES = [
    {
        "timestamp": 0,
        "data": {
            "type": "llm.prediction.output",
            "modelIdentifier": "tiny",
            "output": "Hello",
            "stats": {"tokensPerSecond": 50.0},
        },
    },
    {"timestamp": 0, "data": {"type": "server.log", "content": "200 GET /x"}},
    {"timestamp": 0, "data": {"type": "runtime.log", "pid": 7, "message": "oh dear"}},
]


def test_the_log_is_followed_until_an_interrupt_which_is_no_failure(
    screen: RecordingScreen, capsys: pytest.CaptureFixture[str]
) -> None:
    client = ScriptedClient({"GET api/v1/log": LINES})
    run("log stream --filter output --stats --model tiny", client, screen)
    asked = {"stream": "true", "source": "model", "filter": "output", "model": "tiny"}
    assert client.asked == [("GET api/v1/log", asked)]
    text = capsys.readouterr().out
    for part in ("output:\nHello\ntokensPerSecond: 50.0", "200 GET /x", "[process 7] oh dear"):
        assert part in text
    run("log stream --json", client, screen)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == LINES


@pytest.mark.parametrize(
    "line",
    [
        "log stream --source server --stats",
        "log stream --source runtime --filter input",
        "log stream --filter both",
        "key create x --permissions root",
        "key create x --expires soon",
        "server start --port 70000",
        "load tiny --json",
    ],
)
def test_what_makes_no_sense_is_a_mistake_on_the_line(line: str, screen: RecordingScreen) -> None:
    with pytest.raises(UsageMistake):
        run(line, ScriptedClient({}), screen)
