"""Which model a cell means when it names none."""

from __future__ import annotations

from collections.abc import Sequence

from lmnb.errors import InvalidRequest, ModelNotFound
from lmnb.notebook.wire import Model

_SAY = "Say it with `-m`, or once with `%config LMSMagics.model`."


def choose_model(
    models: Sequence[Model], *, configured: str = "", previous: str = "", say: str = _SAY
) -> str:
    """The configured one, else the only loaded one, else the only one on this machine.

    Of several loaded ones, the one that answered `previous`ly goes on. Raises when it would be a
    guess, and names the candidates.
    """
    if configured:
        return configured
    loaded = loaded_ids(models)
    if len(loaded) == 1:
        return loaded[0]
    if previous in loaded:
        return previous
    if loaded:
        raise InvalidRequest(f"Which model? Loaded: {', '.join(loaded)}. {say}")
    local = [model["key"] for model in models if model.get("type", "llm") == "llm"]
    if len(local) == 1:
        return local[0]
    if previous in local:
        return previous
    if not local:
        raise ModelNotFound(
            "There is no model on this machine yet. `%lms import FILE` brings one in."
        )
    raise InvalidRequest(f"Which model? On this machine: {', '.join(local)}. {say}")


def choose_embedding_model(models: Sequence[Model], *, say: str) -> str:
    """The only loaded one, else the only one on this machine, of those that compute vectors."""
    able = [model for model in models if model.get("type") == "embedding"]
    loaded = [one["id"] for model in able for one in model.get("loaded_instances") or ()]
    local = [model["key"] for model in able]
    for names in (loaded, local):
        if len(names) == 1:
            return names[0]
    if not local:
        raise ModelNotFound(
            "There is no embedding model on this machine. `lmnb.download(...)` fetches one, "
            "such as nomic-ai/nomic-embed-text-v1.5-GGUF."
        )
    raise InvalidRequest(f"Which embedding model? Here: {', '.join(loaded or local)}. {say}")


def loaded_ids(models: Sequence[Model]) -> list[str]:
    """The identifiers of the loaded language models."""
    return [
        instance["id"]
        for model in models
        if model.get("type", "llm") == "llm"
        for instance in model.get("loaded_instances") or ()
    ]
