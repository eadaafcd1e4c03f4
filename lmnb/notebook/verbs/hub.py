"""Models on Hugging Face: `search`, `get`."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from typing import Any

from lmnb.errors import InvalidRequest
from lmnb.notebook import downloads, remote_names
from lmnb.notebook.cell.turn import Interrupted
from lmnb.notebook.connection.client import Client
from lmnb.notebook.connection.transport import PATIENT
from lmnb.notebook.display.screen import Screen, progressing
from lmnb.notebook.display.tables import UNKNOWN, JsonList, Table, size
from lmnb.notebook.options import between, option
from lmnb.notebook.verbs.downloads import progress_of
from lmnb.notebook.verbs.verb import JSON, YES, Verb

UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
FITS = {
    "full_gpu": "Full GPU",
    "partial_gpu": "Partial GPU",
    "cpu": "CPU",
    "too_large": "Won't fit",
}
Found = dict[str, Any]
"""What a name means: see `POST api/v1/models/resolve`."""


def count_of_bytes(text: str) -> int:
    """An argparse type: `4GB`, `500 MB`, or plain bytes."""
    number = text.lower().rstrip("kmgtb ")
    try:
        return round(float(number) * UNITS[text.lower()[len(number) :].strip() or "b"])
    except (ValueError, KeyError):
        raise ArgumentTypeError(f"{text!r} is not a size like 4GB") from None


def search(client: Client, screen: Screen, arguments: Namespace) -> Any:
    """GGUF repositories, each with its recommended size and whether that fits."""
    asked = {
        "q": " ".join(arguments.words),
        "owner": arguments.owner,
        "architecture": arguments.architecture,
        "min_size": arguments.min_size,
        "max_size": arguments.max_size,
        "sort": arguments.sort,
        "limit": arguments.limit,
    }
    parameters = {name: value for name, value in asked.items() if value}
    found = client.json("GET", "api/v1/models/search", params=parameters, timeout=PATIENT)
    models = found["models"]
    remote_names.remember(models)
    if arguments.json:
        return JsonList(models)
    if not models:
        screen.say("Nothing on the Hub is like that.")
        return None
    if arguments.detailed:
        for model in models:
            screen.show(_variants(model))
        return None
    columns = ("MODEL", "PARAMS", "DOWNLOADS", "LIKES", "UPDATED", "LICENSE", "BEST", "SIZE", "FIT")
    screen.show(Table(columns, [_row(model) for model in models]))
    screen.say(f"`{screen.program} get NAME` downloads one; --detailed lists every quantization.")
    return None


def _row(model: Found) -> list[str]:
    best: Found = next((one for one in model["variants"] if one["recommended"]), {})
    gate = {"auto": " (asks for consent)", "manual": " (asks for permission)"}
    return [
        model["id"] + gate.get(model.get("gated") or "", ""),
        model.get("params_string") or UNKNOWN,
        f"{model.get('downloads') or 0:,}",
        f"{model.get('likes') or 0:,}",
        (model.get("updated_at") or UNKNOWN)[:10],
        model.get("license") or UNKNOWN,
        best.get("quantization") or UNKNOWN,
        size(best.get("size_bytes")),
        FITS.get(best.get("fit", ""), UNKNOWN),
    ]


def _variants(model: Found) -> Table:
    rows = [
        [
            one["quantization"] or UNKNOWN,
            size(one["size_bytes"]),
            FITS.get(one["fit"], one["fit"]),
            "★ Recommended" if one["recommended"] else "",
            "✓ Downloaded" if one["downloaded"] else "",
        ]
        for one in model["variants"]
    ]
    return Table(("QUANT", "SIZE", "FIT", "", ""), rows, model["id"])


def get(client: Client, screen: Screen, arguments: Namespace) -> None:
    """Find what is meant, say what was chosen and why, and have the server fetch it."""
    found = _resolve(client, arguments.model, arguments)
    if not found["certain"] and not arguments.yes:
        chosen = _choose(screen, arguments.model, found)
        if chosen is None:
            screen.say("Nothing is downloaded.")
            return
        if chosen != _name(found):
            found = _resolve(client, chosen, arguments)
    what = f"{_name(found)} ({size(found['size_bytes'])})"
    why = f": {'; '.join(found['why'])}" if found["why"] else ""
    screen.say(f"↓ {what}{why}")
    job = downloads.start(client, _wish(found), found.get("quantization"), found.get("revision"))
    if job.get("status") == "already_downloaded":
        screen.say(f"It is on this machine already. {_how_to_load(screen, job, found)}")
        return
    if arguments.background:
        screen.say(f"It is job {job['job_id']}. `{screen.program} downloads` shows how it goes.")
        return
    job = _watch(client, screen, job, _name(found))
    screen.say(_how_to_load(screen, job, found))


def _how_to_load(screen: Screen, job: downloads.Job, found: Found) -> str:
    return f"`{screen.program} load {job.get('key') or _name(found)}` loads it."


def _watch(client: Client, screen: Screen, job: downloads.Job, name: str) -> downloads.Job:
    """Follow a download to its end. An interrupt leaves it to the server, and says so."""
    try:
        with progressing(screen, f"Downloading {name}") as progress:
            done = downloads.follow(
                client, job, lambda job: progress.move(downloads.share(job), progress_of(job))
            )
    except KeyboardInterrupt:
        raise Interrupted(
            f"the download goes on in the server: `{screen.program} downloads` shows it, "
            f"`{screen.program} downloads cancel {job['job_id']}` ends it"
        ) from None
    progress.done(f"{name} is downloaded: {size(done.get('total_size_bytes'))}, checked.")
    return done


def _resolve(client: Client, name: str, arguments: Namespace) -> Found:
    asked = {"quantization": arguments.quant, "revision": arguments.revision}
    body = {"model": name} | {key: value for key, value in asked.items() if value}
    found = client.json("POST", "api/v1/models/resolve", body, timeout=PATIENT)
    remote_names.remember([{"id": one["repo"]} for one in (found, *found.get("candidates", ()))])
    return found


def _choose(screen: Screen, asked: str, found: Found) -> str | None:
    """One of the candidates. Raises InvalidRequest where nobody can be asked."""
    best = {**found, "why": "; ".join(found["why"])}
    others = [one for one in found.get("candidates", ()) if _name(one) != _name(found)]
    offered = [best, *others]
    if not screen.person.is_there:
        names = ", ".join(map(_name, offered))
        raise InvalidRequest(
            f"{asked!r} may mean several models: {names}. Say one in full, or --yes for the first."
        )
    rows = [
        [str(number), _name(one), f"{one.get('downloads') or 0:,}", str(one.get("why") or "")]
        for number, one in enumerate(offered, 1)
    ]
    screen.show(Table(("", "MODEL", "DOWNLOADS", "WHY"), rows, f"{asked!r} may mean:"))
    number = screen.person.pick("Which one?", len(offered))
    return None if number is None else _name(offered[number - 1])


def _name(found: Found) -> str:
    quantization = found.get("quantization")
    return f"{found['repo']}@{quantization.lower()}" if quantization else str(found["repo"])


def _wish(found: Found) -> str:
    """Its repository; and its file, where no quantization tells it from others."""
    return str(
        found["repo"] if found.get("quantization") else f"{found['repo']}/{found['files'][0]}"
    )


VERBS = (
    Verb(
        "search",
        "Search Hugging Face for models that run here.",
        (
            option("words", nargs="*", help="what to look for"),
            option("--owner", metavar="NAME", help="whose"),
            option("--architecture", metavar="NAME", help="llama, gemma3, qwen3, ..."),
            option("--min-size", type=count_of_bytes, metavar="SIZE", help="as in 500MB"),
            option("--max-size", type=count_of_bytes, metavar="SIZE", help="as in 4GB"),
            option(
                "--sort",
                choices=("downloads", "likes", "trending", "updated"),
                default="downloads",
                help="which first",
            ),
            option("-n", "--limit", type=between(1, 50, int), default=10, help="how many"),
            option("--detailed", action="store_true", help="every quantization of each"),
            JSON,
        ),
        search,
    ),
    Verb(
        "get",
        "Find a model on Hugging Face and download it.",
        (
            option(
                "model",
                completes="remote",
                help="gemma-3-1b, owner/repo, owner/repo@q4_k_m, owner/repo/file.gguf, an address",
            ),
            option("--quant", metavar="NAME", help="the quantization, as in Q4_K_M"),
            option("--revision", metavar="NAME", help="a branch, tag or commit of the repository"),
            option("--background", action="store_true", help="do not wait for it"),
            YES,
        ),
        get,
    ),
)
