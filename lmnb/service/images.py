"""Pictures from their URLs: in them, or, where that is allowed, from elsewhere."""

from __future__ import annotations

import asyncio
import base64
import binascii
from urllib.parse import unquote_to_bytes

import httpx

from lmnb.errors import InvalidImage
from lmnb.service.outbound import HostUnreachable, Outbound

__all__ = ["ImageSource"]

MAX_BYTES = 20 << 20
SECONDS = 20.0
REDIRECTS = 3


class ImageSource:
    """`remote`: pictures may be fetched, from where `outbound` allows."""

    def __init__(self, outbound: Outbound | None = None, *, remote: bool = False) -> None:
        self.outbound = outbound or Outbound()
        self.remote = remote

    async def load(self, url: str) -> bytes:
        """The file. Raises InvalidImage, PermissionDenied, HostUnreachable."""
        if url[:5].lower() == "data:":
            return await asyncio.to_thread(_from_data, url)
        if not url.lower().startswith(("https://", "http://")):
            raise InvalidImage("A picture must be a data: URL, or the address of one.")
        if not self.remote:
            raise InvalidImage(
                "This server does not fetch pictures: send them as data: URLs. Who runs it can allow "
                "addresses: `--LMNBApp.remote_images=True`, `lmnb serve --remote-images` or "
                "LMNB_REMOTE_IMAGES=1.",
                code="remote_images_not_allowed",
            )
        try:
            async with asyncio.timeout(SECONDS):
                return await self._fetch(url)
        except TimeoutError:
            raise HostUnreachable(f"A picture did not arrive within {SECONDS:g} seconds.") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise HostUnreachable(f"A picture could not be fetched: {error}") from None

    async def _fetch(self, url: str) -> bytes:
        transport = _Guarded(self.outbound)
        async with (
            httpx.AsyncClient(
                transport=transport, follow_redirects=True, max_redirects=REDIRECTS, timeout=SECONDS
            ) as client,
            client.stream("GET", url, headers={"Accept": "image/*"}) as response,
        ):
            kind = response.headers.get("content-type", "")
            if response.status_code != 200 or not kind.startswith("image/"):
                raise InvalidImage(
                    f"There is no picture at that address: status {response.status_code}, "
                    f"{kind[:100] or 'no type'}."
                )
            data = bytearray()
            async for piece in response.aiter_bytes():
                data += piece
                if len(data) > MAX_BYTES:
                    raise InvalidImage(f"A picture has more than {MAX_BYTES} bytes.")
            return bytes(data)


class _Guarded(httpx.AsyncHTTPTransport):
    """Every connection, those after a redirect too, goes where it may. Proxies are not used."""

    def __init__(self, outbound: Outbound) -> None:
        super().__init__()
        self._outbound = outbound

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await super().handle_async_request(await self._outbound.pinned(request))


def _from_data(url: str) -> bytes:
    head, comma, body = url.partition(",")
    if not comma:
        raise InvalidImage("A data: URL has no comma, and so no picture.")
    try:
        if head.lower().endswith(";base64"):
            data = base64.b64decode(b"".join(unquote_to_bytes(body).split()), validate=True)
        else:
            data = unquote_to_bytes(body)
    except binascii.Error as error:
        raise InvalidImage(f"A picture is no valid base64: {error}.") from None
    if len(data) > MAX_BYTES:
        raise InvalidImage(f"A picture has {len(data)} bytes; at most {MAX_BYTES} are read.")
    return data
