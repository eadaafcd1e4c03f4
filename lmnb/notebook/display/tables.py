"""What `%lms` shows: tables as HTML in notebooks and as text elsewhere, JSON on request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

from lmnb.notebook.display.markdown import table as markdown_table

UNKNOWN = "-"


class Table:
    """A headed table under a sentence."""

    def __init__(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], caption: str = ""
    ) -> None:
        self.columns = list(columns)
        self.rows = [list(row) for row in rows]
        self.caption = caption

    def to_text(self) -> str:
        """Columns of even width, two spaces apart."""
        lines = [self.columns, *self.rows] if self.rows else []
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        caption = [self.caption] if self.caption else []
        return "\n".join([*caption, *([""] if caption and text else []), *text])

    def to_html(self) -> str:
        """A plain table: the notebook's own style dresses it."""
        caption = f"<p>{escape(self.caption)}</p>" if self.caption else ""
        if not self.rows:
            return caption
        head = "".join(f'<th style="text-align:left">{escape(c)}</th>' for c in self.columns)
        body = "".join(
            "<tr>"
            + "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in row)
            + "</tr>"
            for row in self.rows
        )
        return f"{caption}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def to_markdown(self) -> str:
        """For front ends that show no HTML."""
        rows = [[escape(cell, quote=False) for cell in row] for row in self.rows]
        body = markdown_table(self.columns, rows) if rows else ""
        return "\n\n".join(part for part in (self.caption, body) if part)

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        plain, markdown = self.to_text(), self.to_markdown()
        return {"text/plain": plain, "text/markdown": markdown, "text/html": self.to_html()}


class _ShownAsJson:
    """IPython has printers of its own for lists and dicts, which go before `_repr_mimebundle_`."""

    def _ipython_display_(self) -> None:
        from IPython.display import display

        text = json.dumps(self, indent=2, ensure_ascii=False)
        display({"text/plain": text}, raw=True)


class JsonList(_ShownAsJson, list[Any]):
    """A list that shows as the JSON it is."""


class JsonDict(_ShownAsJson, dict[str, Any]):
    """A dict that shows as the JSON it is."""


def size(count: float | None) -> str:
    """Bytes as LM Studio writes them: powers of 1000."""
    if count is None:
        return UNKNOWN
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit in ("B", "kB") else f"{count:.2f} {unit}"
        count /= 1000
    return f"{count:.2f} TB"


def duration(seconds: float | None) -> str:
    """A span of time for people: `12s`, `4m`, `2h 5m`."""
    if seconds is None:
        return UNKNOWN
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}h {minutes}m" if hours else f"{minutes}m"
