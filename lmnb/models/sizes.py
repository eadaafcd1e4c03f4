"""Bytes as disks and the Hub count them."""

from __future__ import annotations

__all__ = ["shown"]


def shown(count: int) -> str:
    """In powers of 1000: `1.32 GB`."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count} bytes"
