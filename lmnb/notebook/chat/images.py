"""Pictures for models that can see: from files, addresses, and what libraries draw."""

from __future__ import annotations

import io
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from lmnb.errors import InvalidRequest

MAX_BYTES = 32 * 1024 * 1024
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
)
EXPECTED = "a file, an address, bytes, a PIL image, a matplotlib figure or an IPython.display.Image"


@dataclass(frozen=True)
class Image:
    """The bytes of a picture file."""

    data: bytes
    name: str = ""

    @classmethod
    def of(cls, source: Any, name: str = "") -> Image:
        """From whatever shows one. Raises InvalidRequest, saying why not."""
        if isinstance(source, Image):
            return source
        if isinstance(source, str | Path):
            text = str(source)
            if text.startswith(("http://", "https://")):
                return cls._checked(_fetched(text), name or text)
            return cls._checked(_read(text), name or Path(text).name)
        data = _drawn(source)
        if data is None:
            kind = type(source).__name__
            raise InvalidRequest(f"{name or 'This'} is no picture but {kind}: give {EXPECTED}.")
        return cls._checked(data, name or type(source).__name__)

    @classmethod
    def _checked(cls, data: bytes, name: str) -> Image:
        image = cls(data, name)
        if not image.media_type:
            raise InvalidRequest(f"{name} is no PNG, JPEG, GIF, WebP or BMP.")
        if len(data) > MAX_BYTES:
            raise InvalidRequest(f"{name} is larger than {MAX_BYTES >> 20} MiB.")
        return image

    @property
    def media_type(self) -> str:
        """As the first bytes say; empty where they are no picture's."""
        if self.data[:4] == b"RIFF" and self.data[8:12] == b"WEBP":
            return "image/webp"
        found = (kind for mark, kind in _SIGNATURES if self.data.startswith(mark))
        return next(found, "")

    @property
    def part(self) -> dict[str, Any]:
        """OpenAI's part of a message. The picture is in it: no server needs to fetch it."""
        url = f"data:{self.media_type};base64,{b64encode(self.data).decode()}"
        return {"type": "image_url", "image_url": {"url": url}}


def _read(name: str) -> bytes:
    try:
        return Path(name).expanduser().read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{name} cannot be read: {error.strerror or error}") from error


def _fetched(url: str) -> bytes:
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=30) as response:
            response.raise_for_status()
            data = bytearray()
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > MAX_BYTES:
                    break
            return bytes(data)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise InvalidRequest(f"{url} cannot be fetched: {error}") from error


def _drawn(source: Any) -> bytes | None:
    """The bytes that an object of some library stands for; each is known by what it can do."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(getattr(source, "data", None), bytes) and hasattr(source, "_repr_mimebundle_"):
        return bytes(source.data)  # IPython.display.Image
    figure: Any = source if hasattr(source, "savefig") else getattr(source, "figure", None)
    file = io.BytesIO()
    if hasattr(figure, "savefig"):  # matplotlib's figures, and axes
        figure.savefig(file, format="png", bbox_inches="tight")
    elif hasattr(source, "save") and hasattr(source, "mode"):  # PIL
        picture = source if source.mode in ("RGB", "RGBA", "L", "P", "1") else source.convert("RGB")
        picture.save(file, format="PNG")
    else:
        return None
    return file.getvalue()
