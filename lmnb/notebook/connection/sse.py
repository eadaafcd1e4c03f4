"""Server-sent events, read as they arrive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event. A comment line (a keep-alive) is an event with nothing but `comment`."""

    data: str = ""
    event: str = ""
    comment: str = ""


class EventReader:
    """Events from bytes, in pieces of any size.

    Lines end at CR, LF or CRLF only: `str.splitlines` would also cut at U+2028, which may stand
    unescaped inside JSON.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._event = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[ServerEvent]:
        """The events that these bytes complete."""
        *complete, self._rest = (self._rest + chunk).split(b"\n")
        for line in complete:
            yield from self._line(line.removesuffix(b"\r").decode("utf-8", "replace"))

    def close(self) -> Iterator[ServerEvent]:
        """The event that the end of the stream completes, if there is one."""
        yield from self.feed(b"\n\n")

    def _line(self, line: str) -> Iterator[ServerEvent]:
        if not line:
            if self._data:
                yield ServerEvent(data="\n".join(self._data), event=self._event)
            self._event, self._data = "", []
        elif line.startswith(":"):
            yield ServerEvent(comment=line[1:].strip())
        else:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                self._data.append(value)
            elif field == "event":
                self._event = value


def read_events(chunks: Iterable[bytes]) -> Iterator[ServerEvent]:
    """The events of a whole response."""
    reader = EventReader()
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.close()
