"""The port of its own on which this server listens, or does not: what a host must be able to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lmnb.errors import InvalidRequest

__all__ = ["ListenerControl", "ListenerState", "PortInUse"]


class PortInUse(InvalidRequest):
    """Somebody else listens there. The message says who, as far as this user may know."""

    status = 409
    code = "port_in_use"


@dataclass(frozen=True, slots=True)
class ListenerState:
    """Where it listens, and who may ask there."""

    running: bool = False
    host: str | None = None
    port: int | None = None
    base_url: str | None = None
    """Ends in a slash. LM Studio's address space begins here."""
    cors: bool = False
    key_required: bool = False
    error: str | None = None
    """Why it does not run, though it was asked to."""


class ListenerControl(Protocol):
    """For the event loop's thread."""

    def state(self) -> ListenerState: ...

    async def start(self, *, port: int, cors: bool, require_key: bool) -> ListenerState:
        """Listen on `port` of this machine (0: any that is free). One that listens already takes
        the new settings. Raises PortInUse, InvalidRequest."""

    async def stop(self) -> ListenerState:
        """No new connections; what is being answered there has a moment to end. Raises
        InvalidRequest when it does not listen."""

    async def close(self) -> None:
        """The whole server ends."""
