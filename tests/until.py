"""Waiting for what will happen, without knowing when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest


async def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Returns as soon as it holds; fails the test when it has not for so long."""
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("It did not happen.")
