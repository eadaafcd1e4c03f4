"""What a load says instead of the file's header."""

from __future__ import annotations

import ctypes
from typing import Any

import llama_cpp as lib

from lmnb.engine.options import LoadOptions
from lmnb.errors import LoadFailed

INTEGER = 0
"""LLAMA_KV_OVERRIDE_TYPE_INT."""


def overrides(path: str, options: LoadOptions) -> Any:
    """For `llama_model_params.kv_overrides`, to be kept alive as long as those. None: nothing.

    Raises LoadFailed, where llama.cpp would abort.
    """
    if options.num_experts is None:
        return None
    architecture, experts = _experts(path)
    if not experts:
        return None
    if options.num_experts > experts:
        raise LoadFailed(
            f"'num_experts' is {options.num_experts}, and the model has {experts} experts."
        )
    array = (lib.llama_model_kv_override * 2)()  # an empty key ends it
    array[0].tag = INTEGER
    array[0].key = f"{architecture}.expert_used_count".encode()
    array[0].value.val_i64 = options.num_experts
    return array


def _experts(path: str) -> tuple[str, int]:
    """The architecture, and how many experts it has. Reads no weights."""
    params = lib.llama_model_default_params()
    params.vocab_only = True
    model = lib.llama_model_load_from_file(path.encode(), params)
    if not model:
        return "", 0  # the real load will say why
    try:
        architecture = _value(model, "general.architecture")
        return architecture, int(_value(model, f"{architecture}.expert_count") or 0)
    finally:
        lib.llama_model_free(model)


def _value(model: Any, key: str) -> str:
    buffer = ctypes.create_string_buffer(256)
    length = lib.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return buffer.value.decode("utf-8", "replace") if length >= 0 else ""
