"""Bodies that come compressed, and long ones."""

from __future__ import annotations

import gzip
import json
import threading
import zlib

import pytest

from lmnb.api import base
from lmnb.api.body import QUICK_BODY_BYTES, made_of
from tests.api.conftest import Api

PATH = "/v1/chat/completions"


def body(api: Api) -> bytes:
    return json.dumps(
        {"model": api.model, "messages": [{"role": "user", "content": "Hi"}]}
    ).encode()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity", "gzip, deflate"])
async def test_a_compressed_body_is_read(api: Api, encoding: str) -> None:
    pack = {"gzip": gzip.compress, "deflate": zlib.compress}
    data = body(api)
    for name in encoding.split(", "):
        data = pack[name](data) if name in pack else data
    answer = await api.post(PATH, data, headers={"Content-Encoding": encoding})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("encoding", "data", "status"),
    [
        ("gzip", b"no gzip", 400),
        ("gzip", gzip.compress(b"{}")[:-9], 400),
        ("br", b"{}", 415),
    ],
)
async def test_what_cannot_be_unpacked_is_said(
    api: Api, encoding: str, data: bytes, status: int
) -> None:
    answer = await api.post(PATH, data, headers={"Content-Encoding": encoding})
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, "invalid_request_error")


async def test_a_bomb_is_not_unpacked(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "MAX_BODY_BYTES", 10_000)
    data = gzip.compress(b" " * 1_000_000)
    answer = await api.post(PATH, data, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


async def test_what_is_long_is_worked_on_beside_the_loop() -> None:
    here = threading.get_ident()
    assert await made_of(b"short", threading.get_ident) == here
    assert await made_of(b"long" * QUICK_BODY_BYTES, threading.get_ident) != here
