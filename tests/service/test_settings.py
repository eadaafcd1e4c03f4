"""Load options are kept for each model, and outlive the server and a newer lmnb."""

from pathlib import Path

import msgspec
import pytest

from lmnb.engine.options import LoadOptions, LoraAdapter
from lmnb.models.store.store import ModelStore
from lmnb.service.database import Database
from lmnb.service.settings import Settings, settings_key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lmnb.sqlite"


def test_what_is_put_is_there_in_the_next_server_with_its_types(path):
    given = {"slots": 2, "gpu": 0.5, "lora": (LoraAdapter("/a.gguf", 0.5),)}
    Settings(Database(path)).put("m@q4_0", given)
    assert Settings(Database(path)).get("m@q4_0") == given
    assert Settings(Database(path)).get("m@q8_0") == {}


def test_putting_replaces_and_deleting_forgets(path):
    settings = Settings(Database(path))
    settings.put("m", {"slots": 2})
    settings.put("m", {"threads": 3})
    assert settings.get("m") == {"threads": 3}
    settings.delete("m")
    settings.delete("m")
    assert settings.get("m") == {}


def test_what_this_version_does_not_know_is_left_out(path, caplog):
    settings = Settings(Database(path))
    settings.put("m", {"slots": 2, "warp_drive": True, "threads": "many"})
    assert settings.get("m") == {"slots": 2}
    assert {"warp_drive", "threads"} <= {word for r in caplog.records for word in r.args}


def test_a_model_keeps_its_settings_when_another_file_of_it_arrives(tmp_path, tiny_model):
    folder = tmp_path / "models"
    folder.mkdir()
    store = ModelStore([folder], import_dir=folder)
    first = folder / "llama-Q4_0.gguf"
    first.write_bytes(tiny_model("llama").read_bytes())
    (before,) = store.list()
    (folder / "llama-Q8_0.gguf").write_bytes(tiny_model("llama").read_bytes())
    after = store.find("llama-q4_0.gguf")
    assert (before.id, after.id) == ("llama", "llama@q4_0")
    assert settings_key(before) == settings_key(after) == "llama@q4_0"


def test_two_files_of_one_name_have_settings_of_their_own(tmp_path, tiny_model):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same.gguf").write_bytes(tiny_model("llama").read_bytes())
    records = ModelStore([tmp_path], import_dir=tmp_path).list()
    assert len({settings_key(record) for record in records}) == 2


def test_every_load_option_can_be_kept(path):
    settings = Settings(Database(path))
    options = LoadOptions(tensor_split=(1.0, 2.0), lora=(LoraAdapter("/x"),), threads=2)
    every = {name: getattr(options, name) for name in LoadOptions.__struct_fields__}
    settings.put("m", every)
    assert msgspec.structs.replace(LoadOptions(), **settings.get("m")) == options
