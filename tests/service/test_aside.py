"""Who waits for another machine holds up nobody here."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from lmnb.service.aside import aside


async def test_the_threads_of_everybody_stay_free() -> None:
    let_go = threading.Event()
    count = 2 * (os.cpu_count() or 1) + 40
    waiting = [asyncio.ensure_future(aside(let_go.wait)) for _ in range(count)]
    await asyncio.sleep(0)
    assert await asyncio.to_thread(lambda: "free") == "free"
    let_go.set()
    assert await asyncio.gather(*waiting) == [True] * count


async def test_what_is_raised_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await aside(divmod, 1, 0)


async def test_who_no_longer_waits_is_not_told() -> None:
    let_go = threading.Event()
    waiting = asyncio.ensure_future(aside(let_go.wait))
    await asyncio.sleep(0)
    waiting.cancel()
    let_go.set()
    assert await aside(len, "abc") == 3
    assert waiting.cancelled()
