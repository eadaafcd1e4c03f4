"""All of it in one place."""

from __future__ import annotations

from typing import Any

from ipywidgets import Tab, VBox

from lmnb.notebook.widgets.chat import Chat
from lmnb.notebook.widgets.closing import close_parts
from lmnb.notebook.widgets.compare import Compare
from lmnb.notebook.widgets.kept import Kept
from lmnb.notebook.widgets.loader import Loader
from lmnb.notebook.widgets.loop import Loop, loop
from lmnb.notebook.widgets.search import Search
from lmnb.notebook.widgets.tokens import Tokens


class Studio(Kept, VBox):
    """`lmnb.Studio()`: find, load, talk, compare, look closely."""

    instead = "`%lms help` lists the verbs."

    def __init__(self, model: str = "", *, loop: Loop = loop) -> None:
        self.search = Search(loop=loop)
        self.loader = Loader(model, loop=loop)
        self.chat = Chat(model, loop=loop)
        self.compare = Compare(loop=loop)
        self.tokens = Tokens(model, loop=loop)
        self._pages: dict[str, Any] = {
            "Find": self.search,
            "Load": self.loader,
            "Chat": self.chat,
            "Compare": self.compare,
            "Tokens": self.tokens,
        }
        self.tabs = Tab(list(self._pages.values()), titles=tuple(self._pages), selected_index=2)
        super().__init__([self.tabs])
        for page in self._pages.values():
            page.keep = self.keep
        self.tabs.observe(lambda _: self._turned(), "selected_index")

    def transcript(self) -> str:
        """What every page has to keep."""
        kept = {name: page.transcript() for name, page in self._pages.items()}
        return "\n\n".join(f"### {name}\n\n{text}" for name, text in kept.items() if text)

    def close(self) -> None:
        """Give every page up."""
        for page in self._pages.values():
            page.close()
        close_parts(self)
        super().close()

    def _turned(self) -> None:
        """Models may have come since a page was looked at."""
        pages = (self.search, self.loader, self.chat, self.compare, self.tokens)
        pages[self.tabs.selected_index or 0].refresh()
