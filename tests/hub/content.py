"""Where files are resolved (the Hub) and where their bytes are (another origin, as a CDN is)."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from dataclasses import dataclass
from urllib.parse import quote

from tornado.iostream import StreamClosedError

from tests.hub.base import HubError, HubHandler
from tests.hub.faults import Fault
from tests.hub.repository import File, Phantom

__all__ = ["CDN_ROUTES", "FILE_ROUTES"]

PIECE = 64 * 1024
ON_RESET_LOSE_ALL = struct.pack("ii", 1, 0)


class _Sender(HubHandler):
    """Sends a file's bytes, or what a fault makes of them."""

    async def send(self, file: File, name: str, fault: Fault) -> None:
        if isinstance(file.content, Phantom):
            raise HubError(503, None, "This file is too large to have.")
        if fault.status is not None:
            raise _refusal(fault)
        sent = File(file.path, fault.content) if fault.content is not None else file
        start, end = self._range(sent.size, fault)
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("Content-Length", str(end - start))
        self.set_header("Accept-Ranges", "bytes")
        await self._body(_Body(sent, start, end, name), fault)

    def _range(self, size: int, fault: Fault) -> tuple[int, int]:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.request.headers.get("Range", ""))
        if asked is None or fault.ignore_range:
            return 0, size
        start = int(asked[1])
        end = min(int(asked[2]) + 1, size) if asked[2] else size
        if start >= size:
            raise HubError(416, None, "Range Not Satisfiable", Content_Range=f"bytes */{size}")
        self.set_status(206)
        self.set_header("Content-Range", fault.content_range or f"bytes {start}-{end - 1}/{size}")
        return start, end

    async def _body(self, body: _Body, fault: Fault) -> None:
        position = body.start
        while position < body.end:
            step = min(position + (fault.bytes_per_second or PIECE) // 10 + 1, position + PIECE)
            end = min(step if fault.bytes_per_second else position + PIECE, body.end)
            for limit in (fault.cut_after, fault.reset_after, fault.stall_after):
                end = min(end, body.start + limit) if limit is not None else end
            piece = bytearray(await asyncio.to_thread(body.file.read, position, end))
            if fault.flip_at is not None and position <= fault.flip_at < end:
                piece[fault.flip_at - position] ^= 1
            self.write(bytes(piece))
            try:
                await self.flush()
            except StreamClosedError:
                return  # whoever asked has left
            self.hub.count(body.name, len(piece))
            position = end
            if fault.bytes_per_second:
                await asyncio.sleep(len(piece) / fault.bytes_per_second)
            if await self._break_off(position - body.start, fault):
                return
        await self.finish()

    async def _break_off(self, sent: int, fault: Fault) -> bool:
        if sent == fault.stall_after:
            await self.hub.stalling.wait()
        elif sent not in (fault.cut_after, fault.reset_after):
            return False
        stream = self.detach()
        if sent == fault.reset_after and stream.socket is not None:
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ON_RESET_LOSE_ALL)
        stream.close()
        return True


@dataclass(frozen=True, slots=True)
class _Body:
    file: File
    start: int
    end: int
    name: str


def _refusal(fault: Fault) -> HubError:
    assert fault.status is not None
    headers = {"Retry_After": fault.retry_after} if fault.retry_after is not None else {}
    return HubError(fault.status, None, f"armed: {fault.status}", **headers)


class ResolveHandler(_Sender):
    """HEAD and GET /O/R/resolve/REV/PATH"""

    async def get(self, id: str, revision: str, path: str) -> None:
        repository = self.repository(id)
        sha, files = self.commit(repository, revision)
        self.set_header("X-Repo-Commit", sha)
        self.admit_to_files(repository)
        name = f"{id}/{path}"
        file = files.get(path)
        if file is None:
            raise HubError(404, "EntryNotFound", "Entry not found", X_Repo_Commit=sha)
        fault = self.hub.faults.take(name, "HEAD") if self.request.method == "HEAD" else Fault()
        if fault.status is not None:
            raise _refusal(fault)
        self.set_header("Accept-Ranges", "bytes")
        if file.lfs:
            self.set_header("X-Linked-Size", str(file.size))
            self.set_header("X-Linked-Etag", f'"{file.sha256}"')
            self.redirect(self.hub.content_url(name, file.sha256), status=302)
            return
        self.set_header("ETag", f'"{file.blob_id}"')
        if self.request.method == "HEAD":
            self.set_header("Content-Length", str(file.size))
            self.finish()
        else:
            await self.send(file, name, self.hub.faults.take(name, "GET"))

    head = get


class ContentHandler(_Sender):
    """GET /SHA256/O/R/PATH?Signature=... on the other origin. A signature lasts until it expires."""

    server = "cdn"

    async def get(self, sha256: str, id: str, path: str) -> None:
        if self.get_query_argument("Signature", "") != self.hub.signature:
            raise HubError(403, None, "Request has expired")
        for files in self.hub.repositories[id].commits.values():
            if path in files and files[path].sha256 == sha256:
                name = f"{id}/{path}"
                self.set_header("ETag", f'"{sha256}"')
                await self.send(files[path], name, self.hub.faults.take(name, "GET"))
                return
        raise HubError(404, None, "no such content")


FILE_ROUTES = [(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", ResolveHandler)]
CDN_ROUTES = [(r"/([0-9a-f]{64})/([^/]+/[^/]+)/(.+)", ContentHandler)]


def content_url(origin: str, name: str, sha256: str, signature: str) -> str:
    return f"{origin}/{sha256}/{quote(name)}?Signature={signature}"
