"""What stays in the notebook, and what does not stay in the kernel."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
from ipywidgets.widgets.widget import _instances

from lmnb.notebook.widgets import kept
from lmnb.notebook.widgets.chat import Chat
from lmnb.notebook.widgets.loader import Loader
from tests.notebook.stub_server import StubServer

from .conftest import until
from .test_chat import ask


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], bool]]:
    """What the front end would be told: data, and whether it replaces what it was told before."""
    said: list[tuple[dict[str, Any], bool]] = []

    def publish(data: dict[str, Any], metadata: Any = None, **more: Any) -> None:
        said.append((data, bool(more.get("update"))))

    monkeypatch.setattr("IPython.display.publish_display_data", publish)
    return said


def test_a_transcript_is_saved_under_the_widget(
    published: list[tuple[dict[str, Any], bool]], stub: StubServer
) -> None:
    chat = Chat("tiny")
    chat._ipython_display_()
    assert "application/vnd.jupyter.widget-view+json" in published[0][0]
    ask(chat, "Hi")
    data, replaces = published[-1]
    assert replaces
    assert "Hello there." in data["text/plain"]
    assert data["text/markdown"].startswith("<details>")
    chat.close()


def test_a_widget_that_was_never_shown_publishes_nothing(
    published: list[tuple[dict[str, Any], bool]], stub: StubServer
) -> None:
    chat = Chat("tiny")
    ask(chat, "Hi")
    assert published == []
    chat.close()


def test_running_a_cell_again_closes_what_it_showed(
    published: list[Any], stub: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_cell", lambda: "cell-1")
    chats = [Chat("tiny") for _ in range(3)]
    for chat in chats:
        chat._ipython_display_()
    assert [chat.comm is None for chat in chats] == [True, True, False]
    chats[-1].close()


def test_a_hundred_widgets_leave_nothing_behind(published: list[Any], stub: StubServer) -> None:
    def open_and_close() -> None:
        for widget in (Chat("tiny"), Loader("tiny")):
            widget._ipython_display_()
            widget.close()

    open_and_close()
    before = len(_instances), threading.active_count()
    for _ in range(100):
        open_and_close()
    assert len(_instances) == before[0]
    pools = min(32, (os.cpu_count() or 1) + 4) + 2  # asyncio's threads and httpx's
    until(lambda: threading.active_count() <= before[1] + pools)
