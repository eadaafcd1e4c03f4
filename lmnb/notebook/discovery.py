"""Which lmnb server is mine, and with which key.

Only servers that are provably this kernel's or this user's own are taken: prompts and tokens must
never travel to somebody else's server, or to another one of one's own by accident. In order:

1. `LMNB_BASE_URL` and `LMNB_API_KEY`: the user's (or the administrator's) word;
2. the notebook server that started this kernel (`JPY_PARENT_PID` and its runtime file);
3. the notebook server in whose terminal this process runs (`JUPYTER_SERVER_URL`);
4. this user's JupyterHub server (`JUPYTERHUB_SERVICE_URL`, `JUPYTERHUB_API_TOKEN`);
5. a `lmnb serve` of the same user on port 1234.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from lmnb.errors import ServerNotFound

LISTENER = "http://127.0.0.1:1234/"
EXTENSION_MISSING = (
    "The notebook server at {url} does not run lmnb. Enable it with "
    "`jupyter server extension enable lmnb` in the server's environment and restart the server."
)


@dataclass(frozen=True, slots=True)
class Connection:
    """An address under which lmnb's routes hang (it ends in `/`), and the key that opens them."""

    base_url: str
    api_key: str
    origin: str
    """How it was found, for people."""

    @property
    def openai_base_url(self) -> str:
        """What the OpenAI SDKs call `base_url`."""
        return self.base_url + "v1"

    @property
    def is_loopback(self) -> bool:
        """On this machine: no proxy stands between, and certificates are self-signed."""
        host = urlsplit(self.base_url).hostname or ""
        return host in ("localhost", "::1") or host.startswith("127.")


def find(
    environ: Mapping[str, str] = os.environ, runtime_dir: Path | None = None
) -> Connection | None:
    """The server to talk to, or None when there is none.

    Raises ServerNotFound when there should be one: its runtime file is there but it does not
    answer, or it runs without lmnb. Looking further would find somebody else's.
    """
    directory = runtime_dir or default_runtime_dir()
    return (
        from_environment(environ)
        or from_parent(environ, directory)
        or from_terminal(environ, directory)
        or from_hub(environ)
        or from_listener(environ)
    )


def from_environment(environ: Mapping[str, str]) -> Connection | None:
    """What `LMNB_BASE_URL` says, taken as it is."""
    url = environ.get("LMNB_BASE_URL", "").strip()
    return (
        Connection(root_of(url), environ.get("LMNB_API_KEY", ""), "LMNB_BASE_URL") if url else None
    )


def from_parent(environ: Mapping[str, str], directory: Path) -> Connection | None:
    """The notebook server that started this kernel."""
    pid = environ.get("JPY_PARENT_PID")
    if pid is None:
        return None
    if sys.platform == "win32":  # there JPY_PARENT_PID is a process handle
        pid = str(os.getppid())
    return _from_runtime_file(directory / f"jpserver-{pid}.json", environ)


def from_terminal(environ: Mapping[str, str], directory: Path) -> Connection | None:
    """The notebook server whose terminal this is."""
    url = environ.get("JUPYTER_SERVER_URL")
    if not url:
        return None
    for file in sorted(directory.glob("jpserver-*.json")):
        facts = _read_json(file)
        if facts.get("url") == url and _process_lives(int(facts.get("pid", 0))):
            return _from_runtime_file(file, environ)
    return None


def from_hub(environ: Mapping[str, str]) -> Connection | None:
    """This user's own server under JupyterHub."""
    url, token = environ.get("JUPYTERHUB_SERVICE_URL"), environ.get("JUPYTERHUB_API_TOKEN")
    if not url or not token:
        return None
    base = _reachable(url)
    return Connection(base + "lmnb/", token, "JupyterHub") if is_healthy(base + "lmnb/") else None


def from_listener(environ: Mapping[str, str]) -> Connection | None:
    """A `lmnb serve`, or a notebook server's second port, of this very user."""
    if not listener_is_mine(urlsplit(LISTENER).port or 0):
        return None
    key = environ.get("LMNB_API_KEY", "")
    return Connection(LISTENER, key, "port 1234") if is_lmnb(LISTENER, key) else None


def is_healthy(base_url: str) -> bool:
    """Does an lmnb answer there? Needs no key."""
    answer = _get(base_url + "health")
    return answer is not None and answer.get("status") == "ok"


def is_lmnb(base_url: str, api_key: str = "") -> bool:
    """Is it lmnb, and may we use it? (llama-server answers on `/health` too.)"""
    answer = _get(base_url + "api/v1/status", api_key) if is_healthy(base_url) else None
    return answer is not None and "version" in answer and "loaded" in answer


def listener_is_mine(port: int) -> bool:
    """Is the process that listens on this loopback port one of this user's? Unknown means no."""
    if not sys.platform.startswith("linux"):
        return _listener_is_mine_by_psutil(port)
    uids = set[int]()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in map(str.split, rows):
            if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port:
                uids.add(int(row[7]))
    return uids == {os.getuid()}


def root_of(url: str) -> str:
    """The address without the `/v1` people are used to give, ending in one slash."""
    return url.rstrip("/").removesuffix("/v1").rstrip("/") + "/"


def default_runtime_dir() -> Path:
    """Where Jupyter servers put their runtime files."""
    from jupyter_core.paths import jupyter_runtime_dir

    return Path(jupyter_runtime_dir())


def _from_runtime_file(file: Path, environ: Mapping[str, str]) -> Connection | None:
    facts = _read_json(file)
    if not facts.get("url"):
        return None
    if facts.get("sock"):
        raise ServerNotFound(
            "The notebook server listens on a Unix socket, which lmnb's magics cannot reach yet. "
            "Set LMNB_BASE_URL to an address of a `lmnb serve`."
        )
    base = _reachable(str(facts["url"]), facts.get("hostname"))
    if not _process_lives(int(facts["pid"])):
        raise ServerNotFound(f"The notebook server that started this kernel ({base}) has ended.")
    if not is_healthy(base + "lmnb/"):
        raise ServerNotFound(EXTENSION_MISSING.format(url=base))
    own_key = _read_json(file.with_name(file.name.replace("jpserver-", "lmnb-", 1))).get("key")
    key = str(facts.get("token") or own_key or _key_from(environ))
    return Connection(base + "lmnb/", key, "notebook server")


def _key_from(environ: Mapping[str, str]) -> str:
    return environ.get("LMNB_API_KEY") or environ.get("JUPYTERHUB_API_TOKEN") or ""


def _reachable(url: str, bound_to: str | None = None) -> str:
    """A server bound to every address is reached on this machine's own."""
    parts = urlsplit(url)
    host = parts.hostname if bound_to is None else bound_to
    if (host or "") in ("", "0.0.0.0", "::", "*"):
        port = f":{parts.port}" if parts.port else ""
        parts = parts._replace(netloc=f"127.0.0.1{port}")
    return urlunsplit(parts).rstrip("/") + "/"


def _get(url: str, api_key: str = "") -> dict[str, Any] | None:
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        response = httpx.get(url, headers=headers, timeout=5, trust_env=False, verify=False)
        answer = response.json() if response.status_code == 200 else None
    except (httpx.HTTPError, OSError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None


def _read_json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _process_lives(pid: int) -> bool:
    if pid <= 0 or sys.platform == "win32":  # os.kill would end it there; the health check decides
        return pid > 0
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _listener_is_mine_by_psutil(port: int) -> bool:
    import psutil

    me = psutil.Process().username()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            pass
    except OSError:
        return False
    for process in psutil.process_iter(["username"]):
        if process.info["username"] != me:
            continue
        try:
            connections = process.net_connections(kind="tcp")
        except psutil.Error:
            continue
        if any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections):
            return True
    return False
