"""What the widgets made of ready-made parts have in common."""

from __future__ import annotations

from collections.abc import Coroutine
from concurrent.futures import Future
from html import escape
from typing import Any

from ipywidgets import HTML, VBox, Widget

from lmnb.errors import LmnbError
from lmnb.notebook.widgets.closing import close_parts
from lmnb.notebook.widgets.kept import Kept
from lmnb.notebook.widgets.loop import Loop, loop

STYLE = """<style>
.lmnb-panel { max-width: 60rem; }
.lmnb-panel .lmnb-error { color: var(--jp-error-color1, #c62828); }
.lmnb-panel .lmnb-quiet { color: var(--jp-content-font-color2, #616161); }
.lmnb-panel :is(button, input, select, textarea):focus-visible {
  outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }
.lmnb-panel .lmnb-badge { border: 1px solid; border-radius: 8px; font-size: 0.85em; padding: 0 6px; }
.lmnb-panel .lmnb-bar { background: var(--jp-layout-color3, #e0e0e0); display: flex; height: 14px; }
.lmnb-panel .lmnb-bar > span { height: 100%; }
.lmnb-panel table { border-collapse: collapse; }
.lmnb-panel :is(th, td) { padding: 2px 10px 2px 0; text-align: left; }
</style>"""


class Panel(Kept, VBox):
    """A box with a line for what is going on and a red one for what went wrong."""

    def __init__(self, label: str, *, loop: Loop = loop) -> None:
        self._loop = loop
        self._tasks: set[Future[Any]] = set()
        self.note, self.alert = HTML(), HTML()
        super().__init__()
        self.add_class("lmnb-panel")
        self._label = HTML(f'{STYLE}<h3 style="margin:0">{escape(label)}</h3>')

    def fill(self, *parts: Widget) -> None:
        """What shows, between the heading and the lines for news."""
        self.children = (self._label, *parts, self.note, self.alert)

    def begin(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Run `work` beside the kernel. Its failure becomes the red line."""
        future = self._loop.run(self._watched(work))
        self._tasks.add(future)
        future.add_done_callback(self._tasks.discard)
        return future

    def say(self, text: str) -> None:
        """What is going on; empty: nothing."""
        self.note.value = (
            f'<span role="status" class="lmnb-quiet">{escape(text)}</span>' if text else ""
        )

    def complain(self, text: str) -> None:
        """What went wrong; empty: nothing."""
        self.alert.value = (
            f'<span role="alert" class="lmnb-error">{escape(text)}</span>' if text else ""
        )

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> dict[str, Any]:
        """What a route answers. Raises LmnbError."""
        return await (await self._loop.client()).json(method, path, body, **options)

    def close(self) -> None:
        """End what runs, and give every part up."""
        for task in list(self._tasks):
            task.cancel()
        close_parts(self)
        super().close()

    async def _watched(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        except LmnbError as error:
            self.say("")
            self.complain(error.message)
        except Exception as error:  # nobody else waits for this task
            self.complain(f"The widget failed: {type(error).__name__}: {error}")
            raise


def quiet(text: str) -> str:
    """Small print, as HTML."""
    return f'<span class="lmnb-quiet">{escape(text)}</span>'
