"""How sure a model was of each token, and what it might have written instead."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from ipywidgets import HTML, BoundedFloatText, Button, Dropdown, HBox, Textarea

from lmnb.errors import InvalidRequest
from lmnb.notebook.choice import language_models
from lmnb.notebook.connection.transport import PATIENT
from lmnb.notebook.display.markdown import table
from lmnb.notebook.widgets.loop import Loop, loop
from lmnb.notebook.widgets.panel import Panel, quiet
from lmnb.notebook.widgets.slider import Slider

WIDE = {"width": "100%"}
STYLE = """<style>
.lmnb-token { border-bottom: 3px solid; cursor: help; display: inline-block; position: relative;
  white-space: pre; }
.lmnb-token > table { background: var(--jp-layout-color1, #fff); border: 1px solid
  var(--jp-border-color1, #bdbdbd); color: var(--jp-content-font-color1, #212121); display: none;
  left: 0; padding: 4px; position: absolute; top: 100%; z-index: 10; }
.lmnb-token:is(:hover, :focus) > table { display: table; }
.lmnb-tokens { line-height: 2; overflow: visible; padding-bottom: 12rem; white-space: pre-wrap; }
</style>"""


class Tokens(Panel):
    """`lmnb.Tokens()`: each token with its probability. `tokens` holds what the server said."""

    instead = "`logprobs=True, top_logprobs=8` in a chat completion of `lmnb.client()`."

    def __init__(
        self, model: str = "", *, prompt: str = "", max_tokens: int = 40, loop: Loop = loop
    ) -> None:
        super().__init__("Token by token", loop=loop)
        self.tokens: list[dict[str, Any]] = []
        self.choice = Dropdown(description="Model", layout=WIDE)
        self.prompt = Textarea(value=prompt, description="Question", rows=3, layout=WIDE)
        self.temperature = BoundedFloatText(
            value=0.0,
            min=0,
            max=2,
            step=0.1,
            description="Temperature",
            style={"description_width": "initial"},
        )
        self.longest = Slider(value=max_tokens, min=1, max=400, description="Tokens")
        self.go = Button(description="Ask", tooltip="Ask, and look closely", button_style="primary")
        self.view = HTML(layout={"overflow": "visible"})
        self.go.on_click(lambda _: self.start())
        self.fill(
            self.choice, self.prompt, HBox([self.temperature, self.longest, self.go]), self.view
        )
        self.begin(self._open(model))

    def start(self) -> None:
        """Ask the question."""
        self.complain("")
        self.begin(self._ask(self.choice.value, self.prompt.value.strip()))

    def refresh(self) -> None:
        """Models may have come or gone."""
        self.begin(self._open(self.choice.value or ""))

    def transcript(self) -> str:
        """The tokens as a table."""
        if not self.tokens:
            return ""
        rows = [
            (_visible(one["token"]), f"{_chance(one):.1%}", ", ".join(map(_named, _others(one))))
            for one in self.tokens
        ]
        head = ["token", "probability", "instead"]
        cells = [[escape(cell) for cell in row] for row in rows]
        return f"**{escape(self.prompt.value.strip())}**\n\n{table(head, cells)}"

    async def _open(self, wanted: str) -> None:
        listing = await self.ask("GET", "api/v1/models")
        models = language_models(listing["models"])
        names = [one["key"] for one in models]
        loaded = [one["key"] for one in models if one.get("loaded_instances")]
        self.choice.options = list(dict.fromkeys([*names, *([wanted] if wanted else [])]))
        self.choice.value = wanted or next(iter([*loaded, *names]), None)

    async def _ask(self, model: str | None, prompt: str) -> None:
        if not model or not prompt:
            raise InvalidRequest("Choose a model and write a question.")
        self.go.disabled = True
        self.say(f"{model} writes …")
        body = {
            "model": model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": self.longest.value,
            "temperature": self.temperature.value,
            "logprobs": True,
            "top_logprobs": 8,
        }
        try:
            answer = await self.ask("POST", "v1/chat/completions", body, timeout=PATIENT)
        finally:
            self.go.disabled = False
        choice = answer["choices"][0]
        self.tokens = (choice.get("logprobs") or {}).get("content") or []
        self.view.value = STYLE + _drawn(self.tokens)
        sure = math.exp(sum(t["logprob"] for t in self.tokens) / max(1, len(self.tokens)))
        self.say(f"{len(self.tokens)} tokens; {sure:.0%} sure of each on (geometric) average.")
        self.keep()


def _drawn(tokens: list[dict[str, Any]]) -> str:
    drawn = "".join(_token(token) for token in tokens)
    hint = quiet("Point at a token, or reach it with Tab, to see what else could have stood there.")
    return f'{hint}<div class="lmnb-tokens">{drawn}</div>'


def _token(token: dict[str, Any]) -> str:
    """Green where the model was sure, red where it was not; the table says it in figures."""
    chance = _chance(token)
    colour = f"hsl({round(120 * chance)} 70% 45%)"
    rows = "".join(
        f"<tr><td>{escape(_visible(one['token']))}</td><td>{_chance(one):.1%}</td></tr>"
        for one in sorted([token, *_others(token)], key=_chance, reverse=True)
    )
    text = escape(token["token"]).replace("\n", "↵<br>") or "∅"
    label = escape(f"{_visible(token['token'])}: {chance:.0%}", quote=True)
    return (
        f'<span class="lmnb-token" tabindex="0" style="border-color:{colour}" '
        f'aria-label="{label}">{text}<table>{rows}</table></span>'
    )


def _chance(token: dict[str, Any]) -> float:
    return math.exp(token["logprob"])


def _others(token: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in token.get("top_logprobs") or () if one["token"] != token["token"]]


def _named(token: dict[str, Any]) -> str:
    return f"{_visible(token['token'])} {_chance(token):.0%}"


def _visible(token: str) -> str:
    return token.replace(" ", "␣").replace("\n", "↵").replace("\t", "⇥") or "∅"
