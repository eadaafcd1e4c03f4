"""Widgets in this process, and a stub of the server. Browsers have tests of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from lmnb.notebook.connection.session import session
from tests.notebook.stub_server import KEY, StubServer


@pytest.fixture(autouse=True)
def server(stub: StubServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[StubServer]:
    monkeypatch.setenv("LMNB_BASE_URL", stub.base_url)
    monkeypatch.setenv("LMNB_API_KEY", KEY)
    session.forget()
    yield stub
    session.forget()


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)
