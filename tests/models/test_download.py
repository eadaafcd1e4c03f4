"""Whatever happens on the way, a download ends with the whole right file or with a clear error."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from huggingface_hub import (
    HfApi,
    close_session,
    hf_hub_download,
    scan_cache_dir,
    snapshot_download,
    try_to_load_from_cache,
)

from lmnb.errors import (
    DamagedDownload,
    DiskFull,
    GatedModel,
    HubError,
    HubUnreachable,
    LmnbError,
    ModelNotFound,
)
from lmnb.models.download import part as parts
from lmnb.models.download.cache import CachedRepo
from lmnb.models.download.control import Control, Stopped
from lmnb.models.download.file import download
from lmnb.models.download.part import check_space
from lmnb.models.download.retrying import Patience
from lmnb.models.hub.repository import HubFile
from tests.hub import Fault, StandInHub
from tests.hub.models import TINY

PATH = "Tiny-Llama-Q4_K_M.gguf"
NAME = f"{TINY}/{PATH}"
HURRY = Patience(first=0.001, longest=0.01, in_all=20, silence=2)


class Fetch:
    """A file of the stand-in Hub, a cache, and what was done."""

    def __init__(self, hub: StandInHub, cache: Path, repo: str = TINY, path: str = PATH) -> None:
        self.hub, self.cache, self.path = hub, cache, path
        self.source = hub.repositories[repo]
        self.commit, files = self.source.at("main") or ("", {})
        of = files[path]
        self.content = of.read(0, of.size)
        sha256 = of.sha256 if of.lfs else None
        self.file = HubFile(path=path, size=of.size, sha256=sha256, lfs=of.lfs, oid=of.blob_id)
        self.repo = CachedRepo(cache, repo)
        self.control = Control()

    def run(self, patience: Patience = HURRY) -> Path:
        download(self.repo, self.commit, self.file, self.control, patience)
        path = self.repo.link(self.commit, self.file)
        self.repo.point("main", self.commit)
        assert path.read_bytes() == self.content
        assert not self.repo.part(self.file).exists()
        return path

    def fail(self, error: type[LmnbError], patience: Patience = HURRY) -> LmnbError:
        """It ends with that error, and with nothing that looks like the file."""
        with pytest.raises(error) as caught:
            download(self.repo, self.commit, self.file, self.control, patience)
        assert not self.repo.blob(self.file).exists()
        assert not self.repo.has(self.commit, self.file)
        return caught.value

    @property
    def ranges(self) -> list[str | None]:
        """What was asked of the content's server."""
        return [one.headers.get("range") for one in self.hub.asked("GET", self.path)]

    def leave_part(self, content: bytes) -> None:
        part = self.repo.part(self.file)
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)


@pytest.fixture
def fetch(hub: StandInHub, tmp_path: Path) -> Fetch:
    return Fetch(hub, tmp_path / "cache")


def test_a_file_arrives_where_others_look_for_it(fetch: Fetch) -> None:
    path = fetch.run()
    assert path.is_symlink()
    assert not os.path.isabs(os.readlink(path))
    assert try_to_load_from_cache(TINY, PATH, cache_dir=fetch.cache) == str(path)
    folder = snapshot_download(TINY, cache_dir=fetch.cache, local_files_only=True)
    assert folder == str(path.parent)
    scanned = scan_cache_dir(fetch.cache)
    assert scanned.warnings == []
    [found] = next(iter(scanned.repos)).revisions
    assert (found.commit_hash, found.refs) == (fetch.commit, {"main"})
    assert [one.file_name for one in found.files] == [PATH]


def test_what_others_fetched_is_not_fetched_again(fetch: Fetch) -> None:
    hf_hub_download(TINY, PATH, cache_dir=fetch.cache, endpoint=fetch.hub.url, token=False)
    before = fetch.hub.sent(NAME)
    fetch.run()
    assert fetch.hub.sent(NAME) == before


def test_huggingface_hub_fetches_nothing_that_is_here(fetch: Fetch) -> None:
    fetch.run()
    before = fetch.hub.sent(NAME)
    hf_hub_download(TINY, PATH, cache_dir=fetch.cache, endpoint=fetch.hub.url, token=False)
    assert fetch.hub.sent(NAME) == before


def test_files_in_git_are_verified_too(hub: StandInHub, tmp_path: Path) -> None:
    readme = Fetch(hub, tmp_path / "cache", path="README.md")
    readme.run()
    other = Fetch(hub, tmp_path / "other", path="README.md")
    hub.arm(f"{TINY}/README.md", Fault(flip_at=3, times=None))
    other.fail(DamagedDownload)


def test_an_empty_file_is_a_file(hub: StandInHub, tmp_path: Path) -> None:
    hub.repositories[TINY].commit({"empty": b""})
    Fetch(hub, tmp_path, path="empty").run()


PASSING = {
    "cut": Fault(cut_after=200_000),
    "cut before the first byte": Fault(cut_after=0),
    "reset": Fault(reset_after=200_000),
    "silence": Fault(stall_after=200_000),
    "too many requests": Fault(status=429, retry_after="0"),
    "time-out": Fault(status=408),
    "server error": Fault(status=500),
    "bad gateway": Fault(status=502),
    "overloaded": Fault(status=503, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"),
    "gateway time-out": Fault(status=504),
    "a page to log in": Fault(content=b"<html>Welcome to our hotel</html>"),
    "the address has expired": Fault(status=403),
    "resolving fails": Fault(method="HEAD", status=502),
    "resolving is limited": Fault(method="HEAD", status=429, retry_after="0"),
}


@pytest.mark.parametrize("kind", PASSING)
def test_what_passes_is_waited_for(fetch: Fetch, kind: str) -> None:
    fetch.hub.arm(NAME, PASSING[kind])
    fetch.run()
    assert not fetch.control.problem


@pytest.mark.parametrize(
    "fault",
    [
        Fault(content=b"<html>Welcome to our hotel</html>"),
        Fault(content_range="bytes 0-9/1000000"),
        Fault(content_range="nonsense"),
        Fault(status=416),
    ],
)
def test_a_wrong_answer_costs_nothing_that_is_here(fetch: Fetch, fault: Fault) -> None:
    fetch.leave_part(fetch.content[:300_000])
    fetch.hub.arm(NAME, fault)
    fetch.run()
    assert fetch.ranges == ["bytes=300000-"] * 2


def test_each_interruption_costs_only_itself(fetch: Fetch) -> None:
    fetch.hub.arm(NAME, *(Fault(cut_after=65_536) for _ in range(5)))
    fetch.run()
    offsets = [int((asked or "=0-").split("=")[1][:-1]) for asked in fetch.ranges]
    assert offsets == sorted(set(offsets))
    assert fetch.hub.sent(NAME) - len(fetch.content) <= 5 * 65_536
    assert len(offsets) == 6


def test_it_goes_on_from_what_another_process_left(fetch: Fetch) -> None:
    fetch.leave_part(fetch.content[:700_000])
    fetch.run()
    assert fetch.ranges == ["bytes=700000-"]
    assert fetch.hub.sent(NAME) == len(fetch.content) - 700_000


def test_a_part_that_is_the_whole_file_needs_no_request(fetch: Fetch) -> None:
    fetch.leave_part(fetch.content)
    fetch.run()
    assert fetch.hub.requests == []


@pytest.mark.parametrize("left", [b"\0" * 1000, b"x" * 9_000_000])
def test_a_part_that_is_wrong_is_fetched_anew(fetch: Fetch, left: bytes) -> None:
    """A power cut can leave a file of the right length with nothing in it."""
    fetch.leave_part(left)
    fetch.run()


def test_a_server_without_ranges_sends_all_of_it_and_costs_nothing_that_is_here(
    fetch: Fetch,
) -> None:
    fetch.leave_part(fetch.content[:300_000])
    fetch.hub.arm(
        NAME,
        Fault(ignore_range=True, cut_after=100_000),
        Fault(ignore_range=True, cut_after=400_000),
    )
    fetch.run()
    assert fetch.ranges == ["bytes=300000-", "bytes=300000-", "bytes=400000-"]


def test_wrong_bytes_are_fetched_again_from_the_beginning(fetch: Fetch) -> None:
    fetch.hub.arm(NAME, Fault(flip_at=123_456))
    fetch.run()
    assert fetch.ranges == [None, None]
    assert fetch.control.problem is None


def test_bytes_that_stay_wrong_are_deleted(fetch: Fetch) -> None:
    fetch.hub.arm(NAME, Fault(flip_at=123_456, times=None))
    error = fetch.fail(DamagedDownload)
    assert PATH in error.message
    assert fetch.ranges == [None, None]
    assert not fetch.repo.part(fetch.file).exists()
    fetch.hub.faults.clear()
    fetch.run()


@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_of_another_size_is_refused(fetch: Fetch, change: int) -> None:
    wrong = fetch.content[:change] if change < 0 else fetch.content + b"x"
    fetch.hub.arm(NAME, Fault(content=wrong, times=None))
    error = fetch.fail(HubError)
    assert "sends something else than the file" in error.message


def test_another_file_under_the_same_name_is_refused(fetch: Fetch) -> None:
    """What was chosen is what is fetched: a hash, not a name."""
    changed = fetch.source.at(fetch.commit)
    assert changed is not None
    changed[1][PATH] = changed[1]["Tiny-Llama-Q8_0.gguf"]
    assert "another" in fetch.fail(HubError).message


@pytest.mark.parametrize("status", [500, 404, 403])
def test_what_stays_wrong_is_given_up_and_kept(fetch: Fetch, status: int) -> None:
    fetch.leave_part(fetch.content[:300_000])
    fetch.hub.arm(NAME, Fault(status=status, times=None))
    error = fetch.fail(HubError, Patience(first=0.001, longest=0.01, in_all=0.2, silence=2))
    assert str(status) in error.message
    assert fetch.repo.part(fetch.file).stat().st_size == 300_000


def test_who_asks_for_too_long_a_wait_is_not_waited_for(fetch: Fetch) -> None:
    fetch.hub.arm(NAME, Fault(status=429, retry_after="3600"))
    assert "3600 s" in fetch.fail(HubUnreachable).message


def test_nobody_there_is_said(fetch: Fetch) -> None:
    fetch.hub.stop()
    patience = Patience(first=0.001, longest=0.01, in_all=0.05)
    error = fetch.fail(HubUnreachable, patience)
    assert fetch.hub.url in error.message


def test_offline_asks_nobody(fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE" in fetch.fail(HubUnreachable).message
    assert fetch.hub.requests == []


def test_gated_files_need_a_token_of_somebody_who_may(
    hub: StandInHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, path = "tiny-labs/Tiny-Gemma-it-GGUF", "Tiny-Gemma-it-Q8_0.gguf"
    gated = Fetch(hub, tmp_path, name, path)
    assert f"{hub.url}/{name}" in gated.fail(GatedModel).message
    monkeypatch.setenv("HF_TOKEN", "hf_stranger")
    gated.fail(GatedModel)
    monkeypatch.setenv("HF_TOKEN", "hf_reader")
    gated.run()
    assert [one for one in hub.requests if one.server == "cdn"]
    for request in hub.requests:
        assert request.server == "hub" or "authorization" not in request.headers


def test_a_proxy_is_used(fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment names one at the time of the download."""
    with forward_proxy() as (address, seen):
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("http_proxy", address)
        close_session()  # huggingface_hub keeps its client
        fetch.run()
        close_session()
    assert seen == [("HEAD", fetch.hub.url), ("GET", fetch.hub.cdn_url)]


def test_a_private_repository_is_as_if_it_were_not_there(hub: StandInHub, tmp_path: Path) -> None:
    secret = Fetch(hub, tmp_path, "tiny-labs/Tiny-Secret-GGUF", "Tiny-Secret-Q8_0.gguf")
    assert "private" in secret.fail(ModelNotFound).message


def test_a_full_disk_is_said_with_both_numbers(tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match=r"2 GB more are needed .* where 1 GB are free"):
        check_space(tmp_path / "not" / "there", 2 * 10**9, free=lambda _: 10**9)
    check_space(tmp_path / "not" / "there", 1000)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
def test_a_disk_that_becomes_full_keeps_what_is_there(
    fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file system's own error, from a device that has room for nothing."""
    fetch.leave_part(fetch.content[:1000])
    opened = os.open
    full = {fetch.repo.part(fetch.file): "/dev/full"}
    monkeypatch.setattr(
        parts.os, "open", lambda path, *more, **options: opened(full.get(path, path), *more)
    )
    monkeypatch.setattr(parts.Part, "recall", lambda self, _: None)
    error = fetch.fail(DiskFull)
    assert "became full" in error.message
    assert fetch.repo.part(fetch.file).stat().st_size == 1000


@pytest.mark.parametrize("fault", [Fault(stall_after=100_000), Fault(bytes_per_second=100_000)])
def test_it_can_be_stopped_at_once_and_goes_on_later(fetch: Fetch, fault: Fault) -> None:
    fetch.hub.arm(NAME, fault)
    thread, outcome = in_thread(lambda: fetch.run(Patience(silence=60)))
    until(lambda: fetch.control.received.get(PATH, 0) >= 65_536)
    fetch.control.stop()
    thread.join(60)
    assert isinstance(outcome[0], Stopped)
    assert scan_cache_dir(fetch.cache).warnings == []
    here = fetch.repo.part(fetch.file).stat().st_size
    assert 65_536 <= here < len(fetch.content)
    fetch.control = Control()
    fetch.run()
    assert fetch.ranges == [None, f"bytes={here}-"]


def test_two_at_once_fetch_it_once(hub: StandInHub, tmp_path: Path) -> None:
    hub.arm(NAME, Fault(bytes_per_second=3_000_000))
    both = [Fetch(hub, tmp_path), Fetch(hub, tmp_path)]
    running = [in_thread(one.run) for one in both]
    for thread, outcome in running:
        thread.join(60)
        assert isinstance(outcome[0], Path), outcome
    assert hub.sent(NAME) == len(both[0].content)


def test_it_waits_for_huggingface_hub_s_own_download(hub: StandInHub, tmp_path: Path) -> None:
    hub.arm(NAME, Fault(bytes_per_second=3_000_000))
    ours, api = Fetch(hub, tmp_path), HfApi(endpoint=hub.url, token=False)
    thread, _ = in_thread(lambda: api.hf_hub_download(TINY, PATH, cache_dir=tmp_path))
    until(lambda: hub.sent(NAME) > 0)
    ours.run()
    thread.join(60)
    assert hub.sent(NAME) == len(ours.content)


HOSTILE = ["../../x", "/etc/x", "a/../../x", "..", ".", "", "a\\..\\x", "a\0b"]


@pytest.mark.parametrize("path", HOSTILE)
def test_no_path_leads_out_of_the_cache(tmp_path: Path, path: str) -> None:
    repo = CachedRepo(tmp_path, TINY)
    with pytest.raises(HubError):
        repo.snapshot("0" * 40, path)
    with pytest.raises(HubError):
        repo.point(path, "0" * 40)


def test_no_other_name_of_the_hub_s_does(tmp_path: Path) -> None:
    for id in ("../x", "a/../b", "a/b/c", "", "/a/b", "a--b/c", "a/b\0"):
        with pytest.raises(LmnbError):
            CachedRepo(tmp_path, id)
    repo = CachedRepo(tmp_path, TINY)
    with pytest.raises(HubError):
        repo.snapshot("../" * 3, PATH)
    for etag in ("../../x", "", "A" * 64, None):
        with pytest.raises(HubError):
            repo.blob(HubFile(path=PATH, size=1, sha256=etag, lfs=True))


def test_a_file_that_is_deleted_before_it_is_linked_is_no_file(fetch: Fetch) -> None:
    path = fetch.run()
    path.unlink()
    fetch.repo.blob(fetch.file).unlink()
    with pytest.raises(LmnbError, match="deleted"):
        fetch.repo.link(fetch.commit, fetch.file)
    assert scan_cache_dir(fetch.cache).warnings == []


def test_without_links_the_file_itself_is_put_there(
    fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(os, "symlink", refuse)
    assert not fetch.run().is_symlink()
    before = fetch.hub.sent(NAME)
    fetch.run()
    assert fetch.hub.sent(NAME) == before
    assert try_to_load_from_cache(TINY, PATH, cache_dir=fetch.cache) is not None
    assert scan_cache_dir(fetch.cache).warnings == []


def test_what_is_discarded_is_gone_and_what_is_used_stays(fetch: Fetch) -> None:
    fetch.leave_part(b"x")
    fetch.repo.discard(fetch.file)
    assert not fetch.repo.part(fetch.file).exists()
    path = fetch.run()
    fetch.repo.discard(fetch.file)
    assert path.exists()
    path.unlink()
    fetch.repo.discard(fetch.file)
    assert not fetch.repo.blob(fetch.file).exists()


@contextmanager
def forward_proxy() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A proxy for http://, and which methods and origins it was asked for."""
    seen: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.command, self.path[: self.path.index("/", 8)]))
            headers = dict(self.headers.items())
            answer = httpx.request(
                self.command, self.path, headers=headers, trust_env=False, timeout=60
            )
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Runs it; afterwards the list holds what it returned or raised."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
