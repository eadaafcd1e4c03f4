"""A projector belongs to the model beside it, and to no other."""

from __future__ import annotations

from pathlib import Path

from lmnb.models.store.store import ModelStore
from tests.models import raw

SEES = [raw.entry("clip.has_vision_encoder", raw.BOOL, b"\1")]
HEARS = [raw.entry("clip.has_audio_encoder", raw.BOOL, b"\1")]


def store(tmp_path: Path) -> ModelStore:
    return ModelStore([tmp_path], import_dir=tmp_path / "own")


def put(path: Path, name: str = "llama", **options: object) -> Path:
    return raw.put(path, raw.model(name=name, **options))  # type: ignore[arg-type]


def test_every_quantisation_beside_it_has_the_projector(tmp_path: Path) -> None:
    folder = tmp_path / "maker/m-GGUF"
    put(folder / "m-Q4_0.gguf")
    put(folder / "m-Q8_0.gguf", values=128)
    put(folder / "mmproj-F32.gguf", "clip", metadata=SEES)
    best = put(
        folder / "mmproj-F16.gguf", "clip", metadata=[*SEES, raw.number("general.file_type", 1)]
    )
    put(tmp_path / "maker/n-GGUF/n-Q4_0.gguf", values=32)
    by_id = {record.id: record for record in store(tmp_path).list()}
    assert by_id["maker/m@q4_0"].projector == by_id["maker/m@q8_0"].projector == best
    assert by_id["maker/m@q4_0"].vision
    assert by_id["maker/n"].projector is None
    assert not by_id["maker/n"].vision


def test_among_several_models_the_name_decides(tmp_path: Path) -> None:
    put(tmp_path / "one-Q4_0.gguf")
    put(tmp_path / "two-Q4_0.gguf", values=128)
    projector = put(tmp_path / "mmproj-two-f16.gguf", "clip", metadata=SEES)
    models = store(tmp_path)
    assert models.find("one").projector is None
    assert models.find("two").projector == projector


def test_a_projector_that_hears_gives_no_sight(tmp_path: Path) -> None:
    put(tmp_path / "m-Q4_0.gguf")
    projector = put(tmp_path / "mmproj-m-f16.gguf", "clip", metadata=HEARS)
    record = store(tmp_path).find("m")
    assert record.projector == projector
    assert not record.vision


def test_adapters_are_told_apart(tmp_path: Path) -> None:
    put(tmp_path / "m-Q4_0.gguf")
    adapter = put(tmp_path / "style.gguf", metadata=[raw.string("general.type", "adapter")])
    models = store(tmp_path)
    assert [part.path for part in models.look().adapters] == [adapter]
    assert [record.id for record in models.list()] == ["m"]


def test_a_projector_is_imported_with_its_model(tmp_path: Path) -> None:
    model = put(tmp_path / "downloads/m-Q4_0.gguf")
    put(tmp_path / "downloads/mmproj-F16.gguf", "clip", metadata=SEES)
    models = ModelStore([], import_dir=tmp_path / "own")
    put(tmp_path / "own/other-Q4_0.gguf", values=128)
    record = models.import_file(model)
    assert record.id == "m"
    assert record.projector == tmp_path / "own/m/mmproj-F16.gguf"
    assert record.vision
    assert models.find("other").projector is None
    models.remove("m")
    assert not (tmp_path / "own/m").exists()
    assert model.exists()
