"""A variable that makes no sense is refused in one line that names it, by both hosts."""

from __future__ import annotations

from typing import Any

import pytest

from lmnb.errors import InvalidRequest
from lmnb.server import standalone
from lmnb.server.defaults import default_guardrail, downloads_at_once, load_options
from lmnb.server.environment import number, switch
from lmnb.server.outside import Outside

WRONG = {
    "LMNB_PORT": "http",
    "LMNB_QUEUE_LIMIT": "many",
    "LMNB_LORA": '[{"path": 1}]',
    "LMNB_JIT_LOADING": "perhaps",
    "LMNB_JIT_TTL": "soon",
    "LMNB_GUARDRAIL": "high",
    "LMNB_MCP": "yes",
    "LMNB_REMOTE_IMAGES": "some",
    "LMNB_DOWNLOADS": "0",
}


@pytest.mark.parametrize("name", WRONG)
def test_serve_ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setenv(name, WRONG[name])
    assert standalone.main(["--port", "0"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lmnb: ")
    assert name in line


@pytest.mark.parametrize("option", ["--port", "--jit-ttl"])
def test_so_does_an_option(capsys: pytest.CaptureFixture[str], option: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        standalone.main([option, "soon"])
    assert capsys.readouterr().err.endswith("not 'soon'.\n")


def test_an_empty_variable_is_none() -> None:
    empty = dict.fromkeys(WRONG, "")
    assert number(empty, "LMNB_PORT") is None
    assert switch(empty, "LMNB_JIT_LOADING", default=True)
    assert default_guardrail(empty) == "balanced"
    assert Outside.of(empty) == Outside()
    assert load_options({}, empty) == load_options({}, {})


@pytest.mark.parametrize("text", ["0", "many", "-1", "1.5", "33", "²"])
def test_some_downloads_run_at_once(text: str) -> None:
    assert (downloads_at_once({}), downloads_at_once({"LMNB_DOWNLOADS": "5"})) == (3, 5)
    with pytest.raises(InvalidRequest, match="LMNB_DOWNLOADS"):
        downloads_at_once({"LMNB_DOWNLOADS": text})


@pytest.mark.parametrize("text", ["65536", "-1", "²", "1e3", "9" * 5000])
def test_a_port_is_a_number_that_ports_have(text: str) -> None:
    with pytest.raises(InvalidRequest, match="LMNB_PORT"):
        number({"LMNB_PORT": text}, "LMNB_PORT")


@pytest.fixture
def jp_server_config(jp_server_config: Any) -> Any:
    return {
        **jp_server_config,
        "ServerApp": {
            **jp_server_config["ServerApp"],
            "reraise_server_extension_failures": False,
        },
    }


@pytest.mark.parametrize("name", WRONG)
async def test_a_notebook_server_goes_on_without_lmnb(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    jp_configurable_serverapp: Any,
    name: str,
) -> None:
    monkeypatch.setenv(name, WRONG[name])
    server = jp_configurable_serverapp()
    await server.extension_manager.start_all_extensions()
    assert not server.extension_manager.any_activity()
    said = capfd.readouterr().err
    (line,) = [
        line for line in said.splitlines() if "LMNBApp] This server goes without lmnb" in line
    ]
    assert name in line
    assert "Traceback" not in said
