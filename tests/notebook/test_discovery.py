"""A kernel finds its own server, and never another one."""

import functools
import json
import os
from pathlib import Path

import psutil
import pytest

from lmnb.errors import ServerNotFound
from lmnb.notebook.connection import discovery
from lmnb.notebook.connection.address import Connection, reachable, root_of
from lmnb.notebook.connection.discovery import find, starters
from tests.notebook.stub_server import KEY, StubServer


@pytest.fixture
def notebook_server(stub: StubServer, tmp_path: Path) -> dict:
    """Runtime facts of a living 'notebook server' whose lmnb is the stub."""
    return {
        "url": stub.base_url,
        "hostname": "127.0.0.1",
        "token": KEY,
        "pid": os.getpid(),
        "port": stub.port,
    }


def write(directory: Path, facts: dict, name: str = "") -> dict[str, str]:
    """A runtime file, and the environment of a kernel of that server."""
    (directory / f"{name or 'jpserver'}-{facts['pid']}.json").write_text(json.dumps(facts))
    return {"JPY_PARENT_PID": str(facts["pid"])}


@pytest.fixture(autouse=True)
def _lmnb_under_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub has its routes at the root, not under `lmnb/`."""
    healthy = discovery.is_healthy
    monkeypatch.setattr(discovery, "is_healthy", lambda url: healthy(url.removesuffix("lmnb/")))


def test_the_parents_runtime_file_is_exact(notebook_server: dict, tmp_path: Path) -> None:
    environ = write(tmp_path, notebook_server)
    found = find(environ, tmp_path)
    assert found == Connection(notebook_server["url"] + "lmnb/", KEY, "notebook server")


def test_the_users_word_goes_before_everything(notebook_server: dict, tmp_path: Path) -> None:
    environ = write(tmp_path, notebook_server)
    environ |= {"LMNB_BASE_URL": "https://other:1/lmnb/v1", "LMNB_API_KEY": "k"}
    assert find(environ, tmp_path) == Connection("https://other:1/lmnb/", "k", "LMNB_BASE_URL")


def test_on_windows_a_virtual_environments_python_stands_between(
    notebook_server: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There JPY_PARENT_PID is no number of a process, and the parent not the server."""
    ancestor = psutil.Process().parents()[-1].pid
    environ = write(tmp_path, notebook_server | {"pid": ancestor}) | {"JPY_PARENT_PID": "712"}
    assert find(environ, tmp_path) is None
    monkeypatch.setattr(discovery, "starters", functools.partial(starters, platform="win32"))
    found = find(environ, tmp_path)
    assert found == Connection(notebook_server["url"] + "lmnb/", KEY, "notebook server")


@pytest.mark.parametrize(
    ("bound_to", "root"),
    [
        ("0.0.0.0", "http://127.0.0.1:8888/base/"),
        ("", "http://127.0.0.1:8888/base/"),
        ("::", "http://[::1]:8888/base/"),
        ("127.0.0.1", "http://localhost:8888/base/"),
    ],
)
def test_a_server_bound_to_every_address_is_reached_on_this_machine(bound_to, root):
    assert reachable("http://localhost:8888/base/", bound_to) == root


@pytest.mark.parametrize("text", ["junk", "localhost:1234", "http://", "http://[::", "ftp://x"])
def test_an_address_that_is_none_is_called_so(text: str) -> None:
    with pytest.raises(ServerNotFound, match="LMNB_BASE_URL is an address such as"):
        find({"LMNB_BASE_URL": text})


def test_another_servers_runtime_file_is_never_used(notebook_server: dict, tmp_path: Path) -> None:
    """jupyter-ai posts prompt and token to each running server until one answers."""
    write(tmp_path, notebook_server)
    assert find({"JPY_PARENT_PID": "1"}, tmp_path) is None
    assert find({}, tmp_path) is None


def test_a_dead_servers_file_is_not_followed_elsewhere(
    notebook_server: dict, tmp_path: Path
) -> None:
    environ = write(tmp_path, notebook_server | {"pid": 2**22 - 3})
    with pytest.raises(ServerNotFound, match="has ended"):
        find(environ | {"JUPYTERHUB_SERVICE_URL": "http://x/"}, tmp_path)


def test_a_server_without_the_extension_is_named_with_the_remedy(
    notebook_server: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "is_healthy", lambda url: False)
    with pytest.raises(ServerNotFound, match="jupyter server extension enable lmnb"):
        find(write(tmp_path, notebook_server), tmp_path)


def test_a_password_server_is_opened_with_its_lmnb_key(
    notebook_server: dict, tmp_path: Path
) -> None:
    """Jupyter gives password-protected servers no token."""
    environ = write(tmp_path, notebook_server | {"token": ""})
    write(tmp_path, {"pid": os.getpid(), "key": "own-key"}, name="lmnb")
    assert find(environ, tmp_path).api_key == "own-key"


def test_a_server_bound_to_every_address_is_reached_over_loopback(
    notebook_server: dict, tmp_path: Path
) -> None:
    facts = notebook_server | {
        "url": f"http://container-name:{notebook_server['port']}/",
        "hostname": "",
    }
    found = find(write(tmp_path, facts), tmp_path)
    assert found.base_url == f"http://127.0.0.1:{notebook_server['port']}/lmnb/"
    assert found.is_loopback


def test_a_terminal_of_jupyter_finds_the_server_it_belongs_to(
    notebook_server: dict, tmp_path: Path
) -> None:
    write(tmp_path, notebook_server)
    found = find({"JUPYTER_SERVER_URL": notebook_server["url"]}, tmp_path)
    assert found.api_key == KEY
    assert find({"JUPYTER_SERVER_URL": "http://127.0.0.1:1/"}, tmp_path) is None


def test_under_a_hub_the_hubs_token_opens_the_users_own_server(
    stub: StubServer, tmp_path: Path
) -> None:
    environ = {"JUPYTERHUB_SERVICE_URL": stub.base_url, "JUPYTERHUB_API_TOKEN": "hub"}
    assert find(environ, tmp_path) == Connection(stub.base_url + "lmnb/", "hub", "JupyterHub")


def serve_file(directory: Path, url: str, pid: int) -> None:
    facts = {"url": url, "pid": pid, "key": f"key-{pid}"}
    (directory / f"lmnb-{pid}.json").write_text(json.dumps(facts))


def test_ones_own_lmnb_serve_is_found_by_its_runtime_file(stub: StubServer, tmp_path: Path) -> None:
    serve_file(tmp_path, stub.base_url, os.getpid())
    expected = Connection(stub.base_url, f"key-{os.getpid()}", "lmnb serve")
    assert find({}, tmp_path) == expected


def test_a_notebook_servers_lmnb_belongs_to_its_own_kernels(
    notebook_server: dict, stub: StubServer, tmp_path: Path
) -> None:
    write(tmp_path, notebook_server)
    serve_file(tmp_path, stub.base_url, os.getpid())
    assert find({}, tmp_path) is None


def test_of_two_servers_neither_is_guessed(stub: StubServer, tmp_path: Path) -> None:
    serve_file(tmp_path, stub.base_url, os.getpid())
    serve_file(tmp_path, stub.base_url, os.getppid())
    assert find({}, tmp_path) is None


def test_a_runtime_file_older_than_its_process_is_somebody_elses(
    stub: StubServer, tmp_path: Path
) -> None:
    """Process numbers are given anew, and so are ports: the key must not go to a stranger."""
    serve_file(tmp_path, stub.base_url, os.getpid())
    os.utime(tmp_path / f"lmnb-{os.getpid()}.json", (1, 1))
    assert find({}, tmp_path) is None


@pytest.mark.parametrize("url", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"])
def test_people_may_give_the_address_with_v1_or_without(url: str) -> None:
    assert root_of(url) == "http://h:1/"
