"""`search`, `get` and `downloads`: what is chosen, who is asked, what an interrupt leaves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lmnb.errors import InvalidRequest, LmnbError, ModelNotFound
from lmnb.notebook import downloads
from lmnb.notebook.cell.turn import Interrupted
from lmnb.notebook.options import UsageMistake
from lmnb.notebook.verbs.downloads import progress_of
from tests.notebook.verb_line import RecordingScreen, ScriptedClient, ScriptedPerson, run

RESOLVE, DOWNLOAD = "POST api/v1/models/resolve", "POST api/v1/models/download"
STATUS = "GET api/v1/models/download/status/job_1"
CERTAIN = {
    "repo": "acme/tiny-GGUF",
    "revision": "abc",
    "quantization": "Q4_K_M",
    "files": ["tiny-Q4_K_M.gguf"],
    "size_bytes": 98_000_000,
    "why": ["exact name", "Q4_K_M is the best that fits"],
    "certain": True,
    "candidates": [],
}
OTHER = {"repo": "other/tiny-GGUF", "quantization": "Q8_0", "downloads": 7, "why": "downloads"}
DOUBTFUL = {**CERTAIN, "certain": False, "candidates": [OTHER]}
RUNNING = {
    "job_id": "job_1",
    "status": "downloading",
    "downloaded_bytes": 49_000_000,
    "total_size_bytes": 98_000_000,
    "bytes_per_second": 1_000_000,
}
KEY = "acme/tiny"
DONE = {**RUNNING, "status": "completed", "downloaded_bytes": 98_000_000, "key": KEY}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "POLL_SECONDS", 0)


@pytest.fixture
def client() -> ScriptedClient:
    steps: Iterator[dict[str, Any]] = iter([RUNNING, DONE])
    answers = {RESOLVE: CERTAIN, DOWNLOAD: RUNNING, STATUS: lambda _: next(steps)}
    return ScriptedClient(answers)


@pytest.fixture
def screen() -> RecordingScreen:
    return RecordingScreen()


def asked(client: ScriptedClient, route: str) -> list[Any]:
    return [body for path, body in client.asked if path == route]


def test_get_says_what_it_chose_and_why_and_follows_it(
    client: ScriptedClient, screen: RecordingScreen
) -> None:
    run("get tiny", client, screen)
    assert "acme/tiny-GGUF@q4_k_m (98.00 MB): exact name; Q4_K_M is the best" in screen.text
    assert screen.shares == [0.5, 0.5]
    assert screen.details[0] == "49.00 MB / 98.00 MB, 1.00 MB/s"
    assert "`lmnb load acme/tiny` loads it." in screen.text
    chosen = {"model": "acme/tiny-GGUF", "quantization": "Q4_K_M", "revision": "abc"}
    assert asked(client, DOWNLOAD) == [chosen]


def test_get_hands_on_what_was_asked_for(client: ScriptedClient, screen: RecordingScreen) -> None:
    run("get tiny --quant Q8_0 --revision main", client, screen)
    wish = {"model": "tiny", "quantization": "Q8_0", "revision": "main"}
    assert asked(client, RESOLVE) == [wish]


def test_a_file_without_a_quantization_is_asked_for_by_its_name(
    client: ScriptedClient, screen: RecordingScreen
) -> None:
    client.answers[RESOLVE] = {**CERTAIN, "quantization": None}
    run("get acme/tiny-GGUF/tiny-Q4_K_M.gguf", client, screen)
    assert asked(client, DOWNLOAD)[0]["model"] == "acme/tiny-GGUF/tiny-Q4_K_M.gguf"


def test_in_doubt_a_batch_run_is_refused_with_the_candidates(
    client: ScriptedClient, screen: RecordingScreen
) -> None:
    client.answers[RESOLVE] = DOUBTFUL
    with pytest.raises(InvalidRequest, match=r"acme/tiny-GGUF@q4_k_m, other/tiny-GGUF@q8_0"):
        run("get tiny", client, screen)
    assert asked(client, DOWNLOAD) == []


def test_in_doubt_yes_takes_the_best(client: ScriptedClient, screen: RecordingScreen) -> None:
    client.answers[RESOLVE] = DOUBTFUL
    run("get tiny -y", client, screen)
    assert asked(client, DOWNLOAD)[0]["model"] == "acme/tiny-GGUF"


def test_in_doubt_whoever_is_there_picks(client: ScriptedClient) -> None:
    picked = {**CERTAIN, "repo": "other/tiny-GGUF", "quantization": "Q8_0"}
    client.answers[RESOLVE] = lambda body: DOUBTFUL if body["model"] == "tiny" else picked
    screen = RecordingScreen(ScriptedPerson(picks=2))
    run("get tiny", client, screen)
    assert [body["model"] for body in asked(client, RESOLVE)] == ["tiny", "other/tiny-GGUF@q8_0"]
    assert asked(client, DOWNLOAD)[0]["model"] == "other/tiny-GGUF"


def test_who_picks_none_gets_none(client: ScriptedClient) -> None:
    client.answers[RESOLVE] = DOUBTFUL
    screen = RecordingScreen(ScriptedPerson(picks=None))
    run("get tiny", client, screen)
    assert asked(client, DOWNLOAD) == []
    assert screen.said[-1] == "Nothing is downloaded."


def test_what_is_here_already_is_not_fetched(
    client: ScriptedClient, screen: RecordingScreen
) -> None:
    client.answers[DOWNLOAD] = {"status": "already_downloaded"}
    run("get tiny", client, screen)
    assert "on this machine already" in screen.said[-1]


def test_in_the_background_it_only_starts(client: ScriptedClient, screen: RecordingScreen) -> None:
    run("get tiny --background", client, screen)
    assert asked(client, STATUS) == []
    assert "job_1" in screen.said[-1]


def test_an_interrupt_leaves_the_job_to_the_server_and_says_how_to_end_it(
    client: ScriptedClient, screen: RecordingScreen
) -> None:
    client.answers[STATUS] = KeyboardInterrupt()
    with pytest.raises(Interrupted, match="`lmnb downloads cancel job_1` ends it"):
        run("get tiny", client, screen)
    assert not [path for path, _ in client.asked if path.endswith("cancel")]


def test_a_failed_download_fails_the_verb_with_its_reason(
    client: ScriptedClient, screen: RecordingScreen
) -> None:
    client.answers[STATUS] = {**RUNNING, "status": "failed", "error": {"message": "disk full"}}
    with pytest.raises(LmnbError, match="disk full"):
        run("get tiny", client, screen)


def test_a_load_of_what_is_not_here_offers_to_fetch_it(
    client: ScriptedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = list[str]()

    def load(model: str, options: Any, progress: Any) -> dict[str, Any]:
        loads.append(model)
        if len(loads) == 1:
            raise ModelNotFound("There is no model 'tiny' here.")
        return {"instance_id": model, "load_time_seconds": 1.0}

    monkeypatch.setattr(client, "load", load)
    person = ScriptedPerson(agrees=True)
    run("load tiny", client, RecordingScreen(person))
    assert "Download acme/tiny-GGUF Q4_K_M" in person.questions[0]
    assert loads == ["tiny", KEY]
    loads.clear()
    with pytest.raises(ModelNotFound, match="`lmnb get tiny` downloads acme/tiny-GGUF Q4_K_M"):
        run("load tiny", client, RecordingScreen())


def test_progress_says_speed_and_time_left() -> None:
    end = (datetime.now(UTC) + timedelta(seconds=90)).isoformat()
    job = {**RUNNING, "estimated_completion": end}
    assert progress_of(job) == "49.00 MB / 98.00 MB, 1.00 MB/s, 1m left"
    assert progress_of({**RUNNING, "status": "paused"}).endswith("paused")


def test_downloads_lists_and_changes_jobs(screen: RecordingScreen) -> None:
    job = {**RUNNING, "model": "acme/tiny-GGUF"}
    paused = {**job, "status": "paused"}
    client = ScriptedClient(
        {
            "GET api/v1/models/download": {"downloads": [job]},
            "POST api/v1/models/download/pause": paused,
        }
    )
    run("downloads", client, screen)
    assert "job_1  acme/tiny-GGUF  downloading  50%" in screen.text
    run("downloads pause job_1", client, screen)
    assert client.asked[-1] == ("POST api/v1/models/download/pause", {"job_id": "job_1"})
    assert screen.said[-1] == "job_1: paused."


MODEL = {
    "id": "acme/tiny-GGUF",
    "params_string": "135M",
    "downloads": 1234,
    "likes": 5,
    "updated_at": "2026-01-02T03:04:05+00:00",
    "license": "mit",
    "gated": "manual",
    "variants": [
        {
            "quantization": "Q4_K_M",
            "size_bytes": 98_000_000,
            "fit": "cpu",
            "recommended": True,
            "downloaded": True,
        }
    ],
}


def test_search_shows_what_helps_to_choose(screen: RecordingScreen) -> None:
    client = ScriptedClient({"GET api/v1/models/search": {"models": [MODEL]}})
    run("search tiny chat --owner acme --max-size 4GB --sort likes -n 3", client, screen)
    ((_, parameters),) = client.asked
    assert parameters == {
        "q": "tiny chat",
        "owner": "acme",
        "max_size": 4_000_000_000,
        "sort": "likes",
        "limit": 3,
    }
    row = next(line for line in screen.text.splitlines() if line.startswith("acme/"))
    for fact in ("asks for permission", "135M", "1,234", "2026-01-02", "mit", "Q4_K_M", "CPU"):
        assert fact in row
    run("search tiny --detailed", client, screen)
    assert "★ Recommended  ✓ Downloaded" in screen.text
    assert run("search tiny --json", client, screen) == [MODEL]


@pytest.mark.parametrize(
    "line", ["search --max-size big", "search -n 0", "search --sort age", "get"]
)
def test_what_makes_no_sense_is_a_mistake_on_the_line(line: str, screen: RecordingScreen) -> None:
    with pytest.raises(UsageMistake, match="--help"):
        run(line, ScriptedClient({}), screen)
