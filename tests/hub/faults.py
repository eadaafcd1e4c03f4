"""What can go wrong on the way of one file. Each fault is spent by the requests it meets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(slots=True, kw_only=True)
class Fault:
    """Any of these at once. Offsets (`after`, `flip_at`) count bytes of one answer's body."""

    method: Literal["GET", "HEAD"] = "GET"
    """GET: where the content comes from. HEAD: where the Hub resolves a file's name."""
    times: int | None = 1
    """How many requests it meets. None: all that come."""
    status: int | None = None
    """Answer with this and no content."""
    retry_after: str | None = None
    cut_after: int | None = None
    """Close the connection in the middle, as a proxy does that gives up."""
    reset_after: int | None = None
    """The same, with a TCP reset."""
    stall_after: int | None = None
    """Say nothing more, and keep the connection."""
    bytes_per_second: int | None = None
    flip_at: int | None = None
    """This byte of the file is wrong."""
    content: bytes | None = None
    """Another file's content, with a length that fits it."""
    content_range: str | None = None
    """Claim this range, whatever is sent."""
    ignore_range: bool = False
    """Answer 200 with the whole file."""


class Faults:
    """Which are armed, by repository and path, in the order in which they will happen."""

    def __init__(self) -> None:
        self._armed: dict[str, list[Fault]] = {}

    def arm(self, file: str, *faults: Fault) -> None:
        """`file` is `owner/repository/path`."""
        self._armed.setdefault(file, []).extend(replace(fault) for fault in faults)

    def clear(self) -> None:
        self._armed.clear()

    def take(self, file: str, method: str) -> Fault:
        """The next one for such a request; one that does nothing if there is none."""
        armed = self._armed.get(file, [])
        for fault in armed:
            if fault.method == method:
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        armed.remove(fault)
                return fault
        return Fault()
