"""Finds models on the Hugging Face Hub and fetches them."""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import urlencode

from ipywidgets import HTML, Button, Checkbox, Dropdown, HBox, Text, VBox

from lmnb.notebook.connection.transport import PATIENT
from lmnb.notebook.display.tables import size
from lmnb.notebook.widgets.bars import FITS, badge
from lmnb.notebook.widgets.closing import close_parts
from lmnb.notebook.widgets.downloads import Downloads
from lmnb.notebook.widgets.loop import Loop, loop
from lmnb.notebook.widgets.panel import Panel, quiet

SORTS = (
    ("most downloads", "downloads"),
    ("most likes", "likes"),
    ("trending", "trending"),
    ("newest", "updated"),
)
WRAP = {"flex_flow": "row wrap", "align_items": "center"}


class Search(Panel):
    """`lmnb.Search("gemma")`: search, see what fits this machine, download."""

    instead = "`%lms search WORDS` finds models, `%lms get NAME` fetches one."

    def __init__(self, query: str = "", *, loop: Loop = loop) -> None:
        super().__init__("Find a model", loop=loop)
        self.query = _text("Search", "gemma 3 1b", query)
        self.owner = _text("Publisher", "any")
        self.architecture = _text("Architecture", "any")
        self.sort = Dropdown(options=SORTS, description="Order")
        self.fitting = Checkbox(value=True, description="Only what fits", indent=False)
        self.go = Button(description="Search", tooltip="Search the Hub", button_style="primary")
        self.more = Button(description="More", layout={"display": "none"})
        self.results = VBox()
        self.downloads = Downloads(self)
        self.found: list[dict[str, Any]] = []
        self._cursor: str | None = None
        self.go.on_click(lambda _: self.start())
        self.more.on_click(lambda _: self.begin(self._search(self._cursor)))
        self.query.observe(lambda _: self.start(), "value")
        self.fitting.observe(lambda _: self._show(), "value")
        filters = HBox([self.owner, self.architecture, self.sort, self.fitting], layout=WRAP)
        self.fill(
            HBox([self.query, self.go], layout=WRAP),
            filters,
            self.results,
            self.more,
            self.downloads,
        )
        self.begin(self.downloads.look())
        if query:
            self.start()

    def start(self) -> None:
        """Search for what the boxes say."""
        self.complain("")
        if self.query.value.strip() or self.owner.value.strip():
            self.begin(self._search())

    def refresh(self) -> None:
        """Downloads may have begun elsewhere."""
        self.begin(self.downloads.look())

    def transcript(self) -> str:
        """What was found, as a list."""
        lines = [
            f"- [{escape(one['id'])}]({one['url']}), {_figures(one)}; recommended: "
            f"{one['recommended'] or 'none that fits'}"
            for one in self._shown()
        ]
        return "\n".join(lines)

    async def _search(self, cursor: str | None = None) -> None:
        self.say("searching …")
        asked = {
            "q": self.query.value.strip(),
            "owner": self.owner.value.strip(),
            "architecture": self.architecture.value.strip(),
            "sort": self.sort.value,
            "cursor": cursor,
        }
        given = urlencode({name: value for name, value in asked.items() if value})
        answer = await self.ask("GET", f"api/v1/models/search?{given}", timeout=PATIENT)
        self.found = [*(self.found if cursor else []), *answer["models"]]
        self._cursor = answer.get("next_cursor")
        self.more.layout.display = "" if self._cursor else "none"
        self._show()

    def _shown(self) -> list[dict[str, Any]]:
        if not self.fitting.value:
            return self.found
        return [one for one in self.found if any(_fits(v) for v in one["variants"])]

    def _show(self) -> None:
        for former in self.results.children:
            former.close()
        shown = self._shown()
        self.results.children = tuple(Found(one, self) for one in shown)
        hidden = len(self.found) - len(shown)
        some = f"{len(shown)} found" + (
            f", {hidden} more too large for this machine" if hidden else ""
        )
        self.say(some if self.found else "Nothing was found.")
        self.keep()

    def fetch(self, model: str, quantization: str | None) -> None:
        """Begin a download."""
        self.complain("")
        self.begin(self.downloads.start(model, quantization))


class Found(VBox):
    """A repository: what it is, and its quantisations to choose from."""

    def __init__(self, one: dict[str, Any], search: Search) -> None:
        variants = [variant for variant in one["variants"] if variant.get("size_bytes")]
        self.choice = Dropdown(
            options=[(_offer(v), at) for at, v in enumerate(variants)],
            description="Quantisation",
            style={"description_width": "6rem"},
            layout={"width": "26rem"},
        )
        self.badge = HTML()
        self.get = Button(description="Download", tooltip=f"Download {one['id']}")
        self._variants = variants
        self.choice.observe(lambda _: self._chosen(), "value")
        best = [at for at, v in enumerate(variants) if v["recommended"]]
        if variants:
            self.choice.value = best[0] if best else 0
        self._chosen()
        self.get.on_click(
            lambda _: search.fetch(one["id"], self._variants[self.choice.value]["quantization"])
        )
        row = HBox([self.choice, self.badge, self.get], layout=WRAP)
        super().__init__([HTML(_headline(one)), row], layout={"margin": "8px 0 0 0"})

    def close(self) -> None:
        """Give its parts up, too."""
        close_parts(self)
        super().close()

    def _chosen(self) -> None:
        at = self.choice.value
        variant = self._variants[at] if at is not None else None
        self.badge.value = badge(variant["fit"]) if variant else quiet("no files to run")
        here = bool(variant and variant.get("downloaded"))
        self.get.description = "Here already" if here else "Download"
        self.get.disabled = variant is None or here


def _fits(variant: dict[str, Any]) -> bool:
    return bool(variant["fit"] != "too_large")


def _offer(variant: dict[str, Any]) -> str:
    star = " ★ recommended" if variant["recommended"] else ""
    mark = FITS.get(variant["fit"], ("?", ""))[0][0]
    return f"{mark} {variant['quantization'] or '?'}  {size(variant['size_bytes'])}{star}"


def _headline(one: dict[str, Any]) -> str:
    able = [name for name, has in (one.get("capabilities") or {}).items() if has is True]
    words = {"trained_for_tool_use": "tools", "reasoning": "reasoning", "vision": "vision"}
    tags = "".join(
        f' <span class="lmnb-badge">{escape(words[name])}</span>' for name in able if name in words
    )
    if one.get("gated"):
        tags += ' <span class="lmnb-badge" title="Accept its terms on the Hub first">gated</span>'
    link = f'<a href="{escape(one["url"])}" target="_blank" rel="noopener">{escape(one["id"])}</a>'
    return f"<strong>{link}</strong>{tags}<br>{quiet(_figures(one))}"


def _figures(one: dict[str, Any]) -> str:
    parts = [
        one.get("params_string"),
        one.get("architecture"),
        f"{one['downloads']:,} downloads" if one.get("downloads") is not None else "",
        f"{one['likes']:,} likes" if one.get("likes") is not None else "",
        one.get("license"),
        (one.get("updated_at") or "")[:10],
    ]
    return " · ".join(part for part in parts if part)


def _text(name: str, placeholder: str, value: str = "") -> Text:
    return Text(value=value, description=name, placeholder=placeholder, continuous_update=False)
