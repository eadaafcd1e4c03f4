"""Which lmnb server is mine, and with which key.

Only servers that are provably this kernel's or this user's own are taken: prompts and tokens must
never travel to somebody else's server, or to another one of one's own by accident. In order:

1. `LMNB_BASE_URL` and `LMNB_API_KEY`: the user's (or the administrator's) word;
2. the notebook server that started this kernel (`JPY_PARENT_PID` and its runtime file);
3. the notebook server in whose terminal this process runs (`JUPYTER_SERVER_URL`);
4. this user's JupyterHub server (`JUPYTERHUB_SERVICE_URL`, `JUPYTERHUB_API_TOKEN`);
5. a `lmnb serve` of the same user: the only one, or the one on port 1234.

Runtime files are proof of ownership: they lie in a folder that only this user can write.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from lmnb.errors import ServerNotFound
from lmnb.notebook.connection.address import (
    LM_STUDIO_PORT,
    Connection,
    checked,
    is_healthy,
    reachable,
    root_of,
)

CLOCK_SLACK = 60.0  # a process's age is reckoned from boot, a file's by a clock that may be set
EXTENSION_MISSING = (
    "The notebook server at {url} does not run lmnb. Its log says why, if lmnb could not start there; "
    "else `jupyter server extension enable lmnb` in the server's environment, and restart the server."
)


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
        or from_serve(directory)
    )


def find_for_command() -> Connection:
    """The server that a command asks: like `find`, and where that finds none, the only notebook
    server of this user that has lmnb. Raises ServerNotFound, saying what to do."""
    if connection := find():
        return connection
    found = from_notebooks(default_runtime_dir())
    if len(found) == 1:
        return found[0]
    if found:
        urls = ", ".join(one.base_url for one in found)
        raise ServerNotFound(f"Which server? Running: {urls}. Say it with `--host URL`.")
    raise ServerNotFound(
        "No lmnb server runs. `lmnb serve` starts one; every notebook server with lmnb is one too. "
        "LMNB_BASE_URL (and LMNB_API_KEY) or `--host URL` names one elsewhere."
    )


def named(host: str) -> Connection:
    """A server by its address, or by `HOST[:PORT]` as LM Studio's tools say it. Its key is the
    user's word, or what it wrote for this user's programs. Raises ServerNotFound for what is none."""
    if "://" not in host:
        has_port = urlsplit(checked(f"http://{host}", "--host")).port
        host = f"http://{host}" if has_port else f"http://{host}:{LM_STUDIO_PORT}"
    url = checked(host, "--host")
    key = os.environ.get("LMNB_API_KEY") or os.environ.get("LM_API_TOKEN")
    written = {
        root_of(str(facts.get("url", ""))): str(facts.get("key", ""))
        for file in default_runtime_dir().glob("lmnb-*.json")
        if _was_written_by(file, (facts := _read_json(file)).get("pid"))
    }
    return Connection(url, key or written.get(url, ""), "--host")


def from_notebooks(directory: Path) -> list[Connection]:
    """This user's notebook servers that have lmnb."""
    found = []
    for file in sorted(directory.glob("jpserver-*.json")):
        if _was_written_by(file, _read_json(file).get("pid")):
            with suppress(ServerNotFound):
                found.append(_from_runtime_file(file, {}))
    return [one for one in found if one is not None]


def from_environment(environ: Mapping[str, str]) -> Connection | None:
    """What `LMNB_BASE_URL` says. Raises ServerNotFound for what is no address."""
    url = environ.get("LMNB_BASE_URL", "").strip()
    if not url:
        return None
    base_url, key = checked(url, "LMNB_BASE_URL"), environ.get("LMNB_API_KEY", "")
    return Connection(base_url, key, "LMNB_BASE_URL")


def from_parent(environ: Mapping[str, str], directory: Path) -> Connection | None:
    """The notebook server that started this kernel."""
    files = (directory / f"jpserver-{pid}.json" for pid in starters(environ))
    file = next(filter(Path.exists, files), None)
    return _from_runtime_file(file, environ) if file is not None else None


def starters(environ: Mapping[str, str], platform: str = sys.platform) -> list[str]:
    """The numbers of the processes of which one started this kernel, the nearest first.

    On Windows JPY_PARENT_PID is a handle, and the `python.exe` of a virtual environment stands
    between: it starts the real one.
    """
    pid = environ.get("JPY_PARENT_PID")
    if pid is None:
        return []
    if platform == "win32":
        return [str(process.pid) for process in psutil.Process().parents()]
    return [pid]


def from_terminal(environ: Mapping[str, str], directory: Path) -> Connection | None:
    """The notebook server whose terminal this is."""
    url = environ.get("JUPYTER_SERVER_URL")
    if not url:
        return None
    for file in sorted(directory.glob("jpserver-*.json")):
        facts = _read_json(file)
        if facts.get("url") == url and _was_written_by(file, facts.get("pid")):
            return _from_runtime_file(file, environ)
    return None


def from_hub(environ: Mapping[str, str]) -> Connection | None:
    """This user's own server under JupyterHub."""
    url, token = environ.get("JUPYTERHUB_SERVICE_URL"), environ.get("JUPYTERHUB_API_TOKEN")
    if not url or not token:
        return None
    base = reachable(url)
    return Connection(base + "lmnb/", token, "JupyterHub") if is_healthy(base + "lmnb/") else None


def from_serve(directory: Path) -> Connection | None:
    """This user's `lmnb serve`, where there is no doubt which."""
    found = [
        Connection(root_of(facts["url"]), str(facts.get("key", "")), "lmnb serve")
        for file in sorted(directory.glob("lmnb-*.json"))
        if (facts := _read_json(file)).get("url")
        and not file.with_name(file.name.replace("lmnb-", "jpserver-", 1)).exists()
        and _was_written_by(file, facts.get("pid"))
        and is_healthy(root_of(facts["url"]))
    ]
    usual = [one for one in found if urlsplit(one.base_url).port == LM_STUDIO_PORT]
    return next((few[0] for few in (found, usual) if len(few) == 1), None)


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
    base = reachable(str(facts["url"]), facts.get("hostname"))
    if not psutil.pid_exists(int(facts.get("pid") or 0)):
        raise ServerNotFound(f"The notebook server that started this kernel ({base}) has ended.")
    if not is_healthy(base + "lmnb/"):
        raise ServerNotFound(EXTENSION_MISSING.format(url=base))
    own_key = _read_json(file.with_name(file.name.replace("jpserver-", "lmnb-", 1))).get("key")
    key = str(facts.get("token") or own_key or _key_from(environ))
    return Connection(base + "lmnb/", key, "notebook server")


def _key_from(environ: Mapping[str, str]) -> str:
    return environ.get("LMNB_API_KEY") or environ.get("JUPYTERHUB_API_TOKEN") or ""


def _read_json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _was_written_by(file: Path, pid: Any) -> bool:
    """Does the process that wrote this file live? A number that was given anew is another's."""
    try:
        return psutil.Process(int(pid)).create_time() <= file.stat().st_mtime + CLOCK_SLACK
    except (psutil.Error, OSError, TypeError, ValueError):
        return False
