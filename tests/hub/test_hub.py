"""The stand-in speaks the Hub's protocol: the real huggingface_hub is satisfied with it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.hub import StandInHub
from tests.hub.models import TINY

Q4 = "Tiny-Llama-Q4_K_M.gguf"


@pytest.fixture
def client(hub: StandInHub) -> HfApi:
    return HfApi(endpoint=hub.url, token=False)


def test_it_searches_in_pages(hub: StandInHub, client: HfApi) -> None:
    hub.page = 2
    found = [one.id for one in client.list_models(search="gemma 3 1b", sort="downloads")]
    assert found[:2] == ["somebody/gemma-3-1b-it-abliterated-GGUF", "ggml-org/gemma-3-1b-it-GGUF"]
    assert len(found) == 6
    unsloth = client.list_models(author="unsloth", filter="gguf", limit=9, expand=["gguf", "likes"])
    assert {one.id: one.gguf["architecture"] for one in unsloth if one.gguf} == {
        "unsloth/gemma-3-1b-it-GGUF": "gemma3",
        "unsloth/gemma-3-1b-pt-GGUF": "gemma3",
        "unsloth/Llama-3.3-70B-Instruct-GGUF": "llama",
    }


def test_it_describes_a_model(client: HfApi, hub_files: dict[str, Path]) -> None:
    info = client.model_info(TINY, files_metadata=True)
    assert info.siblings is not None and info.gguf is not None
    file = next(one for one in info.siblings if one.rfilename == Q4)
    assert file.lfs is not None
    assert file.lfs.sha256 == hashlib.sha256(hub_files["Q4_K_M"].read_bytes()).hexdigest()
    assert (info.gguf["architecture"], info.gated) == ("llama", False)


def test_it_lists_trees_paths_and_references(hub: StandInHub, client: HfApi) -> None:
    hub.page = 3
    assert len(list(client.list_repo_tree(TINY, recursive=True))) == 10
    assert len(list(client.list_repo_tree(TINY))) == 7
    assert [one.path for one in client.get_paths_info(TINY, [Q4, "none"])] == [Q4]
    assert [one.name for one in client.list_repo_refs(TINY).branches] == ["main"]
    assert HfApi(endpoint=hub.url, token="hf_reader").whoami()["name"] == "reader"


def test_files_arrive_whole(hub: StandInHub, hub_files: dict[str, Path], tmp_path: Path) -> None:
    options = {"endpoint": hub.url, "cache_dir": tmp_path, "token": False}
    path = Path(hf_hub_download(TINY, Q4, **options))  # type: ignore[arg-type]
    assert path.read_bytes() == hub_files["Q4_K_M"].read_bytes()
    patterns = ["*BF16*", "README.md"]
    folder = snapshot_download(TINY, allow_patterns=patterns, **options)  # type: ignore[arg-type]
    assert len(list(Path(folder).rglob("*BF16-*.gguf"))) == 3
    assert {one.server for one in hub.asked("GET", Q4)} == {"cdn"}
    assert hub.sent(f"{TINY}/{Q4}") == path.stat().st_size


def test_its_refusals_are_the_hubs(hub: StandInHub, client: HfApi, tmp_path: Path) -> None:
    def fetch(repository: str, path: str, token: str | bool, revision: str = "main") -> None:
        hf_hub_download(
            repository,
            path,
            endpoint=hub.url,
            token=token,
            cache_dir=tmp_path,
            revision=revision,
        )

    gated, secret = "tiny-labs/Tiny-Gemma-it-GGUF", "tiny-labs/Tiny-Secret-GGUF"
    for token in (False, "hf_stranger"):
        with pytest.raises(GatedRepoError):
            fetch(gated, "Tiny-Gemma-it-Q8_0.gguf", token)
        with pytest.raises(RepositoryNotFoundError):
            client.model_info(secret, token=token)
    fetch(gated, "Tiny-Gemma-it-Q8_0.gguf", "hf_reader")
    fetch(secret, "Tiny-Secret-Q8_0.gguf", "hf_reader")
    with pytest.raises(RepositoryNotFoundError):
        fetch("tiny-labs/none", "x.gguf", False)
    with pytest.raises(RevisionNotFoundError):
        fetch(TINY, Q4, False, revision="v9")
    with pytest.raises(EntryNotFoundError):
        fetch(TINY, "none.gguf", False)
