"""The guardrail that a server is started with holds for its loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lmnb.api.services import Activity, Services
from lmnb.engine.options import LoadOptions
from lmnb.errors import InsufficientMemory, InvalidRequest
from lmnb.server.build import build_services
from lmnb.server.defaults import default_guardrail
from lmnb.server.jit import JitLoading
from tests.scripted import ScriptedFactory


@pytest.fixture
def build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Callable[[str], Path]
) -> Callable[[], Services]:
    """Under JupyterHub, with a thousand bytes."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("MEM_LIMIT", "1000")
    model = str(tiny_model("llama"))
    return lambda: build_services(
        model_path=[model],
        factory=ScriptedFactory(),
        defaults=LoadOptions(),
        jit=JitLoading(),
        activity=Activity(),
        guardrail=default_guardrail(),
    )


async def test_a_load_that_does_not_fit_is_refused_on_every_path(
    build: Callable[[], Services],
) -> None:
    services = build()
    for load in (services.manager.load("tiny-llama"), services.manager.get("tiny-llama")):
        with pytest.raises(InsufficientMemory, match="may take 0 B"):
            await load
    assert (await services.manager.load("tiny-llama", guardrail="off")).engine.alive
    await services.close()


async def test_it_can_be_off(
    build: Callable[[], Services], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMNB_GUARDRAIL", "off")
    services = build()
    assert (await services.manager.get("tiny-llama")).engine.alive
    await services.close()


def test_a_name_that_is_none_is_refused() -> None:
    assert default_guardrail({}) == "balanced"
    with pytest.raises(InvalidRequest, match="strict, balanced, relaxed, off"):
        default_guardrail({"LMNB_GUARDRAIL": "lax"})
