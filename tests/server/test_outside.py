"""What a server may reach for those who ask it is said by whoever runs it, and nothing by default."""

from __future__ import annotations

import pytest

from lmnb.errors import InvalidRequest
from lmnb.server.extension import LMNBApp
from lmnb.server.outside import Outside
from lmnb.server.serve_options import serve_options

VARIABLES = {
    "LMNB_MCP": "Configured",
    "LMNB_ALLOWED_HOSTS": "tools.example, 10.0.0.5:8080,",
    "LMNB_REMOTE_IMAGES": "true",
}
SAID = Outside("configured", ("tools.example", "10.0.0.5:8080"), True)


def test_nothing_is_allowed_unless_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert Outside.of({}) == Outside("off", (), False)
    assert serve_options([], "lmnb serve").outside == Outside()
    app = LMNBApp()
    assert (app.mcp, app.allowed_hosts, app.remote_images) == ("off", [], False)


def test_the_environment_says_it_to_both_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Outside.of(VARIABLES) == SAID
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert serve_options([], "lmnb serve").outside == SAID
    app = LMNBApp()
    assert Outside(app.mcp, tuple(app.allowed_hosts), app.remote_images) == SAID


def test_flags_say_it_too() -> None:
    flags = ["--mcp", "ephemeral", "--allowed-host", "a.example", "--remote-images"]
    parsed = serve_options(flags, "lmnb serve")
    assert parsed.outside == Outside("ephemeral", ("a.example",), True)


def test_a_mode_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="LMNB_MCP is one of off, configured, ephemeral"):
        Outside.of({"LMNB_MCP": "yes"})
