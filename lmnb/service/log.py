"""The log that one can follow: requests, what models were sent and said, engines' complaints.

What people ask and models answer is nobody's business by default: it is put together only while
somebody follows it, and goes to those who do and nowhere else. With `keep_content` (for one's own
debugging) it is remembered with the rest, in memory, until newer lines push it out. Of a key there
is its name, of an address its path without what follows the question mark.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Literal

from lmnb.service.events import Finished
from lmnb.service.following import Following

__all__ = [
    "Answered",
    "EngineSaid",
    "Entry",
    "Follower",
    "Kind",
    "Log",
    "Prompted",
    "Requested",
    "Source",
    "Wanted",
]

Source = Literal["server", "model", "runtime"]
Kind = Literal["input", "output"]
RECENT = 1000
BACKLOG = 1000
"""Entries that a follower may be behind, before it loses the oldest."""
CONTENT_LIMIT = 65536
"""Characters of a prompt or an answer that are remembered. Followers get all of them."""
runtime_log = logging.getLogger("lmnb.runtime")


@dataclass(frozen=True, slots=True)
class Requested:
    """A request came and was answered."""

    method: str
    path: str
    status: int
    seconds: float
    caller: str
    source: Source = "server"


@dataclass(frozen=True, slots=True)
class Prompted:
    """A model got this prompt, as its template made it."""

    model: str
    path: str
    text: str
    source: Source = "model"
    kind: Kind = "input"


@dataclass(frozen=True, slots=True)
class Answered:
    """A model said this, as it said it. `finished` is missing where it was cut off."""

    model: str
    text: str
    finished: Finished | None
    source: Source = "model"
    kind: Kind = "output"


@dataclass(frozen=True, slots=True)
class EngineSaid:
    """A line of an engine process's standard error: llama.cpp's warnings and errors."""

    text: str
    pid: int | None
    model: str | None
    source: Source = "runtime"


What = Requested | Prompted | Answered | EngineSaid


@dataclass(frozen=True, slots=True)
class Entry:
    what: What
    time: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries somebody wants."""

    sources: Collection[Source] = ("server", "model", "runtime")
    kinds: Collection[Kind] = ("input", "output")
    model: str | None = None

    def fits(self, what: What) -> bool:
        if what.source not in self.sources:
            return False
        if isinstance(what, Prompted | Answered) and what.kind not in self.kinds:
            return False
        return self.model is None or isinstance(what, Requested) or what.model == self.model

    def hears(self, kind: Kind, model: str) -> bool:
        return "model" in self.sources and kind in self.kinds and self.model in (None, model)


class Log:
    """For the event loop's thread. Writing never waits, whoever follows."""

    def __init__(
        self,
        *,
        keep_content: bool = False,
        model_of: Callable[[int], str | None] = lambda pid: None,
    ) -> None:
        self.keep_content = keep_content
        self._model_of = model_of
        self._recent: deque[Entry] = deque(maxlen=RECENT)
        self._followers: set[Follower] = set()
        self._handler = _EngineLines(self)

    def listen_to_engines(self) -> None:
        """From here until it is closed, what engine processes complain of is written here, and not
        into the server's own log."""
        runtime_log.addHandler(self._handler)
        runtime_log.setLevel(logging.INFO)
        runtime_log.propagate = False

    def close(self) -> None:
        """End every follower: the server stops."""
        runtime_log.removeHandler(self._handler)
        for follower in tuple(self._followers):
            follower.close()

    def hears(self, kind: Kind, model: str) -> bool:
        """Is it worth while to put together what a model is sent or says?"""
        return self.keep_content or any(one.wanted.hears(kind, model) for one in self._followers)

    def write(self, what: What) -> None:
        entry = Entry(what)
        for follower in tuple(self._followers):
            follower.hear(entry)
        if not isinstance(what, Prompted | Answered):
            self._recent.append(entry)
        elif self.keep_content:
            self._recent.append(_shortened(entry))

    def engine_said(self, text: str, pid: int | None) -> None:
        model = self._model_of(pid) if pid is not None else None
        self.write(EngineSaid(text, pid, model))

    def recent(self, wanted: Wanted) -> list[Entry]:
        """What is remembered, the oldest first."""
        return [entry for entry in self._recent if wanted.fits(entry.what)]

    def follow(self, wanted: Wanted) -> Follower:
        """Everything from here on. Use it as `with`, or `close` it."""
        return Follower(wanted, self._followers)


class Follower(Following[Entry]):
    """Who falls behind loses the oldest entries, and counts them."""

    def __init__(self, wanted: Wanted, registry: set[Follower]) -> None:
        super().__init__(registry)
        self.wanted = wanted
        self.missed = 0

    def hear(self, entry: Entry) -> None:
        if not self.wanted.fits(entry.what):
            return
        if len(self._waiting) == BACKLOG:
            self._waiting.popleft()
            self.missed += 1
        self.put(entry)


class _EngineLines(logging.Handler):
    """Engine processes are below us: they tell Python's log, and this listens there."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.engine_said(record.getMessage(), getattr(record, "engine_pid", None))


def _shortened(entry: Entry) -> Entry:
    what = entry.what
    assert isinstance(what, Prompted | Answered)
    if len(what.text) <= CONTENT_LIMIT:
        return entry
    return Entry(replace(what, text=what.text[:CONTENT_LIMIT] + "…"), entry.time)
