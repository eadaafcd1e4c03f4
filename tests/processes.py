"""Processes that others started."""

from __future__ import annotations

import psutil


def gone(pid: int) -> bool:
    """It has ended, though whoever started it may not have looked yet."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
