"""The load generator against a scripted server on a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from bench.client import Sample, Target, complete
from bench.load import Load, measure
from bench.summary import Summary

T = TypeVar("T")
CHUNKS: list[dict[str, object]] = [
    {"choices": [{"delta": {"role": "assistant"}}]},
    {"choices": [{"delta": {"content": "two tokens"}}]},
    {"choices": [{"delta": {"content": " and one"}}]},
    {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}},
]
EVENTS = b": ping\n\n" + b"".join(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in CHUNKS)


def chunked(body: bytes, size: int = 50) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def answer(
    body: bytes, *, status: str = "200 OK", header: str = "Transfer-Encoding: chunked"
) -> bytes:
    return f"HTTP/1.1 {status}\r\n{header}\r\n\r\n".encode() + body


def serve(reply: bytes, use: Callable[[Target], Awaitable[T]]) -> T:
    """Run `use` against a server that answers everything with the same bytes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
        await reader.readexactly(int(length.split()[1]))
        writer.write(reply)
        await writer.drain()
        writer.close()

    async def run() -> T:
        async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await use(Target(f"http://127.0.0.1:{port}/v1", "m", "key"))

    return asyncio.run(run())


def one(reply: bytes, *, stream: bool = True) -> Sample:
    return serve(reply, lambda target: complete(target, {"stream": stream}, limit=5))


@pytest.mark.parametrize("size", [1, 50, 100_000])
def test_a_stream_is_read_whatever_its_chunks(size: int) -> None:
    sample = one(answer(chunked(EVENTS + b"data: [DONE]\n\n", size)))
    assert sample.error is None
    assert (sample.prompt_tokens, sample.tokens, len(sample.texts)) == (7, 3, 2)


def test_a_body_that_ends_with_the_connection_is_read() -> None:
    sample = one(answer(EVENTS + b"data: [DONE]\n\n", header="Connection: close"))
    assert (sample.error, sample.tokens) == (None, 3)


def test_a_plain_answer_is_read() -> None:
    body = json.dumps({"choices": [{"message": {"content": "x"}}], **CHUNKS[3]}).encode()
    sample = one(answer(body, header=f"Content-Length: {len(body)}"), stream=False)
    assert (sample.error, sample.tokens, sample.first_token) == (None, 3, None)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (answer(chunked(b"{}"), status="503 Busy"), "503"),
        (answer(chunked(b'data: {"error": {"message": "engine died"}}\n\n')), "engine died"),
        (answer(chunked(EVENTS)), "without [DONE]"),
        (answer(chunked(EVENTS)[:60]), "IncompleteReadError"),
        (b"nonsense\r\n\r\n", "IndexError"),
        (answer(chunked(b"data: {nonsense\n\n")), "JSONDecodeError"),
    ],
)
def test_what_a_server_does_wrong_is_an_error_of_the_sample(reply: bytes, says: str) -> None:
    assert says in str(one(reply).error)


def test_a_load_makes_all_its_requests() -> None:
    async def use(target: Target) -> Summary:
        return await measure(target, Load(concurrency=3, requests=7))

    summary = serve(answer(chunked(EVENTS + b"data: [DONE]\n\n")), use)
    assert (summary.requests, summary.errors, summary.output_tokens) == (7, (), 21)
