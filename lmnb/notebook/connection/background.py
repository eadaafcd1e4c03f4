"""Coroutines for code that is not async: run in a thread, watched from this one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")
INTERVAL = 0.1


def run(main: Coroutine[Any, Any, T], tick: Callable[[], None] = lambda: None) -> T:
    """The coroutine's result. `tick` is called about ten times a second meanwhile.

    An interrupt cancels the coroutine, waits until it has ended, and is raised. A cell runs inside
    its kernel's event loop: hence the thread, with a loop of its own.
    """
    done = Future[T]()
    loop = asyncio.new_event_loop()
    task = loop.create_task(main)

    def work() -> None:
        asyncio.set_event_loop(loop)
        try:
            done.set_result(loop.run_until_complete(task))
        except BaseException as error:
            done.set_exception(error)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    thread = threading.Thread(
        target=copy_context().run, args=(work,), name="lmnb-background", daemon=True
    )
    thread.start()
    try:
        while not _ended(done):
            tick()
    except BaseException:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
    thread.join()
    return done.result()


def _ended(done: Future[T]) -> bool:
    try:
        done.exception(timeout=INTERVAL)
    except TimeoutError:
        return False
    return True
