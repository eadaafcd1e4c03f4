"""A slider with a name. That of ipywidgets has none for who cannot see its label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
from traitlets import Bool, Int, TraitError, Unicode, validate

STATIC = Path(__file__).parent / "static"


class Slider(anywidget.AnyWidget):
    """A whole number between two others, by mouse, by arrow keys, or typed."""

    _esm = STATIC / "slider.js"
    _css = STATIC / "slider.css"

    value = Int(0).tag(sync=True)
    min = Int(0).tag(sync=True)
    max = Int(100).tag(sync=True)
    step = Int(1).tag(sync=True)
    description = Unicode("").tag(sync=True)
    disabled = Bool(False).tag(sync=True)

    @validate("value")
    def _inside(self, proposal: dict[str, Any]) -> int:
        return min(max(proposal["value"], self.min), self.max)

    @validate("max")
    def _not_below(self, proposal: dict[str, Any]) -> int:
        if proposal["value"] < self.min:
            raise TraitError("max may not be below min")
        self.value = min(self.value, proposal["value"])
        return int(proposal["value"])
