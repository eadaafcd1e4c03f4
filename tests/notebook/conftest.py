"""Real kernels, talking to a stub of the server or to a real one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lmnb.notebook.connection.session import session
from tests.notebook.kernels import Kernel
from tests.notebook.stub_server import KEY, StubServer


@pytest.fixture(scope="session")
def stub_server() -> Iterator[StubServer]:
    server = StubServer()
    yield server
    server.close()


@pytest.fixture
def stub(stub_server: StubServer) -> StubServer:
    stub_server.reset()
    return stub_server


@pytest.fixture(scope="module")
def shared_kernel(stub_server: StubServer) -> Iterator[Kernel]:
    kernel = Kernel.local({"LMNB_BASE_URL": stub_server.base_url, "LMNB_API_KEY": KEY})
    assert kernel.run("%load_ext lmnb").status == "ok"
    yield kernel
    kernel.close()


@pytest.fixture
def kernel(shared_kernel: Kernel, stub: StubServer) -> Kernel:
    """A kernel with a fresh conversation and no variables of earlier tests."""
    shared_kernel.run(
        "%lms reset\n%config LMSMagics.model = ''\n%reset_selective -f ^(?!lmnb$)[a-z]"
    )
    return shared_kernel


@pytest.fixture
def own_server(stub: StubServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[StubServer]:
    """The stub is the server of this very process."""
    monkeypatch.setenv("LMNB_BASE_URL", stub.base_url)
    monkeypatch.setenv("LMNB_API_KEY", KEY)
    session.forget()
    yield stub
    session.forget()
