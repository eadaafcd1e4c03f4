"""What a widget is where it cannot be one: without its kernel, or in a terminal."""

from __future__ import annotations

import weakref
from typing import Any, ClassVar

_in_cells: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


class Kept:
    """For widgets: a transcript under the widget, which is saved with the cell like any output.

    Running the cell again closes the widget that it made before: ipywidgets keeps every widget that
    was ever shown. Where there are no widgets, a sentence says what does the same.
    """

    instead: ClassVar[str]
    """What does the same without a widget, as Markdown."""
    _display_id = ""

    def __repr__(self) -> str:
        name = f"lmnb.{type(self).__name__}()"
        return f"{name} shows itself in JupyterLab and Notebook. Without widgets: {self.instead}"

    def transcript(self) -> str:
        """The widget's state as Markdown. Empty where there is nothing to keep."""
        raise NotImplementedError

    def keep(self) -> None:
        """Bring the saved transcript up to date."""
        if self._display_id:
            _publish(self._display_id, self.transcript(), update=True)

    def _ipython_display_(self, **_: Any) -> None:
        from IPython import get_ipython
        from IPython.display import publish_display_data

        shell = get_ipython()
        if shell is not None and not hasattr(shell, "kernel"):
            print(self)
            return
        bundle = self._repr_mimebundle_()  # type: ignore[attr-defined]
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        publish_display_data(
            {**data, "text/plain": repr(self), "text/markdown": repr(self)}, metadata
        )
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
