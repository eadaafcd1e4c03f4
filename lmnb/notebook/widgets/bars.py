"""An estimate of memory as bars, one a device."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from lmnb.notebook.display.tables import size

PARTS = (
    ("weights_bytes", "weights", "var(--jp-brand-color1, #1976d2)"),
    ("kv_cache_bytes", "KV cache", "var(--jp-warn-color1, #f57c00)"),
    ("compute_bytes", "computing", "var(--jp-success-color1, #388e3c)"),
    ("projector_bytes", "projector", "var(--jp-accent-color1, #7b1fa2)"),
)
FITS = {
    "full_gpu": ("✓ fits the GPU whole", "--jp-success-color1, #388e3c"),
    "partial_gpu": ("◐ partly on the GPU", "--jp-warn-color1, #f57c00"),
    "cpu": ("✓ fits, on the processor", "--jp-success-color1, #388e3c"),
    "too_large": ("✗ too large for this machine", "--jp-error-color1, #c62828"),
}


def badge(fit: str) -> str:
    """How a model fits, in a word and a colour."""
    text, colour = FITS.get(fit, (fit, "--jp-content-font-color2, #616161"))
    return f'<span class="lmnb-badge" style="color:var({colour})">{escape(text)}</span>'


def bars(estimate: Mapping[str, Any]) -> str:
    """What `POST api/v1/models/estimate` answers, as HTML."""
    devices = "".join(_device(device) for device in estimate["devices"])
    reason = estimate["guardrail"].get("reason") or ""
    warning = f'<div class="lmnb-error">{escape(reason)}</div>' if reason else ""
    return f"{badge(estimate['fit'])} {size(estimate['total_bytes'])} in all{devices}{warning}"


def arithmetic(estimate: Mapping[str, Any]) -> str:
    """How the figures came about."""
    lines = "\n".join(estimate["arithmetic"])
    return f"<pre style='white-space:pre-wrap'>{escape(lines)}</pre>"


def summary(estimate: Mapping[str, Any]) -> str:
    """The same in words, for who cannot see bars and for the saved notebook."""
    parts = [
        f"{device['name']}: {size(device['total_required_bytes'])} needed, "
        f"{size(device['free_bytes'])} free of {size(device['total_bytes'])}"
        for device in estimate["devices"]
    ]
    return "; ".join([*parts, FITS.get(estimate["fit"], (estimate["fit"], ""))[0]])


def _device(device: Mapping[str, Any]) -> str:
    total = device["total_bytes"] or 1
    used = max(0, total - device["free_bytes"])
    slices = [("others", used, "var(--jp-layout-color4, #9e9e9e)")]
    slices += [(name, device.get(key) or 0, colour) for key, name, colour in PARTS]
    shown = [(name, count, colour) for name, count, colour in slices if count]
    spans = "".join(
        f'<span style="background:{colour};width:{min(100.0, 100 * count / total):.2f}%" '
        f'title="{name}: {size(count)}"></span>'
        for name, count, colour in shown
    )
    legend = " · ".join(
        f'<span style="color:{colour}">■</span> {name} {size(count)}'
        for name, count, colour in shown
    )
    needed = size(device["total_required_bytes"])
    words = f"{device['name']}: {needed} needed, {size(device['free_bytes'])} free of {size(total)}"
    return (
        f'<div style="margin-top:6px">{escape(words)}</div>'
        f'<div class="lmnb-bar" role="img" aria-label="{escape(words)}">{spans}</div>'
        f'<div style="font-size:0.85em">{legend}</div>'
    )
