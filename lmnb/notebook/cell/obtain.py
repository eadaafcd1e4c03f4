"""A model that is not on this machine: found on the Hub, and fetched after a question."""

from __future__ import annotations

from collections.abc import Callable

from lmnb.errors import LmnbError, ModelNotFound
from lmnb.notebook import downloads
from lmnb.notebook.connection.client import Client
from lmnb.notebook.display.screen import Screen, progressing
from lmnb.notebook.display.tables import size


def obtain(
    client: Client,
    name: str,
    missing: ModelNotFound,
    agrees: Callable[[str], bool] | None,
    screen: Screen,
) -> str:
    """The name of the model, now that it is here. `agrees` is None where nobody can be asked.

    Raises ModelNotFound, saying what to do, where it is not wanted or not to be had.
    """
    here = missing.message.rstrip(".") + "."
    try:
        found = client.json("POST", "api/v1/models/resolve", {"model": name})
    except LmnbError as error:
        raise ModelNotFound(f"{here} On the Hub: {error.message}") from error
    repo, quantization = found["repo"], found.get("quantization")
    what = f"{repo} {quantization or ''}".rstrip()
    what += f" ({size(found.get('size_bytes'))})"
    if agrees is None:
        raise ModelNotFound(f"{here} `{screen.program} get {name}` downloads {what}.")
    why = f" ({'; '.join(found['why'])})" if found.get("why") and not found.get("certain") else ""
    if not agrees(f"{name} is not on this machine. Download {what}{why}?"):
        raise ModelNotFound(f"{here} It was not downloaded.")
    with progressing(screen, f"Downloading {what}") as progress:
        job = downloads.start(client, repo, quantization)
        job = downloads.follow(client, job, lambda job: progress.move(downloads.share(job)))
    progress.done(f"{what} is downloaded.")
    return str(job.get("key") or repo)
