"""A notebook server in the test's own loop, with a scripted engine behind lmnb."""

from __future__ import annotations

from typing import Any

import pytest

from tests import shared
from tests.scripted import ScriptedFactory


@pytest.fixture
def jp_server_config(monkeypatch: pytest.MonkeyPatch) -> Any:
    """As strict as Jupyter can be."""
    monkeypatch.setattr(shared, "FACTORY", ScriptedFactory())
    return {
        "ServerApp": {
            "jpserver_extensions": {"lmnb": True},
            "terminals_enabled": False,
            "allow_unauthenticated_access": False,
            "reraise_server_extension_failures": True,
        },
        "LMNBApp": {"engine_factory": "tests.shared.start_engine", "slots": 3},
    }
