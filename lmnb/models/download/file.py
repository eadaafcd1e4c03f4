"""One file of the Hub, fetched into the Hugging Face cache: it goes on where it stopped, in whichever
process that was, and counts only when its hash is right.

huggingface_hub's own download begins anew in each process and compares no hash; search it for
`.incomplete`. This one uses its layout and its locks, so that both can work on one cache.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

import httpx

from lmnb._version import __version__
from lmnb.errors import DamagedDownload, HubError
from lmnb.models.download.cache import CachedRepo
from lmnb.models.download.control import Control
from lmnb.models.download.part import Part
from lmnb.models.download.retrying import Patience, Retries, Trouble
from lmnb.models.hub.access import endpoint, hub_errors, offline, retry_after, token
from lmnb.models.hub.repository import HubFile

__all__ = ["PATIENCE", "download", "locate"]

LOCK_SECONDS = 0.5
"""How often somebody who waits for another's download looks whether to go on waiting."""
PATIENCE = Patience()
TRIES = 4
"""Of what hardly becomes right by itself."""
MORE_TRIES = 8
"""Where somebody is there who fails: a minute and a half."""
WHOLE_TRIES = 2
"""Of what arrives in full and has the wrong hash."""
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
NO_HEAD = (405, 501)
HOPELESS = (
    "UnsupportedProtocol",
    "TooManyRedirects",
    "LocalProtocolError",
    "InvalidURL",
    "ValueError",
)
ANSWERED = ("RemoteProtocolError", "ReadError", "ReadTimeout")
"""Of the exceptions of httpx, and of its successor in huggingface_hub's client."""


def download(
    repo: CachedRepo,
    commit: str,
    file: HubFile,
    control: Control,
    patience: Patience = PATIENCE,
) -> None:
    """Afterwards the file's blob is in the cache, whole and verified.

    Raises Stopped; GatedModel, ModelNotFound, PermissionDenied; HubUnreachable, HubError when it has
    been tried long enough; DamagedDownload; DiskFull. But for damage, what has arrived is kept.
    """
    while True:
        control.check()
        with repo.lock(file, LOCK_SECONDS) as ours:
            if repo.has_blob(file) or repo.has(commit, file):
                break
            if ours:
                repo.prepare()
                _fetch(repo, commit, file, control, patience)
                repo.keep(file)
                break
        control.problem = "another download of it goes on"
    control.received[file.path] = file.size
    control.problem = None


def _fetch(
    repo: CachedRepo, commit: str, file: HubFile, control: Control, patience: Patience
) -> None:
    with Part(repo.part(file), file) as part:
        part.recall(control.check)
        for _ in range(WHOLE_TRIES):
            _fill(part, repo.id, commit, control, patience)
            if part.is_right():
                return part.settle()
            part.restart()
            control.problem = "what arrived was damaged; fetching it again"
    part.path.unlink()
    raise DamagedDownload(
        f"What arrived of {file.path} has another hash than the Hub says, {WHOLE_TRIES} times, and was "
        "deleted. A proxy or mirror may be sending something else, or the connection damages files."
    )


def _fill(part: Part, repo_id: str, commit: str, control: Control, patience: Patience) -> None:
    """Until it is as long as the file."""
    file, retries = part.wanted, Retries(patience, control)
    control.received[file.path] = part.position
    with _client(patience) as client:
        while part.position < file.size:
            try:
                with _opened(client, repo_id, commit, part, control) as pieces:
                    for piece in pieces:
                        part.add(piece)
                        control.received[file.path] = part.position
                        control.problem = None
                        control.check()
                        if part.position == file.size:
                            break  # more than that is none of it
                if part.position < file.size:
                    raise Trouble(f"{file.path} ended too early")
            except (httpx.RequestError, httpx.InvalidURL) as error:
                control.check()  # it may have been we who ended the connection
                what = str(error) or type(error).__name__
                trouble = Trouble(f"The connection was lost ({what})", tries=_tries(error))
                retries.wait(trouble, part.position)
            except Trouble as trouble:
                retries.wait(trouble, part.position)


def _client(patience: Patience) -> httpx.Client:
    """Made for each file, so that proxies and certificates are those of now."""
    timeout = httpx.Timeout(patience.silence, connect=10)
    return httpx.Client(timeout=timeout, follow_redirects=True, max_redirects=5)


@contextmanager
def _opened(
    client: httpx.Client, repo_id: str, commit: str, part: Part, control: Control
) -> Iterator[Iterator[bytes]]:
    """The bytes from the part's position on. Raises Trouble, what httpx raises, and what no second
    try changes."""
    url = locate(repo_id, commit, part.wanted)
    control.check()
    headers = {"Accept-Encoding": "identity", "User-Agent": f"lmnb/{__version__}"}
    if part.position:
        headers["Range"] = f"bytes={part.position}-"
    # httpx takes the header away when it is redirected to another origin.
    if _origin(url) == _origin(endpoint()) and (secret := token()):
        headers["Authorization"] = f"Bearer {secret}"
    with client.stream("GET", url, headers=headers) as response:
        known = part.position - _start(response, part)
        stream = response.extensions["network_stream"]
        with control.listening(stream.get_extra_info("socket")):
            yield _after(known, response.iter_raw())


def _after(known: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Without the first `known` bytes, of a server that only sends all of it."""
    for piece in pieces:
        if known < len(piece):
            yield piece[known:]
        known = max(0, known - len(piece))


def locate(repo_id: str, commit: str, file: HubFile) -> str:
    """Where the content is at this moment: such an address expires.

    Raises GatedModel, ModelNotFound, PermissionDenied, HubUnreachable (told to be offline), HubError
    (another file now); Trouble.
    """
    from huggingface_hub import get_hf_file_metadata

    url = f"{endpoint()}/{repo_id}/resolve/{quote(commit, safe='')}/{quote(file.path)}"
    try:
        with hub_errors(repo_id):
            found = get_hf_file_metadata(url, token=token() or False, endpoint=endpoint())
    except HubError as error:
        if offline():
            raise
        cause = error.__cause__
        status = getattr(getattr(cause, "response", None), "status_code", None)
        if status in NO_HEAD:
            return url
        wait, tries = error.retry_after, _tries(cause, status)
        raise Trouble(error.message, retry_after=wait, tries=None if wait else tries) from error
    # Without its commit it is not the Hub's own answer, but that of whom it sent us to on its own
    # host: an ETag of theirs says nothing. The content's hash does.
    etag = found.etag.lower() if found.etag else None
    if found.commit_hash and (etag not in (None, file.etag) or found.size not in (None, file.size)):
        raise HubError(f"The Hub has another {file.path} now. Ask for the model anew.")
    return found.location


def _tries(error: BaseException | None, status: int | None = None) -> int | None:
    """How often to ask whoever answers so. None: nobody answers, which is what passes."""
    name = type(error).__name__
    if status in TRANSIENT or name in ANSWERED:
        return MORE_TRIES
    return TRIES if status is not None or name in HOPELESS else None


def _start(response: httpx.Response, part: Part) -> int:
    """At which byte of the file this answer begins. Raises Trouble if it is no part of the file."""
    status, size = response.status_code, part.wanted.size
    if status not in (200, 206):
        why = f"{response.url.host} answers {status} {response.reason_phrase}".rstrip()
        if status in TRANSIENT:
            wait = retry_after(response.headers)
            raise Trouble(why, retry_after=wait, tries=None if wait else MORE_TRIES)
        raise Trouble(why, tries=TRIES)
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Trouble(f"{response.url.host} sends the file in another form", tries=TRIES)
    if status == 206:
        said = response.headers.get("content-range", "")
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", said)
        if match and int(match[1]) == part.position and match[2] in ("*", str(size)):
            return part.position
        raise Trouble(f"{response.url.host} sends other bytes than it was asked for", tries=TRIES)
    # A page that wants one to log in (hotels, trains) also comes with 200.
    length = response.headers.get("content-length")
    is_page = response.headers.get("content-type", "").startswith("text/html")
    if is_page or length not in (None, str(size)):
        raise Trouble(f"{response.url.host} sends something else than the file", tries=TRIES)
    return 0


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname, parts.port or default
