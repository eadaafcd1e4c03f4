"""Mirrors, proxies and storage that answer in other ways than the Hub does: each file arrives whole,
or it is said soon what is wrong."""

from __future__ import annotations

import hashlib
import http.server
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from lmnb.errors import HubError
from lmnb.models.download.cache import CachedRepo
from lmnb.models.download.control import Control
from lmnb.models.download.file import MORE_TRIES, TRIES, download
from lmnb.models.download.retrying import Patience
from lmnb.models.hub.repository import HubFile
from tests.models.loopback import listening

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
COMMIT = "c" * 40
FILE = HubFile(path="model.gguf", size=len(CONTENT), sha256=SHA256, lfs=True, oid="b" * 40)
HUB = {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{SHA256}"', "X-Linked-Size": str(FILE.size)}
HURRY = Patience(first=0.001, longest=0.001, in_all=5, silence=0.5)

Answer = tuple[int, Mapping[str, str], bytes]
Mirror = Callable[[str, str, int], Answer | None]
"""From method, path and how often such a request has come; None: the connection ends."""


@contextmanager
def serving(mirror: Mirror) -> Iterator[tuple[str, list[str]]]:
    """Its address, and the requests that came."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            request = f"{self.command} {self.path}"
            asked.append(request)
            answer = mirror(self.command, self.path, asked.count(request))
            if answer is None:
                return
            status, headers, body = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_GET = do_HEAD = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with listening(Handler) as url:
        yield url, asked


def fetch(folder: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked until the file was there. Raises what `download` raises."""
    repo = CachedRepo(folder, "owner/repo")
    with serving(mirror) as (url, asked):
        monkeypatch.setenv("HF_ENDPOINT", url)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        download(repo, COMMIT, FILE, Control(), HURRY)
    assert repo.blob(FILE).read_bytes() == CONTENT
    return asked


def whole(**headers: str) -> Answer:
    return 200, {"Content-Length": str(len(CONTENT)), **headers}, CONTENT


def same_host(method: str, path: str, _: int) -> Answer:
    """Storage on the Hub's own host: nothing of what it says is the Hub's word."""
    if path.startswith("/storage"):
        return whole(ETag='"storage"')
    return 302, {**HUB, "Location": "/storage/model.gguf"}, b""


def no_head(method: str, path: str, _: int) -> Answer:
    return (405, {"Allow": "GET"}, b"") if method == "HEAD" else whole()


def no_length(method: str, path: str, _: int) -> Answer:
    return 200, HUB, CONTENT


def loud(method: str, path: str, _: int) -> Answer:
    return whole(**{**HUB, "X-Linked-Etag": f'W/"{SHA256.upper()}"'})


def silent(method: str, path: str, _: int) -> Answer:
    return whole()


def storm(method: str, path: str, count: int) -> Answer:
    """No number and no date, but a character that looks like a digit."""
    return (429, {"Retry-After": "\xb2"}, b"") if count < 3 else whole(**HUB)


@pytest.mark.parametrize("mirror", [same_host, no_head, no_length, loud, silent, storm])
def test_a_file_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: Mirror) -> None:
    fetch(tmp_path, mirror, monkeypatch)


def test_a_server_that_begins_anew_without_a_length_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mirror(method: str, path: str, count: int) -> Answer:
        return 200, HUB, CONTENT[:1000] if method == "GET" and count == 1 else CONTENT

    assert len(fetch(tmp_path, mirror, monkeypatch)) == 4


def a_loop(method: str, path: str, _: int) -> Answer:
    return 302, {"Location": path}, b""


def to_a_file(method: str, path: str, _: int) -> Answer:
    return 302, {**HUB, "Location": "file:///etc/passwd"}, b""


def nowhere(method: str, path: str, _: int) -> Answer:
    return 302, {**HUB, "Location": "http://[::bad/model.gguf"}, b""


def a_page(method: str, path: str, _: int) -> Answer:
    """Without a length, its bytes would be taken for the file's."""
    return 200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>Welcome to our hotel"


def packed(method: str, path: str, _: int) -> Answer:
    return whole(**HUB, **{"Content-Encoding": "gzip"})


def gone(method: str, path: str, _: int) -> Answer:
    return 410, {}, b""


def broken(method: str, path: str, _: int) -> Answer:
    return 503, {}, b""


def speechless(method: str, path: str, _: int) -> None:
    return None


@pytest.mark.parametrize("mirror", [a_loop, to_a_file, nowhere, a_page, packed, gone])
def test_what_cannot_become_right_is_given_up_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: Mirror
) -> None:
    with pytest.raises(HubError, match=f"tried {TRIES} times"):
        fetch(tmp_path, mirror, monkeypatch)
    part = CachedRepo(tmp_path, "owner/repo").part(FILE)
    assert part.read_bytes() == b""


@pytest.mark.parametrize("mirror", [broken, speechless])
def test_who_is_there_and_fails_is_asked_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: Mirror
) -> None:
    with pytest.raises(HubError, match=f"tried {MORE_TRIES} times"):
        fetch(tmp_path, mirror, monkeypatch)
