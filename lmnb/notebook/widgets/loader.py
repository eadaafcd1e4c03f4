"""How a model is loaded, with the memory that it would take."""

from __future__ import annotations

import asyncio
from html import escape
from typing import Any

from ipywidgets import HTML, Accordion, Button, Dropdown, FloatProgress, HBox

from lmnb.notebook.connection.transport import PATIENT
from lmnb.notebook.connection.wire import Model
from lmnb.notebook.widgets.bars import arithmetic, bars, summary
from lmnb.notebook.widgets.controls import NAMES, WIDE, Controls
from lmnb.notebook.widgets.loop import Loop, loop
from lmnb.notebook.widgets.panel import Panel

SETTLE_SECONDS = 0.12
"""A slider that moves is asked about when it has rested for so long."""


class Loader(Panel):
    """`lmnb.Loader()`: load a model; the bars move as the sliders do."""

    instead = "`%lms estimate NAME` and `%lms load NAME`; `--help` lists the options."

    def __init__(self, model: str = "", *, loop: Loop = loop) -> None:
        super().__init__("Load a model", loop=loop)
        self.choice = Dropdown(description="Model", style=NAMES, layout=WIDE)
        self.controls = Controls(self._moved)
        self.memory, self.figures = HTML(), HTML()
        self.load = _button("Load", "Load the model so", "primary")
        self.unload = _button("Unload", "Unload it and give its memory back")
        self.save = _button("Save as this model's defaults", "Used whenever this model is loaded")
        self.reset = _button("Forget the saved ones", "Load this model as lmnb decides")
        self.progress = FloatProgress(min=0, max=1, layout={"width": "34rem", "display": "none"})
        self.estimate: dict[str, Any] = {}
        self._models: dict[str, Model] = {}
        self._asked = 0
        self.choice.observe(self._picked, "value")
        for button, work in (
            (self.load, self._load),
            (self.unload, self._unload),
            (self.save, self._save),
            (self.reset, self._reset),
        ):
            button.on_click(lambda _, work=work: self._act(work))
        buttons = HBox([self.load, self.unload, self.save, self.reset], layout=_WRAP)
        folded = Accordion([self.figures], titles=("The arithmetic",), layout=WIDE)
        self.fill(self.choice, self.controls, self.memory, folded, buttons, self.progress)
        self.begin(self._open(model))

    def transcript(self) -> str:
        """What is set, and what it would take."""
        if not self.estimate:
            return ""
        options = ", ".join(f"{name} {value}" for name, value in self.controls.options.items())
        return f"**{escape(self.estimate['model'])}**: {options}\n\n{summary(self.estimate)}"

    def refresh(self) -> None:
        """Models may have come or gone."""
        self.begin(self._open(self.choice.value or ""))

    # -- what the person does -----------------------------------------------------------------

    def _picked(self, change: dict[str, Any]) -> None:
        if change["new"]:
            self.complain("")
            self.begin(self._settings(change["new"]))

    def _moved(self) -> None:
        self.complain("")
        self.begin(self._estimate(SETTLE_SECONDS))

    def _act(self, work: Any) -> None:
        self.complain("")
        if self.choice.value:
            self.begin(work(self.choice.value))

    # -- what the server does -----------------------------------------------------------------

    async def _open(self, wanted: str) -> None:
        listing, status = await asyncio.gather(
            self.ask("GET", "api/v1/models"), self.ask("GET", "api/v1/status")
        )
        self.controls.fit_to(status["machine"])
        self._models = {one["key"]: one for one in listing["models"]}
        names = list(self._models)
        if not names:
            self.complain("There is no model on this machine yet: lmnb.Search() finds some.")
            return
        before = self.choice.value
        self.choice.options = names
        self.choice.value = wanted if wanted in names else before if before in names else names[0]
        self._enable()

    async def _settings(self, model: str) -> None:
        self.say(f"looking at {model} …")
        answer = await self.ask("GET", f"api/v1/models/settings/{model}")
        estimate = await self._ask_estimate({"model": model})
        if model != self.choice.value:
            return  # another one was picked meanwhile
        longest = self._models[model].get("max_context_length") or 4096
        effective = {**answer["effective"], **_known(estimate["load_config"])}
        automatic = estimate["automatic"]["gpu_layers"] or 0
        self.controls.show(
            effective, layers=estimate["layers"], automatic=automatic, longest=longest
        )
        self.reset.disabled = not answer["settings"]
        self._enable()
        self._show(estimate)
        self.say("")

    async def _estimate(self, delay: float) -> None:
        """Of many movements, the last one counts."""
        self._asked += 1
        asked = self._asked
        await asyncio.sleep(delay)
        if asked == self._asked and self.choice.value:
            body = {"model": self.choice.value, **self.controls.options}
            estimate = await self._ask_estimate(body)
            if asked == self._asked:
                self._show(estimate)

    async def _ask_estimate(self, body: dict[str, Any]) -> dict[str, Any]:
        return await self.ask("POST", "api/v1/models/estimate", body, timeout=PATIENT)

    async def _load(self, model: str) -> None:
        self.say(f"loading {model} …")
        self.progress.value, self.progress.layout.display = 0, ""
        self.load.disabled = True
        try:
            options = {"identifier": model, **self.controls.options}
            answer = await self._loop.blocking(lambda c: c.load(model, options, self._move))
        finally:
            self.load.disabled = False
            self.progress.layout.display = "none"
        await self._open(model)
        self.say(f"{answer['instance_id']} is loaded, in {answer['load_time_seconds']:.1f} s.")
        self.keep()

    def _move(self, share: float) -> None:
        self.progress.value = share

    async def _unload(self, model: str) -> None:
        for instance in self._models[model].get("loaded_instances") or ():
            body = {"instance_id": instance["id"]}
            await self.ask("POST", "api/v1/models/unload", body, timeout=PATIENT)
        await self._open(model)
        self.say(f"{model} is not loaded any more.")
        await self._estimate(0)

    async def _save(self, model: str) -> None:
        await self.ask("PUT", f"api/v1/models/settings/{model}", self.controls.options)
        self.reset.disabled = False
        self.say(f"{model} will be loaded so from now on, whoever asks for it.")
        self.keep()

    async def _reset(self, model: str) -> None:
        await self.ask("DELETE", f"api/v1/models/settings/{model}")
        await self._settings(model)
        self.say(f"{model} will be loaded as lmnb decides.")

    # -- what shows ---------------------------------------------------------------------------

    def _show(self, estimate: dict[str, Any]) -> None:
        self.estimate = estimate
        self.memory.value = bars(estimate)
        self.figures.value = arithmetic(estimate)
        self.load.disabled = not estimate["guardrail"]["allowed"]
        self.keep()

    def _enable(self) -> None:
        model = self._models.get(self.choice.value or "")
        self.unload.disabled = not (model and model.get("loaded_instances"))


_WRAP = {"flex_flow": "row wrap"}


def _known(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if value is not None}


def _button(name: str, tooltip: str, style: str = "") -> Button:
    return Button(description=name, tooltip=tooltip, button_style=style, layout={"width": "auto"})
