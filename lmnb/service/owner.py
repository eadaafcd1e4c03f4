"""Which server works on a row that all servers see, and whether it still lives."""

from __future__ import annotations

import os
import socket

import psutil

__all__ = ["is_gone", "this_process"]

CLOCK_SLACK = 5.0
"""Seconds by which a process may seem to have started earlier or later, when the clock was set."""


def this_process() -> str:
    """A name that no other process has."""
    return f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time()}"


def is_gone(owner: str | None) -> bool:
    """Has the process ended? Of another machine's nothing is known: it counts as alive."""
    if owner is None:
        return False
    host, pid, started = owner.rsplit(" ", 2)
    if host != socket.gethostname():
        return False
    try:
        now: float = psutil.Process(int(pid)).create_time()
        return abs(now - float(started)) > CLOCK_SLACK
    except psutil.NoSuchProcess:
        return True
