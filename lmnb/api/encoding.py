"""Request bodies that the client compressed."""

from __future__ import annotations

import zlib

from lmnb.errors import InvalidRequest

__all__ = ["BodyTooLarge", "decoded"]

_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class BodyTooLarge(InvalidRequest):
    """More than the server reads."""

    status = 413
    code = "request_too_large"

    def __init__(self, most: int) -> None:
        super().__init__(f"The body is too large: at most {most} bytes are read.")


class UnknownEncoding(InvalidRequest):
    """Compressed in a way that is not read here."""

    status = 415
    code = "unsupported_encoding"


def decoded(body: bytes, encoding: str, most: int) -> bytes:
    """The body itself, at most `most` bytes. Raises InvalidRequest."""
    for name in reversed(encoding.lower().split(",")):
        if (name := name.strip()) not in ("", "identity"):
            body = _inflated(body, name, most)
    return body


def _inflated(body: bytes, encoding: str, most: int) -> bytes:
    if encoding not in _WINDOW:
        raise UnknownEncoding(
            f"A body in the encoding '{encoding}' is not read, only in {', '.join(_WINDOW)}."
        )
    inflater = zlib.decompressobj(_WINDOW[encoding])
    try:
        data = inflater.decompress(body, most + 1)
    except zlib.error as error:
        raise InvalidRequest(f"The body is no {encoding}: {error}.") from None
    if len(data) > most:
        raise BodyTooLarge(most)
    if not inflater.eof:
        raise InvalidRequest(f"The body is {encoding}, and cut off.")
    return data
