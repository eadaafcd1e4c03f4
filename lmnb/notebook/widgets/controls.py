"""A load's options as sliders and boxes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ipywidgets import HTML, Accordion, Checkbox, Dropdown, ToggleButtons, VBox, Widget

from lmnb.notebook.load_options import CACHE_TYPES
from lmnb.notebook.widgets.panel import quiet
from lmnb.notebook.widgets.slider import Slider

WIDE = {"width": "34rem", "max_width": "100%"}
NAMES = {"description_width": "11rem"}
FLASH = (("automatic", None), ("on", True), ("off", False))
NO_GPU = "No GPU that lmnb was built for: every layer runs on the processor."


class Controls(VBox):
    """`options` is what a load route takes. `moved` is called when a person moves something."""

    def __init__(self, moved: Callable[[], None]) -> None:
        self._moved = moved
        self._quiet = False
        self.gpu = _slider("GPU layers", 0, 1, 1)
        self.context = _slider("Context, tokens", 256, 4096, 256)
        self.slots = _slider("Requests at once", 1, 64, 1)
        self.threads = _slider("Threads (0: automatic)", 0, 1, 1)
        self.batch = _slider("Batch, tokens", 64, 4096, 64)
        self.cache_k = _choice("Type of cached keys", [(name, name) for name in CACHE_TYPES])
        self.cache_v = _choice("Type of cached values", [(name, name) for name in CACHE_TYPES])
        self.flash = ToggleButtons(
            options=FLASH, description="Flash attention", style={**NAMES, "button_width": "7rem"}
        )
        self.mmap = _box("Map the file instead of reading it")
        self.mlock = _box("Never swap the model out")
        self.why = HTML()
        more = VBox(
            [
                self.threads,
                self.batch,
                self.cache_k,
                self.cache_v,
                self.flash,
                self.mmap,
                self.mlock,
            ]
        )
        folded = Accordion([more], titles=("More",), layout=WIDE)
        super().__init__([self.gpu, self.why, self.context, self.slots, folded])
        for part in self._parts.values():
            part.observe(self._observed, "value")

    @property
    def _parts(self) -> dict[str, Widget]:
        return {
            "gpu": self.gpu,
            "context_length": self.context,
            "slots": self.slots,
            "threads": self.threads,
            "batch_size": self.batch,
            "cache_type_k": self.cache_k,
            "cache_type_v": self.cache_v,
            "flash_attention": self.flash,
            "mmap": self.mmap,
            "mlock": self.mlock,
        }

    @property
    def options(self) -> dict[str, Any]:
        """By the load route's names."""
        values = {name: part.value for name, part in self._parts.items()}
        values["threads"] = values["threads"] or None
        values["micro_batch_size"] = min(512, values["batch_size"])
        if self.gpu.disabled:
            del values["gpu"]
        elif values["gpu"] >= self.gpu.max:
            values["gpu"] = "max"
        return values

    def fit_to(self, machine: Mapping[str, Any]) -> None:
        """The limits of this machine. Without a GPU the slider says so and cannot be moved."""
        gpus = machine.get("gpus") or []
        self._quiet = True
        self.gpu.disabled = not gpus
        self.why.value = "" if gpus else quiet(machine.get("gpus_reason") or NO_GPU)
        self.threads.max = machine.get("cpu_count") or 1
        self._quiet = False

    def show(
        self, options: Mapping[str, Any], *, layers: int, automatic: int, longest: int
    ) -> None:
        """A model's options, with its limits. `automatic`: layers that `auto` puts on the GPU."""
        self._quiet = True
        self.gpu.max = max(1, layers)
        self.gpu.value = _layers(options.get("gpu"), layers, automatic)
        self.context.max = max(256, longest)
        self.context.value = options.get("context_length") or min(4096, self.context.max)
        self.slots.value = options.get("slots") or 4
        self.threads.value = options.get("threads") or 0
        self.batch.value = options.get("batch_size") or 2048
        for name in ("cache_type_k", "cache_type_v", "flash_attention", "mmap", "mlock"):
            if name in options:
                self._parts[name].value = options[name]
        self._quiet = False

    def _observed(self, _: Any) -> None:
        if not self._quiet:
            self._moved()


def _layers(gpu: Any, layers: int, automatic: int) -> int:
    """The slider's place for what the load route takes: words, a share or a number of layers."""
    words = {"off": 0, "max": max(1, layers), "auto": automatic, None: automatic}
    if gpu in words:
        return words[gpu]
    return round(gpu * layers) if isinstance(gpu, float) else min(int(gpu), layers)


def _slider(name: str, low: int, high: int, step: int) -> Slider:
    return Slider(min=low, max=high, step=step, value=low, description=name)


def _choice(name: str, options: list[tuple[str, str]]) -> Dropdown:
    return Dropdown(options=options, value="f16", description=name, style=NAMES, layout=WIDE)


def _box(name: str) -> Checkbox:
    return Checkbox(value=False, description=name, indent=False)
