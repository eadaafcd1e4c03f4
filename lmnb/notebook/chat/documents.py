"""Files as text that a model can read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lmnb.errors import InvalidRequest
from lmnb.notebook.chat.values import Written

MAX_OUTPUT = 2000
"""Characters of one output of a notebook's cell."""


def read(name: str) -> Written:
    """The text of a file, and in a few words what it is. Raises InvalidRequest, saying why not."""
    path = Path(name).expanduser()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{name} cannot be read: {error.strerror or error}") from error
    kind = path.suffix.lower()
    if kind == ".pdf":
        return _pdf(name, path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = ""
    if "\0" in text or (data and not text):
        raise InvalidRequest(
            f"{name} is no text. Text in UTF-8, Markdown, CSV, notebooks and PDF can be sent; "
            "pictures with --image."
        )
    if kind == ".ipynb":
        return _notebook(name, text)
    lines = text.count("\n") + 1
    return Written(text, f"file, {lines:,} {'line' if lines == 1 else 'lines'}")


def _pdf(name: str, path: Path) -> Written:
    try:
        from pypdf import PdfReader
        from pypdf.errors import PyPdfError
    except ImportError as error:
        raise InvalidRequest(f"Reading {name} needs a package: `%pip install pypdf`.") from error
    try:
        pages = [page.extract_text().strip() for page in PdfReader(path).pages]
    except (PyPdfError, ValueError, KeyError) as error:
        raise InvalidRequest(f"{name} is no PDF that can be read: {error}") from error
    if not any(pages):
        raise InvalidRequest(f"{name} holds no text, only pictures of it perhaps.")
    text = "\n\n".join(f"[page {number}]\n{page}" for number, page in enumerate(pages, 1) if page)
    return Written(text, f"PDF, {len(pages):,} {'page' if len(pages) == 1 else 'pages'}")


def _notebook(name: str, text: str) -> Written:
    try:
        cells = json.loads(text)["cells"]
        parts = [part for cell in cells for part in _cell(cell)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidRequest(f"{name} is no notebook: {error!r}") from error
    return Written("\n\n".join(parts), f"notebook, {len(cells):,} cells")


def _cell(cell: dict[str, Any]) -> list[str]:
    source = _joined(cell["source"])
    if cell["cell_type"] != "code":
        return [source]
    parts = [f"```python\n{source}\n```"]
    for output in cell.get("outputs", ()):
        said = _joined(output.get("text") or output.get("data", {}).get("text/plain", ""))
        if output.get("output_type") == "error":
            said = f"{output.get('ename')}: {output.get('evalue')}"
        if len(said) > MAX_OUTPUT:
            said = f"{said[:MAX_OUTPUT]}\n({len(said) - MAX_OUTPUT:,} characters left out.)"
        if said.strip():
            parts.append(f"```\n{said.rstrip()}\n```")
    return parts


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
