"""Pictures as they come: bounded before anything decodes them.

The decoder in mtmd allocates what a header claims and inflates what a PNG holds: both are looked at
here, without keeping any of it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from lmnb.errors import InvalidImage

MAX_BYTES = 32 << 20
MAX_PIXELS = 1 << 25
MAX_ASPECT = 200
KINDS = "PNG, JPEG, GIF or BMP"
PIECE = 1 << 16
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples of a pixel, by PNG's colour types."""
PASSES = 7
"""An interlaced PNG has some bytes more for each pass."""


def check_picture(data: bytes) -> None:
    """Takes as long as inflating it. Raises InvalidImage."""
    if len(data) > MAX_BYTES:
        raise InvalidImage(f"A picture has {len(data)} bytes; at most {MAX_BYTES} are read.")
    try:
        width, height = _size(data)
    except (struct.error, IndexError, zlib.error):
        raise InvalidImage("A picture is broken: its header makes no sense.") from None
    if not (width and height) or width * height > MAX_PIXELS:
        raise InvalidImage(
            f"A picture of {width} x {height} pixels cannot be read; at most {MAX_PIXELS} can."
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise InvalidImage(f"A picture of {width} x {height} pixels is too long and thin.")


def _size(data: bytes) -> tuple[int, int]:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(data)
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return struct.unpack_from("<HH", data, 6)
    if data.startswith(b"BM"):
        if struct.unpack_from("<I", data, 14)[0] == 12:
            return struct.unpack_from("<HH", data, 18)
        width, height = struct.unpack_from("<ii", data, 18)
        return abs(width), abs(height)
    raise InvalidImage(f"A picture must be {KINDS}.")


def _jpeg(data: bytes) -> tuple[int, int]:
    """From the first frame header."""
    at = 2
    while True:
        while data[at] != 0xFF:
            at += 1
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 4)
            return width, height
        if marker == 0xD9 or marker == 0xDA:
            raise InvalidImage("A picture is broken: it has no frame.")
        standalone = marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8
        at += 1 if standalone else 1 + struct.unpack_from(">H", data, at + 1)[0]


def _png(data: bytes) -> tuple[int, int]:
    """Raises InvalidImage where more is packed into it than its pixels need."""
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    if width * height > MAX_PIXELS:
        return width, height
    if colour not in CHANNELS:
        raise InvalidImage("A picture is broken: its colours make no sense.")
    row = (width * CHANNELS[colour] * depth + 7) // 8 + 1
    allowed = (row + 8) * (height + 8) + PASSES * (width + height + 16)
    inflater = zlib.decompressobj()
    inflated = 0
    for piece in _idat(data):
        while piece and not inflater.eof:
            inflated += len(inflater.decompress(piece, PIECE))
            piece = inflater.unconsumed_tail
            if inflated > allowed:
                raise InvalidImage("A picture is broken: it holds more than its pixels.")
    return width, height


def _idat(data: bytes) -> Iterator[bytes]:
    at = 8
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IDAT":
            yield data[at + 8 : at + 8 + size]
        elif kind == b"IEND":
            return
        at += 12 + size
