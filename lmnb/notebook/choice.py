"""Which model a cell means when it names none."""

from __future__ import annotations

from collections.abc import Sequence

from lmnb.errors import InvalidRequest, ModelNotFound
from lmnb.notebook.connection.wire import Instance, Model

_SAY = "Say it with `-m`, or once with `%config LMSMagics.model`."


def choose_model(
    models: Sequence[Model], *, configured: str = "", previous: str = "", say: str = _SAY
) -> str:
    """The configured one, else the only loaded one, else the only one on this machine.

    Of several loaded ones, the one that answered `previous`ly goes on; of one model that is loaded
    several times, the first. Raises when it would be a guess, and names the candidates.
    """
    if configured:
        return configured
    loaded = loaded_ids(models)
    if len(loaded) == 1:
        return loaded[0]
    if previous in loaded:
        return previous
    if loaded and sum(bool(_talking(model)) for model in language_models(models)) == 1:
        return loaded[0]
    if loaded:
        raise InvalidRequest(f"Which model? Loaded: {', '.join(loaded)}. {say}")
    local = [model["key"] for model in language_models(models)]
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
    """The only loaded one, else the only one on this machine, of those that compute vectors.

    A language model that was loaded for vectors is one of them, too.
    """
    able = [model for model in models if model.get("type") == "embedding"]
    loaded = [
        one["id"]
        for model in models
        for one in model.get("loaded_instances") or ()
        if model in able or _for_vectors(one)
    ]
    local = [model["key"] for model in able]
    for names in (loaded, local):
        if len(names) == 1:
            return names[0]
    if not loaded and not local:
        raise ModelNotFound(
            "There is no embedding model on this machine. `lmnb.download(...)` fetches one, "
            "such as nomic-ai/nomic-embed-text-v1.5-GGUF."
        )
    raise InvalidRequest(f"Which embedding model? Here: {', '.join(loaded or local)}. {say}")


def language_models(models: Sequence[Model]) -> list[Model]:
    """Those that write text, loaded or not."""
    return [model for model in models if model.get("type", "llm") == "llm"]


def loaded_ids(models: Sequence[Model]) -> list[str]:
    """The identifiers of the loaded language models, but for those that were loaded for vectors."""
    return [identifier for model in language_models(models) for identifier in _talking(model)]


def _talking(model: Model) -> list[str]:
    """The instances of a language model that write text."""
    instances = model.get("loaded_instances") or ()
    return [instance["id"] for instance in instances if not _for_vectors(instance)]


def _for_vectors(instance: Instance) -> bool:
    return bool((instance.get("config") or {}).get("embeddings"))
