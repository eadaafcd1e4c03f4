"""Giving widgets up. ipywidgets keeps every widget until it is closed, and so it does the layout and
the style that each has."""

from __future__ import annotations

from ipywidgets import Widget

OWNED = ("layout", "style")


def close_parts(widget: Widget) -> None:
    """Close what is inside a widget and what belongs to it, but not itself."""
    for child in getattr(widget, "children", ()):
        close_parts(child)
        child.close()
    for name in OWNED:
        part = getattr(widget, name, None)
        if isinstance(part, Widget):
            part.close()
