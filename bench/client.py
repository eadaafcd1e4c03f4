"""One chat completion over HTTP/1.1, timed. The same few lines for every server.

Raw asyncio, because the load generator shares a small machine with the server it measures: an
event costs it some 20 microseconds. Every request has a connection of its own, because servers
differ in how they keep connections alive.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

MAX_HEADER_BYTES = 65536


class HttpError(Exception):
    """The answer was not what HTTP, or this benchmark, can use."""


@dataclass(frozen=True)
class Target:
    """An OpenAI-compatible base URL (`http://127.0.0.1:1234/v1`), with its key and model."""

    base_url: str
    model: str
    api_key: str | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"a plain http:// base URL is needed, not {self.base_url!r}")

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.base_url).port or 80

    @property
    def path(self) -> str:
        return urlsplit(self.base_url).path.rstrip("/")


@dataclass
class Sample:
    """What one request did. Times are `time.perf_counter()` seconds."""

    started: float
    ended: float = 0.0
    texts: list[float] = field(default_factory=list)
    """When each event that carried text arrived."""
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    """From the server's own usage. None: it sent none."""
    error: str | None = None
    timings: Mapping[str, Any] | None = None
    """What llama-server and lmnb add to the last chunk."""

    @property
    def tokens(self) -> int:
        """Tokens as the server counted them; events with text, if it counted none."""
        return len(self.texts) if self.completion_tokens is None else self.completion_tokens

    @property
    def first_token(self) -> float | None:
        """Seconds from sending the request to the first text."""
        return self.texts[0] - self.started if self.texts else None

    @property
    def gaps(self) -> list[float]:
        """Seconds between one event with text and the next."""
        return [after - before for before, after in zip(self.texts, self.texts[1:], strict=False)]


class SseReader:
    """Bytes in, the `data:` of whole events out. Comments (keep-alives) and other fields go."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        events = []
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                events.append(b"\n".join(self._data))
                self._data = []
        return events


def request_body(
    model: str, prompt: str, *, max_tokens: int, stream: bool, temperature: float, seed: int
) -> dict[str, Any]:
    """A chat completion of exactly `max_tokens` tokens, where the server knows `ignore_eos`."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": max_tokens,
        "temperature": temperature,
        "seed": seed,
        "ignore_eos": True,
        "stream": stream,
    }
    if stream:
        body["stream_options"] = {"include_usage": True}
    return body


async def request(
    target: Target, method: str, path: str, body: Mapping[str, Any] | None = None
) -> tuple[int, Mapping[str, str], AsyncIterator[bytes]]:
    """Send one request. Returns status, headers (lower case) and the decoded body as it comes.

    The body must be read to its end, or the iterator closed: that closes the connection.
    """
    payload = b"" if body is None else json.dumps(body).encode()
    head = [f"{method} {path} HTTP/1.1", f"Host: {target.host}:{target.port}", "Connection: close"]
    if body is not None:
        head += ["Content-Type: application/json", f"Content-Length: {len(payload)}"]
    if target.api_key:
        head.append(f"Authorization: Bearer {target.api_key}")
    reader, writer = await asyncio.open_connection(target.host, target.port, limit=MAX_HEADER_BYTES)
    try:
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + payload)
        await writer.drain()
        status_line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(status_line.split()[1])
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    except BaseException:
        writer.close()
        raise
    return status, headers, _body(reader, writer, headers)


async def _body(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: Mapping[str, str]
) -> AsyncIterator[bytes]:
    try:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int((await reader.readline()).partition(b";")[0], 16):
                yield await reader.readexactly(size)
                await reader.readexactly(2)
        elif "content-length" in headers:
            yield await reader.readexactly(int(headers["content-length"]))
        else:
            while data := await reader.read(MAX_HEADER_BYTES):
                yield data
    finally:
        writer.close()


async def get_json(target: Target, path: str) -> Any:
    return await _json(target, "GET", path, None)


async def post_json(target: Target, path: str, body: Mapping[str, Any]) -> Any:
    return await _json(target, "POST", path, body)


async def _json(target: Target, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
    status, _, chunks = await request(target, method, path, body)
    text = b"".join([chunk async for chunk in chunks])
    if status >= 400:
        raise HttpError(f"{method} {path}: {status} {text[:300].decode(errors='replace')}")
    return json.loads(text)


async def complete(target: Target, body: Mapping[str, Any], *, limit: float) -> Sample:
    """Run one chat completion. Never raises for what the server does: `Sample.error` says it."""
    sample = Sample(started=time.perf_counter())
    try:
        async with asyncio.timeout(limit):
            await _run(target, body, sample)
    except TimeoutError:
        sample.error = f"no end after {limit:g} s"
    except (
        OSError,
        EOFError,
        ValueError,
        IndexError,
        HttpError,
        asyncio.LimitOverrunError,
    ) as error:
        sample.error = f"{type(error).__name__}: {error}"
    sample.ended = time.perf_counter()
    return sample


async def _run(target: Target, body: Mapping[str, Any], sample: Sample) -> None:
    status, _, chunks = await request(target, "POST", f"{target.path}/chat/completions", body)
    if status != 200:
        text = b"".join([chunk async for chunk in chunks])
        raise HttpError(f"{status} {text[:300].decode(errors='replace')}")
    if not body["stream"]:
        _read_object(json.loads(b"".join([chunk async for chunk in chunks])), sample)
        return
    events = SseReader()
    done = False
    async for chunk in chunks:
        now = time.perf_counter()
        for data in events.feed(chunk):
            if data == b"[DONE]":
                done = True
            elif _read_object(json.loads(data), sample):
                sample.texts.append(now)
    if not done:
        raise HttpError("the stream ended without [DONE]")


def _read_object(item: Mapping[str, Any], sample: Sample) -> bool:
    """Take what counts from a completion or a chunk of one. True: it carried text."""
    if error := item.get("error"):
        raise HttpError(json.dumps(error)[:300])
    if usage := item.get("usage"):
        sample.prompt_tokens = usage.get("prompt_tokens")
        sample.completion_tokens = usage.get("completion_tokens")
        sample.cached_tokens = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    if timings := item.get("timings"):
        sample.timings = timings
    for choice in item.get("choices", ()):
        part = choice.get("delta") or choice.get("message") or {}
        if part.get("content") or part.get("reasoning_content"):
            return True
    return False
