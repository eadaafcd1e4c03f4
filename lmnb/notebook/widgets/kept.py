"""What stays in the notebook when the kernel, and with it the widget, is gone."""

from __future__ import annotations

import weakref
from typing import Any

_in_cells: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


class Kept:
    """For widgets: a transcript under the widget, which is saved with the cell like any output.

    Running the cell again closes the widget that it made before: ipywidgets keeps every widget that
    was ever shown.
    """

    _display_id = ""

    def transcript(self) -> str:
        """The widget's state as Markdown. Empty where there is nothing to keep."""
        raise NotImplementedError

    def keep(self) -> None:
        """Bring the saved transcript up to date."""
        if self._display_id:
            _publish(self._display_id, self.transcript(), update=True)

    def _ipython_display_(self, **_: Any) -> None:
        from IPython.display import publish_display_data

        bundle = self._repr_mimebundle_()  # type: ignore[attr-defined]
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        publish_display_data(data, metadata)
        if not self._display_id:
            self._display_id = f"lmnb-{id(self):x}"
            _publish(self._display_id, self.transcript(), update=False)
        if cell := _cell():
            before = _in_cells.get(cell)
            if before is not None and before is not self:
                before.close()
            _in_cells[cell] = self


def _publish(display_id: str, markdown: str, *, update: bool) -> None:
    from IPython.display import publish_display_data

    data = {"text/plain": markdown, "text/markdown": _folded(markdown)}
    publish_display_data(data, transient={"display_id": display_id}, update=update)


def _folded(markdown: str) -> str:
    if not markdown:
        return ""
    head = "<details><summary>Saved with the notebook</summary>"
    return f"{head}\n\n{markdown}\n\n</details>"


def _cell() -> str:
    """The cell that runs; empty where the front end does not say."""
    from IPython import get_ipython

    read: Any = getattr(get_ipython(), "get_parent", dict)
    return str(((read() or {}).get("metadata") or {}).get("cellId") or "")
