"""Notebooks for tests, and waiting for their kernels."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Page

IDLE = """() => {
    const context = window.jupyterapp?.shell.currentWidget?.sessionContext;
    return context?.isReady && context.session?.kernel?.status === 'idle';
}"""


def write_notebook(path: Path, *sources: str) -> None:
    """A notebook with these code cells."""
    cells = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"cell-{number}",
            "metadata": {},
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(sources)
    ]
    kernel = {"name": "python3", "display_name": "Python 3"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}}
    path.write_text(json.dumps({**notebook, "nbformat": 4, "nbformat_minor": 5}))


def wait_for_kernel(page: Page) -> None:
    page.wait_for_function(IDLE)


def wait_for_source(page: Page, number: int, source: str) -> None:
    """Until that cell of the notebook that is open is this."""
    page.wait_for_function(
        "([number, source]) => window.jupyterapp.shell.currentWidget.content.widgets[number]"
        "?.model.sharedModel.getSource() === source",
        arg=[number, source],
    )


def source_of(page: Page, number: int) -> str:
    """The text of a cell of the notebook that is open."""
    source: str = page.evaluate(
        "number => window.jupyterapp.shell.currentWidget.content.widgets[number]"
        ".model.sharedModel.getSource()",
        number,
    )
    return source
