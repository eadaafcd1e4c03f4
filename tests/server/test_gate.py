"""Who may call without a notebook server: keys, one's own processes, and nobody else."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders

from lmnb.errors import AuthenticationError, PermissionDenied
from lmnb.server import sockdiag
from lmnb.server.gate import Gate
from lmnb.server.keys import KeyRing, ServerKey
from lmnb.server.peer import is_loopback, is_own_process


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)


def request(**headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection = SimpleNamespace(context=SimpleNamespace(), stream=SimpleNamespace(socket=None))
    return SimpleNamespace(
        headers=HTTPHeaders({"Host": "127.0.0.1:1234", **named}), connection=connection
    )


def gate(*, own: bool = True, **options: Any) -> Gate:
    async def is_own(_: object) -> bool:
        return own

    return Gate(keys=KeyRing(ServerKey("sk-right")), is_own_process=is_own, **options)


async def admitted(gate: Gate, request: Any) -> bool:
    try:
        await gate.admit(request)
    except AuthenticationError:
        return False
    return True


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("options", [{}, {"key_required": True}])
@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer sk-right"},
        {"Authorization": "token sk-right"},
        {"x_api_key": "sk-right"},
        {"Authorization": "bearer sk-right", "Origin": "https://elsewhere.example"},
    ],
)
async def test_the_key_opens_always(
    own: bool, options: dict[str, bool], headers: dict[str, str]
) -> None:
    assert await admitted(gate(own=own, **options), request(**headers))


@pytest.mark.parametrize("host", ["localhost:1234", "127.0.0.1:1", "[::1]:1234", "LOCALHOST"])
async def test_ones_own_processes_need_no_key(host: str) -> None:
    assert await admitted(gate(), request(Host=host))
    assert await admitted(gate(), request(Host=host, Authorization="Bearer lm-studio"))


async def test_processes_of_others_need_one() -> None:
    assert not await admitted(gate(own=False), request())


async def test_where_a_key_is_required_no_process_goes_without() -> None:
    assert not await admitted(gate(key_required=True), request())
    assert not await admitted(gate(key_required=True), request(Authorization="Bearer sk-wrong"))


async def test_under_jupyterhub_nobody_goes_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "x")
    assert not await admitted(gate(), request())


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:1234"},
        {"Host": "localhost.evil.example"},
        {"Host": ""},
        {"Host": "[::1"},
        {"Origin": "http://[::1"},
        {"Host": "evil.example:1234", "Origin": "http://evil.example:1234"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8888"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"X_Forwarded_For": "10.0.0.1"},
        {"Forwarded": "for=10.0.0.1"},
        {"X_Forwarded_Proto": "https"},
        {"X_ProxyContextPath": "/user/me/proxy/1234"},
    ],
)
async def test_web_pages_and_proxies_do_not_go_without(headers: dict[str, str]) -> None:
    """Rebound names, pages of other origins, and whoever hides behind a proxy."""
    assert not await admitted(gate(), request(**headers))


async def test_a_page_of_our_own_origin_may() -> None:
    assert await admitted(
        gate(), request(Origin="http://127.0.0.1:1234", Sec_Fetch_Site="same-origin")
    )


async def test_open_to_all_asks_nothing() -> None:
    assert await admitted(gate(own=False, open_to_all=True), request(Host="myserver.example"))


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
)
async def test_open_to_all_is_not_open_to_pages_of_elsewhere(headers: dict[str, str]) -> None:
    """Or every page that somebody visits could unload models and import files."""
    with pytest.raises(PermissionDenied):
        await gate(own=False, open_to_all=True).admit(request(**headers))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_what_loopback_is(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.fixture(params=["asked", "looked up"])
def asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may not answer questions: then its table is read."""
    if request.param == "looked up":
        monkeypatch.setattr(sockdiag, "owner", lambda *_: None)


@pytest.fixture(params=["127.0.0.1", "::1"])
def listening(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.socket(family) as server:
        try:
            server.bind((request.param, 0))
        except OSError:
            pytest.skip(f"no {request.param} on this machine")
        server.listen()
        server.settimeout(10)
        yield server


async def test_a_connection_of_this_user_is_recognised(
    asked: None, listening: socket.socket
) -> None:
    with socket.create_connection(listening.getsockname()[:2]):
        accepted, _ = listening.accept()
        with accepted:
            assert await is_own_process(accepted)


async def test_a_mapped_address_is_recognised(asked: None) -> None:
    """Some clients speak IPv4 through an IPv6 socket: their row is in the other table."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_INET6) as client,
    ):
        client.connect(("::ffff:127.0.0.1", server.getsockname()[1]))
        accepted, _ = server.accept()
        with accepted:
            assert await is_own_process(accepted)


async def test_a_connection_whose_client_has_gone_is_nobodys(
    asked: None, listening: socket.socket
) -> None:
    """Its row in the kernel's table belongs to root."""
    client = socket.create_connection(listening.getsockname()[:2])
    accepted, _ = listening.accept()
    client.close()
    with accepted:
        assert not await is_own_process(accepted)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has netlink")
def test_a_server_that_listens_is_no_connection(listening: socket.socket) -> None:
    """The kernel names it where there is no connection."""
    host, port = listening.getsockname()[:2]
    with socket.create_connection((host, port)) as client:
        other = client.getsockname()[:2]
        assert sockdiag.owner(listening.family, other, (host, port)) == os.getuid()
    assert sockdiag.owner(listening.family, (host, port), (host, 1)) is None
    assert sockdiag.owner(listening.family, other, (host, 1)) is None


@pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become another user"
)
def test_a_connection_of_another_user_is_refused(asked: None, listening: socket.socket) -> None:
    host, port = listening.getsockname()[:2]
    code = (
        "import os, socket, sys; os.setuid(65533);"
        f"s = socket.socket({int(listening.family)}); s.connect(({host!r}, {port}));"
        "sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as other:
        accepted, _ = listening.accept()
        with accepted:
            assert not asyncio.run(is_own_process(accepted))
        assert other.stdin is not None
        other.stdin.close()
