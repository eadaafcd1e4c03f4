"""The store finds what is there, by any name that is clear, and says why something is not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from lmnb.errors import InvalidRequest, ModelNotFound
from lmnb.models.store.store import ModelStore, default_roots
from tests.models import raw


def store(*roots: Path, import_dir: Path | None = None) -> ModelStore:
    return ModelStore(roots, import_dir=import_dir or roots[0] / "imported")


def ids(models: ModelStore) -> list[str]:
    return [record.id for record in models.list()]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def put(root: Path, relative: str, **options: object) -> Path:
    """A small model of its own at that path."""
    return raw.put(root / relative, raw.model(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    [
        "smollm2-135m-instruct",
        "smollm2",
        "SmolLM2-135M-Instruct",
        "smollm2-135m-instruct@q4_1",
        "SmolLM2-135M-Instruct.Q4_1",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        " smollm2 ",
    ],
)
def test_the_demo_model_answers_to_its_names(name: str, smollm2: Path, tmp_path: Path) -> None:
    models = ModelStore(default_roots(environ={"HF_HOME": str(tmp_path)}), import_dir=tmp_path)
    record = models.find(name)
    assert (record.id, record.path) == ("smollm2-135m-instruct", smollm2)
    assert record.size_bytes == smollm2.stat().st_size


def test_the_demo_model_is_found_by_its_path(smollm2: Path, tmp_path: Path) -> None:
    assert store(smollm2, import_dir=tmp_path).find(str(smollm2)).path == smollm2


def test_folders_give_publishers(root: Path) -> None:
    put(root, "google/gemma-GGUF/Gemma-1B-Q4_0.gguf")
    models = store(root)
    assert ids(models) == ["google/gemma-1b"]
    for name in (
        "google/gemma-1b",
        "gemma-1b",
        "GEMMA-1B@q4_0",
        "google/gemma-GGUF",
        "google/gemma-GGUF@Q4_0",
        "google/gemma-GGUF/Gemma-1B-Q4_0.gguf",
        "gemma",
    ):
        assert models.find(name).id == "google/gemma-1b", name


def test_several_quantisations_are_told_apart(root: Path) -> None:
    put(root, "m-Q4_0.gguf")
    put(root, "m-Q8_0.gguf", values=128)
    put(root, "m-f16/m.gguf", metadata=[raw.number("general.file_type", 1)])
    models = store(root)
    assert ids(models) == ["m@q4_0", "m@q8_0", "m@f16"]
    assert models.find("M@Q8_0").path.name == "m-Q8_0.gguf"
    with pytest.raises(InvalidRequest, match="m@q4_0, m@q8_0, m@f16") as caught:
        models.find("m")
    assert (caught.value.param, caught.value.code) == ("model", "ambiguous_model")


def test_two_different_files_of_one_name_both_have_an_id(root: Path) -> None:
    put(root, "one/m-Q4_0.gguf")
    put(root, "two/m-Q4_0.gguf", values=128)
    assert ids(store(root)) == ["m@q4_0", "two/m-q4_0"]


def test_the_same_file_is_listed_once(root: Path, tmp_path: Path) -> None:
    path = put(root, "m.gguf")
    (root / "link.gguf").symlink_to(path)
    (tmp_path / "again").symlink_to(root)
    assert len(store(root, tmp_path / "again", path).list()) == 1


def test_links_in_a_circle_end(root: Path) -> None:
    put(root, "a/m.gguf")
    (root / "a" / "b").symlink_to(root)
    assert ids(store(root)) == ["m"]


def test_the_hub_cache_shows_what_main_points_to(root: Path) -> None:
    repository = root / "models--Owner--Repo-GGUF"
    for revision, values in (("old", 64), ("new", 128)):
        blob = put(repository, f"blobs/{revision}", values=values)
        link = repository / "snapshots" / revision / "Repo-Q4_0.gguf"
        link.parent.mkdir(parents=True)
        link.symlink_to(blob)
    raw.put(repository / "refs" / "main", b"new")
    raw.put(repository / "blobs" / "x.incomplete", b"GGUF")
    record = store(root).find("owner/repo")
    assert record.info.parameters == 128
    assert record.path.parent.name == "new"
    raw.put(repository / "refs" / "main", b"../../../elsewhere")
    assert len(store(root).list()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="it has no FIFOs")
def test_a_branch_that_is_no_file_holds_up_nobody(tmp_path: Path) -> None:
    """Anybody who may write to a shared cache could stop every server that reads it."""
    repository = tmp_path / "models--a--b"
    raw.put(repository / "snapshots" / "new" / "m-Q4_0.gguf", raw.model())
    (repository / "refs").mkdir()
    os.mkfifo(repository / "refs" / "main")
    assert ids(store(tmp_path)) == ["a/m"]


def test_a_model_in_several_files_is_one_model(root: Path) -> None:
    for number in (1, 2):
        put(root, f"big-Q4_0-0000{number}-of-00002.gguf", values=64 * number)
    models = store(root)
    record = models.find("big")
    assert record.path.name == "big-Q4_0-00001-of-00002.gguf"
    assert len(record.files) == 2
    assert record.info.parameters == 64 + 128
    assert record.size_bytes == sum(file.stat().st_size for file in record.files)
    assert store(record.path, import_dir=root / "none").find("big").files == record.files


@pytest.mark.parametrize(("missing", "named"), [(1, "00001"), (2, "00002")])
def test_a_model_with_a_missing_file_is_a_problem(missing: int, named: str, root: Path) -> None:
    put(root, f"big-0000{3 - missing}-of-00002.gguf")
    models = store(root)
    assert models.list() == []
    assert named in models.look().problems[0].reason


def test_what_cannot_be_run_is_not_listed(root: Path) -> None:
    put(root, "mmproj-model-f16.gguf", name="clip")
    put(root, "lora.gguf", metadata=[raw.string("general.type", "adapter")])
    put(root, "m-Q4_0.gguf.part")
    put(root, ".hidden/m.gguf")
    raw.put(root / "readme.md", b"hello")
    models = store(root)
    assert (models.list(), models.look().problems) == ([], [])


def test_broken_files_are_problems_with_reasons(root: Path) -> None:
    put(root, "good.gguf")
    cut = put(root, "cut.gguf")
    os.truncate(cut, cut.stat().st_size - 1)
    raw.put(root / "page.gguf", b"<html>not found</html>")
    (root / "gone.gguf").symlink_to(root / "nowhere")
    models = store(root)
    assert ids(models) == ["good"]
    reasons = {problem.path.name: problem.reason for problem in models.look().problems}
    assert reasons.keys() == {"cut.gguf", "page.gguf", "gone.gguf"}
    assert "incomplete download" in reasons["cut.gguf"]
    assert "not a GGUF file" in reasons["page.gguf"]


def test_asking_for_a_broken_file_tells_what_is_wrong_with_it(root: Path) -> None:
    cut = put(root, "Cut-Q4_0.gguf")
    os.truncate(cut, cut.stat().st_size - 1)
    for name in ("cut", "Cut-Q4_0", "cut-q4_0.gguf"):
        with pytest.raises(ModelNotFound, match="incomplete download"):
            store(root).find(name)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, names of files are text")
def test_a_name_that_is_no_text_hides_no_other_model(root: Path, tmp_path: Path) -> None:
    put(root, "good.gguf")
    put(root, os.fsdecode(b"caf\xe9/bad.gguf"))
    models = ModelStore([root], import_dir=tmp_path, facts=tmp_path / "headers.msgpack")
    assert ids(models) == ["good"]
    with pytest.raises(ModelNotFound, match="no UTF-8") as caught:
        models.find("bad")
    assert caught.value.message.encode()


def test_a_file_is_there_as_soon_as_it_is_there(root: Path) -> None:
    models = store(root)
    assert models.list() == []
    path = put(root, "m.gguf")
    assert ids(models) == ["m"]
    path.unlink()
    assert models.list() == []


def test_headers_are_read_again_only_when_the_file_changed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(root, "m.gguf")
    models = store(root)
    before = models.find("m").info
    assert models.find("m").info is before
    put(root, "m.gguf", values=128)
    os.utime(path, ns=(1, 1))
    assert models.find("m").info.parameters == 128


def test_an_unknown_name_is_answered_with_what_is_near(root: Path) -> None:
    put(root, "Owner/Repo/Llama-3.2-1B-Instruct-Q4_0.gguf")
    with pytest.raises(ModelNotFound, match=r"Near: owner/llama-3\.2-1b-instruct") as caught:
        store(root).find("lama-3.2-instruct")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    with pytest.raises(ModelNotFound, match="There are: owner/llama"):
        store(root).find("zzz")


@pytest.mark.parametrize("name", ["", "  ", "\0", "x" * 100_000, "/etc/passwd", "../../etc/passwd"])
def test_odd_names_are_only_unknown(name: str, root: Path) -> None:
    with pytest.raises(ModelNotFound) as caught:
        store(root).find(name)
    assert len(caught.value.message) < 1500


def test_files_outside_the_roots_are_unknown(root: Path, smollm2: Path) -> None:
    with pytest.raises(ModelNotFound):
        store(root).find(str(smollm2))


def test_roots_come_shared_first_and_the_hub_cache_last(tmp_path: Path, smollm2: Path) -> None:
    environ = {
        "LMNB_MODEL_PATH": os.pathsep.join(("/shared/a", "", "/shared/b")),
        "JUPYTER_DATA_DIR": str(tmp_path),
        "HF_HOME": "/hf",
    }
    roots = default_roots(["extra"], environ)
    assert [root.path for root in roots] == [
        Path("/shared/a"),
        Path("/shared/b"),
        Path("extra").absolute(),
        tmp_path / "lmnb" / "models",
        smollm2,
        Path("/hf/hub"),
    ]


def test_an_embedding_model_has_lm_studio_s_name_and_answers_to_its_own(root: Path) -> None:
    put(root, "nomic/embed-GGUF/Nomic-Embed-Q8_0.gguf", name="nomic-bert")
    put(root, "nomic/chat-GGUF/Nomic-Chat-Q8_0.gguf", name="llama")
    put(root, "open/names-GGUF/Text-Embedding-Like-Q8_0.gguf", name="bert", values=32)
    models = store(root)
    for name in (
        "nomic-embed",
        "nomic/nomic-embed",
        "nomic/embed-GGUF",
        "text-embedding-nomic-embed",
        "text-embedding-nomic-embed@q8_0",
    ):
        assert models.find(name).id == "text-embedding-nomic-embed", name
    assert models.find("text-embedding-like").id == "text-embedding-like"
    with pytest.raises(ModelNotFound):
        models.find("text-embedding-nomic-chat")
