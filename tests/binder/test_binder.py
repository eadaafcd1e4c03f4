"""What Binder would build, by repo2docker's own rules. (Building it needs Docker.)"""

from __future__ import annotations

import os
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from repo2docker.buildpacks import CondaBuildPack

ROOT = Path(__file__).parents[2]


@pytest.fixture
def pack(monkeypatch: pytest.MonkeyPatch) -> CondaBuildPack:
    monkeypatch.chdir(ROOT)
    pack = CondaBuildPack("base-image")
    pack.platform = "linux/amd64"
    return pack


def test_the_binder_folder_decides_and_its_python_can_run_lmnb(pack: CondaBuildPack) -> None:
    assert pack.detect()
    assert pack.binder_dir == "binder"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"{pack.python_version}.0" in SpecifierSet(project["requires-python"])


def test_the_image_is_built_and_started_by_our_scripts(pack: CondaBuildPack) -> None:
    recipe = pack.render()
    assert "binder/postBuild" in recipe
    assert "binder/start" in recipe
    for script in ("postBuild", "start"):
        path = ROOT / "binder" / script
        assert os.access(path, os.X_OK)
        subprocess.run(["bash", "-n", path], check=True)


def test_start_hands_over_to_the_server_and_keeps_what_was_set() -> None:
    environment = {**os.environ, "LMNB_HOST_CACHE_MIB": "7"}
    environment.pop("LMNB_SLOTS", None)
    show = ["bash", "-c", "echo $LMNB_SLOTS $LMNB_HOST_CACHE_MIB"]
    done = subprocess.run(
        [ROOT / "binder" / "start", *show], env=environment, capture_output=True, text=True
    )
    assert done.stdout.split() == ["2", "7"]
