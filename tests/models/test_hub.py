"""Search and resolution, over the Hub's own protocol and huggingface_hub's own client."""

from __future__ import annotations

import gzip
import http.server
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from typing import Any

import pytest

from lmnb.errors import (
    HubError,
    HubRateLimited,
    HubUnreachable,
    InvalidRequest,
    ModelNotFound,
    PermissionDenied,
)
from lmnb.models.hub import access as hub_access
from lmnb.models.hub.hub import Hub, HubFacts, HubSearch, Memory, contents
from tests.hub import Phantom, Repository, StandInHub
from tests.hub.models import TINY
from tests.models.loopback import listening

GIB = 1 << 30
PLENTY = Memory(0, 64 * GIB)


def ids(hub: StandInHub, **asked: object) -> list[str]:
    return [repo.id for repo in Hub().search(HubSearch(**asked)).repos]  # type: ignore[arg-type]


# -- what is there


def test_a_repository_is_described_whole(hub: StandInHub) -> None:
    repo = Hub().repo(TINY)
    stands = hub.repositories[TINY]
    assert (repo.id, repo.revision, repo.license) == (TINY, stands.sha, "apache-2.0")
    assert (repo.downloads, repo.likes, repo.gated, repo.private) == (5000, 50, False, False)
    assert repo.facts.architecture == "llama"
    assert repo.updated_at is not None
    files = {file.path: file for file in repo.files}
    assert files.keys() == stands.commits[stands.sha].keys()
    for path, file in stands.commits[stands.sha].items():
        assert (files[path].size, files[path].etag) == (file.size, file.etag)
        assert files[path].sha256 == (file.sha256 if file.lfs else None)


def test_shards_and_the_projector_are_recognised(hub: StandInHub) -> None:
    here = contents(Hub().repo(TINY).files)
    assert {one.quant: len(one.files) for one in here.variants}["BF16"] > 1
    assert [one.quant for one in here.projectors] == ["F16"]


def test_a_revision_is_looked_at(hub: StandInHub) -> None:
    old = hub.repositories[TINY].sha
    hub.repositories[TINY].commit({"New-Q4_0.gguf": Phantom(5)})
    assert "New-Q4_0.gguf" in {file.path for file in Hub().repo(TINY).files}
    assert "New-Q4_0.gguf" not in {file.path for file in Hub().repo(TINY, old).files}
    with pytest.raises(ModelNotFound, match="no such revision") as caught:
        Hub().repo(TINY, "nowhere")
    assert caught.value.param == "revision"


def test_a_file_that_would_lead_elsewhere_is_left_out(hub: StandInHub) -> None:
    hub.add(Repository("a/b", {"../../x-Q4_0.gguf": Phantom(5), "/y-Q4_0.gguf": Phantom(5)}))
    assert Hub().repo("a/b").files == ()


def test_answers_are_remembered_for_the_same_hub_and_token(
    hub: StandInHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Hub()
    mine.repo(TINY)
    mine.repo(TINY)
    assert len(hub.asked("GET", TINY)) == 1
    monkeypatch.setenv("HF_TOKEN", "hf_reader")
    mine.repo(TINY)
    assert len(hub.asked("GET", TINY)) == 2


# -- search


def test_search_finds_gguf_repositories_with_sizes(hub: StandInHub) -> None:
    page = Hub().search(HubSearch(query="gemma-3-1b"))
    assert "ggml-org/gemma-3-1b-it-GGUF" in {repo.id for repo in page.repos}
    assert all(file.size for repo in page.repos for file in repo.files if "GGUF" in file.path)


@pytest.mark.parametrize("sort", ["downloads", "likes", "trending", "updated"])
def test_the_hub_sorts(hub: StandInHub, sort: str) -> None:
    ids(hub, query="gemma", sort=sort)
    asked = hub.asked("GET", "/api/models")[0].query["sort"]
    assert asked == [{"trending": "trendingScore", "updated": "lastModified"}.get(sort, sort)]


def test_search_is_narrowed_by_owner_architecture_and_size(hub: StandInHub) -> None:
    assert {one.split("/")[0] for one in ids(hub, owner="bartowski")} == {"bartowski"}
    by_architecture = Hub().search(HubSearch(architecture="gemma3", limit=50)).repos
    assert {repo.facts.architecture for repo in by_architecture} == {"gemma3"}
    small = Hub().search(HubSearch(max_size=10**7, limit=50)).repos
    assert TINY in {repo.id for repo in small}
    assert all(
        any(variant.size_bytes <= 10**7 for variant in contents(repo.files).variants)
        for repo in small
    )


def test_pages_give_everything_once(hub: StandInHub) -> None:
    whole = ids(hub, limit=50)
    assert len(whole) > 5
    for size, narrowed in ((2, {}), (3, {"architecture": "gemma3"}), (2, {"min_size": 10**8})):
        expected = ids(hub, limit=50, **narrowed)
        pages: list[str] = []
        cursor: str | None = None
        while True:
            search = HubSearch(limit=size, cursor=cursor, **narrowed)  # type: ignore[arg-type]
            page = Hub().search(search)
            assert len(page.repos) <= size
            pages += [repo.id for repo in page.repos]
            cursor = page.following
            if cursor is None:
                break
        assert pages == expected


@pytest.mark.parametrize("cursor", ["x", "é", "////", "eCB5"])
def test_a_cursor_of_somebody_else_is_refused(hub: StandInHub, cursor: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ids(hub, cursor=cursor)
    assert caught.value.param == "cursor"


# -- names


@pytest.mark.parametrize(
    "name", ["gemma-3-1b", "gemma-3-1b-it", "Gemma 3 1B", "gemma3:1b", "gemma3 1b"]
)
def test_a_short_name_finds_what_was_hoped_for(hub: StandInHub, name: str) -> None:
    found = Hub().resolve(name, memory=PLENTY)
    assert found.repo.id == "ggml-org/gemma-3-1b-it-GGUF"
    assert found.variant.quant == "Q4_K_M"
    assert found.certain
    assert "known publisher" in found.why[0]
    assert "recommended" in found.why[1]


def test_in_doubt_there_are_candidates(hub: StandInHub) -> None:
    found = Hub().resolve("gemma-3", memory=PLENTY)
    assert not found.certain
    assert len(found.candidates) > 2
    assert found.candidates[0].repo == found.repo.id
    assert all(one.why and one.quant for one in found.candidates)


def test_a_quantisation_may_be_asked_for(hub: StandInHub) -> None:
    for found in (
        Hub().resolve(f"{TINY}@q8_0"),
        Hub().resolve(f"hf.co/{TINY}:Q8_0"),
        Hub().resolve(TINY, quantization="Q8_0"),
        Hub().resolve(f"{TINY}/Tiny-Llama-Q8_0.gguf"),
        Hub().resolve("tiny-llama-q8_0"),
        Hub().resolve(f"{hub.url}/{TINY}/resolve/main/Tiny-Llama-Q8_0.gguf?download=true"),
    ):
        assert [file.path for file in found.variant.files] == ["Tiny-Llama-Q8_0.gguf"]
        assert found.certain


def test_the_projector_comes_with_the_model(hub: StandInHub) -> None:
    found = Hub().resolve(TINY)
    assert found.projector is not None
    assert found.files[-1] == found.projector.file
    assert found.size_bytes == found.variant.size_bytes + found.projector.file.size


def test_a_quantisation_that_is_not_there_is_said_with_those_that_are(hub: StandInHub) -> None:
    with pytest.raises(ModelNotFound, match="Q4_K_M") as caught:
        Hub().resolve(f"{TINY}@q2_k")
    assert caught.value.param == "quantization"


def test_an_adapter_can_be_asked_for_by_its_file(hub: StandInHub) -> None:
    found = Hub().resolve("tiny-labs/Tiny-Lora-GGUF/Tiny-Lora-F16.gguf")
    assert [file.path for file in found.files] == ["Tiny-Lora-F16.gguf"]


def test_too_large_for_this_machine_is_a_doubt(hub: StandInHub) -> None:
    found = Hub().resolve("gemma-3-1b", memory=Memory(0, 1000))
    assert not found.certain
    assert "does not fit" in found.why[-1]


def test_who_names_a_repository_gets_it_fitting_or_not(hub: StandInHub) -> None:
    found = Hub().resolve("ggml-org/gemma-3-1b-it-GGUF", memory=Memory(0, 1000))
    assert found.certain
    assert "the smallest; it does not fit" in found.why[-1]


def test_a_model_without_gguf_leads_to_those_who_have_it(hub: StandInHub) -> None:
    hub.add(Repository("google/gemma-3-1b-it", {"model.safetensors": Phantom(10**9)}))
    found = Hub().resolve("google/gemma-3-1b-it", memory=PLENTY)
    assert found.repo.id == "ggml-org/gemma-3-1b-it-GGUF"
    assert not found.certain
    assert found.why[0] == "google/gemma-3-1b-it has no GGUF files."


def test_several_models_in_one_repository_are_a_doubt_unless_one_has_its_name(
    hub: StandInHub,
) -> None:
    both = {"one-1b-Q4_0.gguf": Phantom(10), "two-1b-Q4_0.gguf": Phantom(10)}
    hub.add(Repository("a/many-GGUF", both), Repository("a/one-1b-GGUF", both))
    many = Hub().resolve("a/many-GGUF")
    assert not many.certain
    names = [one.repo for one in many.candidates]
    assert names == ["a/many-GGUF/one-1b-Q4_0.gguf", "a/many-GGUF/two-1b-Q4_0.gguf"]
    assert all(Hub().resolve(name).certain for name in names)
    assert Hub().resolve("a/one-1b-GGUF").certain
    assert Hub().resolve("a/many-GGUF/two-1b-Q4_0.gguf").certain


# -- what goes wrong


def test_a_missing_repository_may_be_a_private_one(
    hub: StandInHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tiny-labs/Tiny-Secret-GGUF", "nobody/qqqq"):
        with pytest.raises(ModelNotFound, match=r"does not exist, or it is private") as caught:
            Hub().repo(name)
        assert "HF_TOKEN is not set" in caught.value.message
    monkeypatch.setenv("HF_TOKEN", "hf_reader")
    assert Hub().repo("tiny-labs/Tiny-Secret-GGUF").private


def test_a_token_that_the_hub_refuses_is_said(
    hub: StandInHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(PermissionDenied, match="with the token that is set"):
        Hub().repo(TINY)


def test_a_gated_repository_says_so_before_anything_is_fetched(hub: StandInHub) -> None:
    assert Hub().repo("tiny-labs/Tiny-Gemma-it-GGUF").gated == "manual"


def test_offline_nothing_is_asked(hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(HubUnreachable, match="HF_HUB_OFFLINE"):
        Hub().resolve("gemma-3-1b")
    assert hub.requests == []


def test_nobody_there(hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubUnreachable, match=r"127\.0\.0\.1:9"):
        Hub().search(HubSearch())


@contextmanager
def answering(status: int, body: bytes, **headers: str) -> Iterator[tuple[str, list[str]]]:
    """A server that always says the same, its address, and what it was asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with listening(Handler) as url:
        yield url, asked


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (429, b"{}", HubRateLimited),
        (403, b"{}", PermissionDenied),
        (418, b"{}", HubError),
        (200, b"<html>", HubError),
        (200, b'{"id": 5}', HubError),
        (200, b"[]", HubError),
        (200, b"[" * 200_000, HubError),
        (200, b'{"id": "../../a/b"}', HubError),
        (200, b'{"id": "a/<b>"}', HubError),
    ],
)
def test_each_failure_has_its_error(
    hub: StandInHub,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    body: bytes,
    expected: type[Exception],
) -> None:
    with answering(status, body, Retry_After="7") as (url, _):
        monkeypatch.setenv("HF_ENDPOINT", url)
        with pytest.raises(expected) as caught:
            Hub().repo("a/b")
    assert getattr(caught.value, "retry_after", None) == (7.0 if status == 429 else None)


def test_facts_that_make_no_sense_are_left_out(
    hub: StandInHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model can be fetched whatever is said about it."""
    sibling = {"rfilename": "a-Q4_0.gguf", "lfs": {"size": 9, "sha256": "A" * 64}, "blobId": 5}
    lies: dict[str, Any] = {
        "id": "a/b",
        "likes": "3",
        "downloads": 10**30,
        "lastModified": "yesterday",
        "tags": [None, "gguf"],
        "cardData": {"license": {"a": 1}},
        "gguf": {"total": -5, "architecture": 5, "context_length": 1e308},
        "siblings": [sibling, None, {"rfilename": None}, {"rfilename": "b.gguf", "size": -1}],
    }
    with answering(200, json.dumps(lies).encode()) as (url, _):
        monkeypatch.setenv("HF_ENDPOINT", url)
        repo = Hub().repo("a/b")
        assert Hub().resolve("a/b@q4_0", memory=None).certain
    assert (repo.likes, repo.downloads, repo.updated_at, repo.license) == (0, 0, None, None)
    assert repo.tags == ("gguf",)
    assert repo.facts == HubFacts()
    assert [(file.path, file.size, file.sha256) for file in repo.files] == [
        ("a-Q4_0.gguf", 9, "a" * 64),
        ("b.gguf", 0, None),
    ]


def test_an_answer_that_does_not_end_is_given_up(
    hub: StandInHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that is small until it is unpacked."""
    monkeypatch.setattr(hub_access, "LARGEST", 1000)
    packed = gzip.compress(b"[" + b" " * 10_000 + b"]")
    for body, headers in ((b" " * 2000, {}), (packed, {"Content_Encoding": "gzip"})):
        with answering(200, body, **headers) as (url, _):
            monkeypatch.setenv("HF_ENDPOINT", url)
            with pytest.raises(HubError, match="does not end"):
                Hub().repo("a/b")


def test_a_date_says_how_long_to_wait() -> None:
    then = formatdate(time.time() + 100, usegmt=True)
    assert 90 < (hub_access.retry_after({"Retry-After": then}) or 0) < 101
    assert hub_access.retry_after({"RateLimit": '"api";r=0;t=55'}) == 55
    assert hub_access.retry_after({"Retry-After": "\xb2"}) is None


def test_a_hub_that_stumbles_is_asked_again(
    hub: StandInHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_access, "WAITS", (0.01, 0.01))
    with answering(503, b"") as (url, asked):
        monkeypatch.setenv("HF_ENDPOINT", url)
        with pytest.raises(HubError, match="503"):
            Hub().repo("a/b")
    assert len(asked) == 3


def test_a_hub_that_stalls_is_given_up(hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_access, "TIMEOUT", 0.1)
    with answering(200, b"", Content_Length="100") as (url, _):
        monkeypatch.setenv("HF_ENDPOINT", url)
        with pytest.raises((HubUnreachable, HubError)):
            Hub().repo("a/b")
