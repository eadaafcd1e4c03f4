"""Threads for whoever asks other machines. Those of `asyncio.to_thread` are few, and everything here
uses them: a Hub that is slow to answer must not hold up anything else, nor the server's end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["aside", "begun"]

P = ParamSpec("P")
T = TypeVar("T")


async def aside(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `function` returns or raises, called in a thread of its own."""
    return await begun(function, *args, **kwargs)


def begun(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
    """The same, to be awaited later. The process does not wait for the thread when it ends."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def finish(result: T | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, caught = None, None
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            caught = error
        try:
            loop.call_soon_threadsafe(finish, result, caught)
        except RuntimeError:
            pass  # the server has ended meanwhile

    threading.Thread(target=run, name="lmnb-aside", daemon=True).start()
    return future
