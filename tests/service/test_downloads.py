"""Downloads as jobs: they go on, wait, stop and come back, and end as a model or with a reason."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import hf_hub_download, scan_cache_dir

from lmnb.errors import (
    DiskFull,
    GatedModel,
    HubUnreachable,
    InvalidRequest,
    ModelNotFound,
    NotFound,
)
from lmnb.models.download.retrying import Patience
from lmnb.models.hub.hub import Hub
from lmnb.models.store.scan import scan
from lmnb.service.database import Database
from lmnb.service.downloads import downloads
from lmnb.service.downloads import queue as download_queue
from lmnb.service.downloads.downloads import Downloads
from lmnb.service.notices import Notices
from tests.hub import Fault, StandInHub
from tests.hub.models import SMOLLM2, TINY

Q4, Q8, F16 = (f"{TINY}/Tiny-Llama-{quant}.gguf" for quant in ("Q4_K_M", "Q8_0", "F16"))
PROJECTOR = f"{TINY}/mmproj-Tiny-Llama-F16.gguf"
SLOW = Fault(bytes_per_second=100_000, times=None)
HURRY = Patience(first=0.001, longest=0.01, in_all=1, silence=2)


@dataclass
class Server:
    """As much of a server as downloads know."""

    downloads: Downloads
    said: list[tuple[str, Any]] = field(default_factory=list)
    busy: int = 0

    async def until(self, id: str, *states: str) -> dict[str, Any]:
        status: dict[str, Any] = {}

        async def reached() -> bool:
            status.update(await self.downloads.status(id))
            return status["state"] in states

        await until(reached)
        return dict(await self.downloads.status(id))

    async def get(self, model: str, **more: Any) -> dict[str, Any]:
        """From asking to its end."""
        status = await self.downloads.start(model, **more)
        return await self.until(status["job_id"], "completed", "failed")


@asynccontextmanager
async def serving(path: Path, **options: Any) -> AsyncIterator[Server]:
    database, notices = Database(path / "lmnb.sqlite"), Notices()
    server = Server(Downloads(Hub(), database, notices, patience=HURRY, **options))

    async def listen() -> None:
        with notices.subscribe() as subscription:
            async for notice in subscription:
                server.said.append((notice.kind, notice.data))

    listening = asyncio.ensure_future(listen())
    await server.downloads.recover()
    try:
        yield server
    finally:
        await server.downloads.close()
        notices.close()
        await listening
        database.close()


@pytest.fixture
def cache(hub: StandInHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in (download_queue, downloads):
        monkeypatch.setattr(module, "STEP_SECONDS", 0.02)
    return tmp_path / "huggingface" / "hub"


def models(cache: Path) -> list[str]:
    """What a store would list there."""
    return sorted(found.relative.name for found in scan(cache).models)


async def test_a_model_is_fetched_and_told(hub: StandInHub, cache: Path, tmp_path: Path) -> None:
    hub.arm(Q4, Fault(bytes_per_second=400_000))
    async with serving(tmp_path, key_of=lambda path: path.stem.lower()) as server:
        asked = await server.downloads.start(f"{TINY}@q4_k_m")
        assert asked["job_id"].startswith("job_")
        assert (asked["status"], asked["quantization"]) == ("downloading", "Q4_K_M")
        done = await server.until(asked["job_id"], "completed", "failed")
    assert done["status"] == "completed"
    sizes = [file["size_bytes"] for file in done["files"]]
    assert done["downloaded_bytes"] == done["total_size_bytes"] == sum(sizes)
    assert sizes == [hub.sent(Q4), hub.sent(PROJECTOR)]
    assert done["key"] == "tiny-llama-q4_k_m"
    assert models(cache) == ["Tiny-Llama-Q4_K_M.gguf", "mmproj-Tiny-Llama-F16.gguf"]
    kinds = list(dict.fromkeys(kind for kind, _ in server.said))
    assert kinds == ["download.start", "download.progress", "download.end", "models.changed"]
    told = [data for kind, data in server.said if kind == "download.progress"]
    received = [data["downloaded_bytes"] for data in told]
    assert received == sorted(received)
    assert any(data.get("bytes_per_second", 0) > 0 for data in told)
    assert all("estimated_completion" in data for data in told if data.get("bytes_per_second"))


async def test_what_is_here_needs_no_job(hub: StandInHub, cache: Path, tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await server.get(f"{TINY}@q4_k_m")
        again = await server.downloads.start(TINY, quantization="Q4_K_M")
        assert again["status"] == "already_downloaded"
        assert not {"job_id", "total_size_bytes", "started_at"} & again.keys()
        assert len(await server.downloads.list()) == 1


async def test_what_another_program_fetched_is_here(
    hub: StandInHub, cache: Path, tmp_path: Path
) -> None:
    for name in ("Tiny-Llama-Q8_0.gguf", "mmproj-Tiny-Llama-F16.gguf"):
        hf_hub_download(TINY, name, endpoint=hub.url, cache_dir=cache, token=False)
    async with serving(tmp_path) as server:
        assert (await server.downloads.start(f"{TINY}@q8_0"))["status"] == "already_downloaded"


async def test_a_new_commit_with_the_same_files_fetches_nothing(
    hub: StandInHub, cache: Path, tmp_path: Path
) -> None:
    async with serving(tmp_path) as server:
        await server.get(f"{TINY}@q4_k_m")
        before = hub.sent(Q4)
        commit = hub.repositories[TINY].commit({"README.md": b"# New\n"})
        server.downloads._catalogue = Hub()  # it would remember for minutes what it was told
        again = await server.downloads.start(f"{TINY}@q4_k_m")
    assert (again["status"], again["revision"]) == ("already_downloaded", commit)
    assert hub.sent(Q4) == before
    assert scan_cache_dir(cache).warnings == []


async def test_the_cache_calls_a_commit_what_others_look_for(
    hub: StandInHub, cache: Path, tmp_path: Path
) -> None:
    """Whoever resolved a name first asks for the commit by its hash."""
    source = hub.repositories[TINY]
    first, second = source.sha, source.commit({"README.md": b"# New\n"})
    source.version_tags["v1"] = first
    refs = cache / "models--tiny-labs--Tiny-Llama-GGUF" / "refs"
    async with serving(tmp_path) as server:
        await server.get(f"{TINY}@q8_0", revision=first)
        assert not refs.exists()
        await server.downloads.start(f"{TINY}@q8_0", revision=second)
        assert (refs / "main").read_text() == second
        await server.downloads.start(f"{hub.url}/{TINY}/tree/v1", quantization="Q8_0")
        assert (refs / "v1").read_text() == first


async def test_a_model_of_several_files_is_there_when_all_are(
    hub: StandInHub, cache: Path, tmp_path: Path
) -> None:
    shards = [f"Tiny-Llama-BF16/Tiny-Llama-BF16-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    hub.arm(f"{TINY}/{shards[2]}", Fault(stall_after=1000, times=None))
    async with serving(tmp_path) as server:
        id = (await server.downloads.start(f"{TINY}@bf16"))["job_id"]
        await arrived(hub, f"{TINY}/{shards[2]}", 1000)
        assert models(cache) == []
        assert scan(cache).problems == []
        hub.faults.clear()
        done = await server.until(id, "completed", "failed")
    assert done["state"] == "completed", done
    assert [file["path"] for file in done["files"]] == [*shards, "mmproj-Tiny-Llama-F16.gguf"]
    assert models(cache)[0] == "Tiny-Llama-BF16-00001-of-00003.gguf"


async def test_a_job_is_paused_and_goes_on(hub: StandInHub, cache: Path, tmp_path: Path) -> None:
    hub.arm(Q4, SLOW)
    async with serving(tmp_path) as server:
        id = (await server.downloads.start(f"{TINY}@q4_k_m"))["job_id"]
        await arrived(hub, Q4, 60_000)
        assert (await server.downloads.pause(id))["status"] == "paused"
        assert (await server.downloads.pause(id))["status"] == "paused"
        await idle(server)
        at, here = hub.sent(Q4), (await server.downloads.status(id))["downloaded_bytes"]
        await asyncio.sleep(0.2)
        assert hub.sent(Q4) == at
        hub.faults.clear()
        await server.downloads.resume(id)
        done = await server.until(id, "completed", "failed")
    assert done["state"] == "completed"
    assert [one.headers.get("range") for one in hub.asked("GET", Q4)] == [None, f"bytes={here}-"]
    assert [kind for kind, _ in server.said if kind != "download.progress"] == [
        "download.start",
        "download.paused",
        "download.start",
        "download.end",
        "models.changed",
    ]


async def test_pausing_and_resuming_at_once_does_no_harm(
    hub: StandInHub, cache: Path, tmp_path: Path
) -> None:
    hub.arm(Q4, *(Fault(bytes_per_second=2_000_000) for _ in range(9)))
    async with serving(tmp_path) as server:
        downloads = server.downloads
        id = (await downloads.start(f"{TINY}@q4_k_m"))["job_id"]
        for _ in range(5):
            await asyncio.gather(
                downloads.pause(id),
                downloads.resume(id),
                downloads.start(TINY, quantization="Q4_K_M"),
            )
        await downloads.resume(id)
        assert (await server.until(id, "completed", "failed"))["state"] == "completed"
        assert len(await downloads.list()) == 1


async def test_a_cancelled_job_leaves_nothing(hub: StandInHub, cache: Path, tmp_path: Path) -> None:
    hub.arm(Q4, SLOW)
    async with serving(tmp_path) as server:
        id = (await server.downloads.start(f"{TINY}@q4_k_m"))["job_id"]
        await arrived(hub, Q4, 60_000)
        status = await server.downloads.cancel(id)
        assert (status["state"], status["status"]) == ("cancelled", "failed")
        assert status["error"]["message"] == "It was cancelled."
        await idle(server)
        assert list(cache.rglob("blobs/*")) == []
        assert (await server.downloads.cancel(id))["state"] == "cancelled"
        for change in (server.downloads.pause, server.downloads.resume):
            with pytest.raises(InvalidRequest, match="cancelled"):
                await change(id)
        hub.faults.clear()
        assert (await server.get(f"{TINY}@q4_k_m"))["state"] == "completed"


async def test_a_paused_job_is_cancelled(hub: StandInHub, cache: Path, tmp_path: Path) -> None:
    hub.arm(Q4, SLOW)
    async with serving(tmp_path) as server:
        id = (await server.downloads.start(f"{TINY}@q4_k_m"))["job_id"]
        await arrived(hub, Q4, 60_000)
        await server.downloads.pause(id)
        await idle(server)
        await server.downloads.cancel(id)
        assert list(cache.rglob("blobs/*")) == []


async def test_what_two_jobs_share_survives_the_end_of_one(
    hub: StandInHub, cache: Path, tmp_path: Path
) -> None:
    """Both quantisations see with the same projector."""
    hub.arm(PROJECTOR, Fault(stall_after=100), Fault(stall_after=100))
    async with serving(tmp_path) as server:
        one = (await server.downloads.start(f"{TINY}@q4_k_m"))["job_id"]
        two = (await server.downloads.start(f"{TINY}@q8_0"))["job_id"]
        await arrived(hub, PROJECTOR, 100)
        await server.downloads.cancel(one)
        assert (await server.until(two, "completed", "failed"))["state"] == "completed"
    assert "Tiny-Llama-Q8_0.gguf" in models(cache)


async def test_the_same_model_is_fetched_once(hub: StandInHub, cache: Path, tmp_path: Path) -> None:
    hub.arm(Q4, Fault(bytes_per_second=4_000_000))
    async with serving(tmp_path) as server:
        asked = await asyncio.gather(
            *(server.downloads.start(name) for name in (f"{TINY}@q4_k_m", f"{TINY}:Q4_K_M") * 2)
        )
        [id] = {status["job_id"] for status in asked}
        await server.until(id, "completed")
        assert hub.sent(Q4) == (await server.downloads.status(id))["files"][0]["size_bytes"]


async def test_so_many_at_once_and_the_others_wait(
    hub: StandInHub, cache: Path, tmp_path: Path
) -> None:
    for file in (Q4, Q8, F16):
        hub.arm(file, SLOW)
    async with serving(tmp_path, limit=1, busy=count_busy(counts := [0])) as server:
        ids = [
            (await server.downloads.start(f"{TINY}@{quant}"))["job_id"]
            for quant in ("q4_k_m", "q8_0", "f16")
        ]
        statuses = [await server.downloads.status(id) for id in ids]
        assert [one["state"] for one in statuses] == ["downloading", "queued", "queued"]
        assert {one["status"] for one in statuses} == {"downloading"}
        assert counts == [1]
        await server.downloads.cancel(ids[1])
        hub.faults.clear()
        await server.downloads.pause(ids[0])
        await server.until(ids[2], "completed")
        await server.downloads.resume(ids[0])
        await server.until(ids[0], "completed")
        await idle(server)
    assert counts == [0]
    assert hub.sent(Q8) == 0


async def test_a_failed_job_says_why_and_can_go_on(
    hub: StandInHub, cache: Path, tmp_path: Path
) -> None:
    hub.arm(Q4, Fault(cut_after=200_000), Fault(status=503, times=None))
    async with serving(tmp_path) as server:
        failed = await server.get(f"{TINY}@q4_k_m")
        assert failed["status"] == "failed"
        assert "503" in failed["error"]["message"]
        assert failed["error"]["code"] in ("hub_error", "hub_unreachable")
        assert failed["downloaded_bytes"] == 200_000
        assert [data["state"] for kind, data in server.said if kind == "download.error"] == [
            "failed"
        ]
        hub.faults.clear()
        again = await server.downloads.start(f"{TINY}@q4_k_m")
        assert again["job_id"] == failed["job_id"]
        assert "error" not in again
        await server.until(again["job_id"], "completed")
    assert hub.asked("GET", Q4)[-1].headers["range"] == "bytes=200000-"


async def test_a_server_that_ends_leaves_its_jobs_to_the_next(
    hub: StandInHub, cache: Path, tmp_path: Path
) -> None:
    hub.arm(Q4, SLOW)
    async with serving(tmp_path, limit=1) as first:
        ids = [(await first.downloads.start(f"{TINY}@{q}"))["job_id"] for q in ("q4_k_m", "q8_0")]
        paused = (await first.downloads.start(f"{TINY}@f16"))["job_id"]
        await first.downloads.pause(paused)
        await arrived(hub, Q4, 60_000)
    hub.faults.clear()
    async with serving(tmp_path, limit=1) as second:
        for id in ids:
            await second.until(id, "completed")
        assert (await second.downloads.status(paused))["state"] == "paused"
    ranges = [one.headers.get("range") for one in hub.asked("GET", Q4)]
    assert ranges[0] is None
    assert ranges[1] is not None
    assert hub.sent(F16) == 0


async def test_another_server_sees_a_job_and_stops_it(
    hub: StandInHub, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.arm(Q4, SLOW)
    async with serving(tmp_path) as runs, serving(tmp_path) as other:
        id = (await runs.downloads.start(f"{TINY}@q4_k_m"))["job_id"]
        await arrived(hub, Q4, 60_000)
        [seen] = await other.downloads.list()
        assert seen["job_id"] == id
        assert 0 < seen["downloaded_bytes"] < seen["total_size_bytes"]
        # In one process both would be the same owner.
        monkeypatch.setattr(downloads.StoredJob, "is_ours", property(lambda _: False))
        assert (await other.downloads.pause(id))["state"] == "paused"
        await idle(runs)
        hub.faults.clear()
        await other.downloads.resume(id)
        assert (await other.until(id, "completed", "failed"))["state"] == "completed"


async def test_a_server_that_does_not_listen_is_overruled(
    hub: StandInHub, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a machine that is no more, nothing says that it is."""
    hub.arm(Q4, SLOW)
    async with serving(tmp_path) as gone:
        id = (await gone.downloads.start(f"{TINY}@q4_k_m"))["job_id"]
        await arrived(hub, Q4, 60_000)
    database = Database(tmp_path / "lmnb.sqlite")
    with database.writing() as db:
        db.execute("UPDATE downloads SET owner = 'another-machine 1 1.0'")
    database.close()
    async with serving(tmp_path) as server:
        assert (await server.downloads.status(id))["state"] == "downloading"
        assert (await server.downloads.pause(id))["state"] == "paused"
        hub.faults.clear()
        await server.downloads.resume(id)
        assert (await server.until(id, "completed", "failed"))["state"] == "completed"


async def test_names_that_cannot_be_fetched_are_errors(
    hub: StandInHub, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path) as server:
        start = server.downloads.start
        with pytest.raises(ModelNotFound):
            await start("tiny-labs/none")
        with pytest.raises(InvalidRequest):
            await start("../../etc/passwd")
        with pytest.raises(NotFound):
            await server.downloads.status("job_none")
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        with pytest.raises(HubUnreachable, match="HF_HUB_OFFLINE"):
            await start(SMOLLM2)
        assert await server.downloads.list() == []


async def test_a_disk_without_room_is_said_before_anything_is_fetched(
    hub: StandInHub, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**6))
    async with serving(tmp_path) as server:
        with pytest.raises(DiskFull, match=r"796 kB more are needed .* where 1 MB are free"):
            await server.downloads.start(f"{TINY}@q8_0")
        assert await server.downloads.list() == []
    assert hub.sent(Q8) == 0


async def test_a_gated_model_says_where_to_ask(
    hub: StandInHub, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gated = "tiny-labs/Tiny-Gemma-it-GGUF"
    async with serving(tmp_path) as server:
        with pytest.raises(GatedModel, match=f"{hub.url}/{gated}"):
            await server.downloads.start(gated)
        monkeypatch.setenv("HF_TOKEN", "hf_reader")
        assert (await server.get(gated))["state"] == "completed"


def count_busy(counts: list[int]) -> Any:
    class Busy:
        def __enter__(self) -> None:
            counts[0] += 1

        def __exit__(self, *_: object) -> None:
            counts[0] -= 1

    return Busy


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(3000):
        if await condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


async def arrived(hub: StandInHub, file: str, count: int) -> None:
    async def is_there() -> bool:
        return hub.sent(file) >= count

    await until(is_there)


async def idle(server: Server) -> None:
    """Until no thread runs any more."""

    async def is_idle() -> bool:
        return not server.downloads._queue.runs

    await until(is_idle)
