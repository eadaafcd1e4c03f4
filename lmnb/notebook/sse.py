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


def read_events(chunks: Iterable[bytes]) -> Iterator[ServerEvent]:
    """Events from the bytes of a response.

    Lines end at CR, LF or CRLF only: `str.splitlines` would also cut at U+2028, which may stand
    unescaped inside JSON.
    """
    event, data = "", list[str]()
    for line in _lines(chunks):
        if not line:
            if data:
                yield ServerEvent(data="\n".join(data), event=event)
            event, data = "", []
        elif line.startswith(":"):
            yield ServerEvent(comment=line[1:].strip())
        else:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                data.append(value)
            elif field == "event":
                event = value
    if data:
        yield ServerEvent(data="\n".join(data), event=event)


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        *complete, rest = (rest + chunk).split(b"\n")
        for line in complete:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")
