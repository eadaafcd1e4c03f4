"""LM Studio's, Ollama's and llama.cpp's folders are read in place, on request, and never written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from lmnb.errors import InvalidRequest, PermissionDenied
from lmnb.models.store.roots import default_roots
from lmnb.models.store.store import ModelStore
from tests.models import raw


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


def store(home: Path, read_from: str, **environ: str) -> ModelStore:
    environ = {"HF_HOME": str(home / "hf"), "JUPYTER_DATA_DIR": str(home / "jupyter"), **environ}
    roots = default_roots(environ={**environ, "LMNB_READ": read_from})
    foreign = [root for root in roots if root.kind in ("lmstudio", "ollama", "llama.cpp")]
    return ModelStore(foreign, import_dir=home / "imported")


def blob(home: Path, content: bytes) -> dict[str, object]:
    """Put it where Ollama keeps it; the layer that a manifest has for it."""
    digest = hashlib.sha256(content).hexdigest()
    raw.put(home / ".ollama/models/blobs" / f"sha256-{digest}", content)
    return {"digest": f"sha256:{digest}", "size": len(content)}


def manifest(home: Path, where: str, **layers: dict[str, object]) -> None:
    kinds = [
        {"mediaType": f"application/vnd.ollama.image.{kind}", **layer}
        for kind, layer in layers.items()
    ]
    content = json.dumps({"schemaVersion": 2, "layers": kinds}).encode()
    raw.put(home / ".ollama/models/manifests" / where, content)


def test_nothing_of_others_is_read_unasked(home: Path) -> None:
    raw.put(home / ".lmstudio/models/a/b/m-Q4_0.gguf", raw.model())
    assert store(home, "").list() == []


def test_an_unknown_program_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"lmstudio, ollama, llama\.cpp"):
        default_roots(read_from=["winamp"])


def test_lm_studio_s_folders_old_and_new_and_chosen(home: Path) -> None:
    raw.put(home / ".lmstudio/models/Maker/M-GGUF/M-Q4_0.gguf", raw.model())
    raw.put(home / ".cache/lm-studio/models/Maker/Old-GGUF/Old-Q4_0.gguf", raw.model(values=32))
    raw.put(home / "big disk/Maker/Far-GGUF/Far-Q4_0.gguf", raw.model(values=128))
    settings = json.dumps({"downloadsFolder": str(home / "big disk")}).encode()
    raw.put(home / ".lmstudio/settings.json", settings)
    found = store(home, "lmstudio").list()
    assert {record.id for record in found} == {"maker/m", "maker/old", "maker/far"}


def test_ollama_s_models_are_named_by_their_manifests(home: Path) -> None:
    chat, eyes = blob(home, raw.model()), blob(home, raw.model(name="clip", values=128))
    library = "registry.ollama.ai/library"
    manifest(home, f"{library}/gemma3/4b", model=chat, projector=eyes, template=eyes)
    manifest(home, f"{library}/tiny/latest", model=blob(home, raw.model(values=32)))
    fetched = blob(home, raw.model(values=256))
    manifest(home, "hf.co/Maker/Some-GGUF/Q8_0", model=fetched)
    manifest(home, f"{library}/safe/latest", tensor=chat)
    models = store(home, "ollama")
    assert [record.id for record in models.list()] == [
        "maker/some",
        "ollama/gemma3:4b",
        "ollama/tiny",
    ]
    gemma = models.find("gemma3:4b")
    assert gemma.projector is not None
    assert gemma.projector.name == str(eyes["digest"]).replace(":", "-")
    assert models.find("gemma3").id == gemma.id
    assert models.find("Maker/Some-GGUF:Q8_0").quant == "q8_0"
    assert models.look().problems == []


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b'{"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "../../x"}]}',
    ],
)
def test_a_broken_manifest_is_a_problem(home: Path, content: bytes) -> None:
    raw.put(home / ".ollama/models/manifests/registry.ollama.ai/library/m/latest", content)
    models = store(home, "ollama")
    assert models.list() == []
    assert "cannot be read" in models.look().problems[0].reason


def test_a_manifest_without_its_blob_is_a_problem(home: Path) -> None:
    layer: dict[str, object] = {"digest": "sha256:" + "0" * 64}
    manifest(home, "registry.ollama.ai/library/m/latest", model=layer)
    assert len(store(home, "ollama").look().problems) == 1


def test_llama_cpp_s_flat_names_are_read_as_repositories(home: Path) -> None:
    cache = home / "cache"
    raw.put(cache / "ggml-org_gemma-3-1b-it-GGUF_gemma-3-1b-it-Q4_K_M.gguf", raw.model())
    raw.put(cache / "my_own.gguf", raw.model(values=32))
    models = store(home, "llama.cpp", LLAMA_CACHE=str(cache))
    assert {record.id for record in models.list()} == {"ggml-org/gemma-3-1b-it", "my_own"}
    assert models.find("ggml-org/gemma-3-1b-it-GGUF").quant == "q4_k_m"


@pytest.mark.parametrize("program", ["lmstudio", "ollama", "llama.cpp"])
def test_nothing_of_others_is_deleted(home: Path, program: str) -> None:
    raw.put(home / ".lmstudio/models/m.gguf", raw.model())
    raw.put(home / "cache/m.gguf", raw.model())
    manifest(home, "registry.ollama.ai/library/m/latest", model=blob(home, raw.model()))
    models = store(home, program, LLAMA_CACHE=str(home / "cache"))
    with pytest.raises(PermissionDenied) as caught:
        models.remove("m")
    assert caught.value.code == "read_only_model"
    assert len(models.list()) == 1
