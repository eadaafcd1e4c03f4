"""What happens in the server, told to whoever wants to know: loads, downloads, settings."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lmnb.service.following import Following

__all__ = ["Kind", "Notice", "Notices", "Subscription"]

Kind = Literal[
    "model_load.start",
    "model_load.progress",
    "model_load.end",
    "model_load.error",
    "model_unload",
    "models.changed",
    "settings.changed",
    "download.start",
    "download.progress",
    "download.paused",
    "download.end",
    "download.error",
    "download.cancelled",
    "server.start",
    "server.stop",
]
"""Each `progress` is one of many, and worth nothing once the next is there."""


@dataclass(frozen=True, slots=True)
class Notice:
    kind: Kind
    data: Mapping[str, Any]
    """Made of what JSON is made of."""
    time: float = field(default_factory=time.time)

    @property
    def is_progress(self) -> bool:
        return self.kind.endswith(".progress")

    @property
    def job(self) -> tuple[str, str]:
        """What this is a step of: a download, an instance."""
        subject = self.data.get("job_id") or self.data.get("instance_id") or ""
        return self.kind.partition(".")[0], str(subject)


class Notices:
    """Everybody who subscribed hears everything from then on. For the event loop's thread only."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._closed = False

    def __len__(self) -> int:
        """How many listen."""
        return len(self._subscriptions)

    def publish(self, kind: Kind, data: Mapping[str, Any]) -> None:
        """Never waits, whoever listens."""
        notice = Notice(kind, data)
        for subscription in tuple(self._subscriptions):
            subscription._hear(notice)

    def subscribe(self) -> Subscription:
        """Listening begins here. Use it as `with`, or `close` it."""
        subscription = Subscription(self._subscriptions)
        if self._closed:
            subscription.close()
        return subscription

    def close(self) -> None:
        """End every subscription: the server stops."""
        self._closed = True
        for subscription in tuple(self._subscriptions):
            subscription.close()


class Subscription(Following[Notice]):
    """A listener that falls behind loses the oldest steps of progress first. One that is too far
    behind for that to help is dropped: its iteration ends."""

    USUAL, MOST = 256, 4096

    def _hear(self, notice: Notice) -> None:
        if len(self._waiting) >= self.USUAL:
            stale = next((one for one in self._waiting if one.is_progress), None)
            if stale is not None:
                self._waiting.remove(stale)
            elif notice.is_progress:
                return
        self.put(notice)
        if len(self._waiting) >= self.MOST:
            self.close()
