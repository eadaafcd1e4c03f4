"""A GGUF file in memory."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable

import llama_cpp as lib

from lmnb.engine.events import Pooling
from lmnb.engine.log import EngineLog
from lmnb.engine.options import LoadOptions
from lmnb.engine.overrides import overrides
from lmnb.engine.vocab import Vocab
from lmnb.errors import LoadFailed

_LOAD_MODE = {(False, False): 0, (True, False): 1, (False, True): 2, (True, True): 3}
"""(mmap, mlock) -> enum llama_load_mode."""
_POOLING: dict[str, Pooling] = {"1": "mean", "2": "cls", "3": "last", "4": "rank"}
"""The header's numbers; 0 is none."""


class Model:
    """Weights, vocabulary and header.

    Raises LoadFailed with llama.cpp's own words. `progress` gets 0.0 to 1.0; returning False
    abandons the load.
    """

    def __init__(
        self,
        path: str,
        options: LoadOptions,
        log: EngineLog,
        progress: Callable[[float], bool] = lambda _: True,
    ) -> None:
        self._stack = contextlib.ExitStack()
        params = lib.llama_model_default_params()
        params.n_gpu_layers = self._gpu_layers(path, options)
        params.main_gpu = options.main_gpu
        params.load_mode = _LOAD_MODE[options.mmap, options.mlock]
        if options.tensor_split:
            split = (ctypes.c_float * lib.llama_max_devices())()
            if len(options.tensor_split) > len(split):
                raise LoadFailed(
                    f"'tensor_split' names {len(options.tensor_split)} devices; "
                    f"this build of llama.cpp knows {len(split)}."
                )
            split[: len(options.tensor_split)] = options.tensor_split
            params.tensor_split = split
        said_otherwise = overrides(path, options)
        if said_otherwise is not None:
            params.kv_overrides = said_otherwise
        callback = lib.llama_progress_callback(lambda value, _: progress(value))
        params.progress_callback = callback
        self.handle = lib.llama_model_load_from_file(path.encode(), params)
        if not self.handle:
            raise LoadFailed(
                f"llama.cpp could not load the model: {log.errors() or 'no reason given'}"
            )
        self._stack.callback(lib.llama_model_free, self.handle)
        self.vocab = Vocab(self.handle)
        self.train_context: int = lib.llama_model_n_ctx_train(self.handle)
        self.parameters: int = lib.llama_model_n_params(self.handle)
        self.layers: int = lib.llama_model_n_layer(self.handle)
        self.window: int = lib.llama_model_n_swa(self.handle)
        self.gpu_layers = min(
            self.layers + 1,
            params.n_gpu_layers if params.n_gpu_layers >= 0 else self.layers + 1,
        )
        if not lib.llama_supports_gpu_offload():
            self.gpu_layers = 0

    def close(self) -> None:
        self._stack.close()

    @property
    def generates(self) -> bool:
        """Can it write text from left to right? Encoders and diffusion models cannot."""
        return not (
            lib.llama_model_has_encoder(self.handle)
            or lib.llama_model_is_diffusion(self.handle)
            or self.encodes
        )

    @property
    def encodes(self) -> bool:
        """Is it an encoder and nothing else: BERT and its like? It sees all of a text at once."""
        if lib.llama_model_is_diffusion(self.handle):
            return False
        return self._own("attention.causal") == "false" or not lib.llama_model_has_decoder(
            self.handle
        )

    @property
    def declared_pooling(self) -> Pooling | None:
        """How it was trained to make one vector of many; None if it was not."""
        return _POOLING.get(self._own("pooling_type"))

    @property
    def vector_length(self) -> int:
        """Numbers in one of its vectors."""
        return int(lib.llama_model_n_embd_out(self.handle))

    @property
    def classes(self) -> int:
        """Scores that a reranker computes for one text."""
        return int(lib.llama_model_n_cls_out(self.handle))

    def description(self) -> str:
        buffer = ctypes.create_string_buffer(256)
        lib.llama_model_desc(self.handle, buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    def metadata(self) -> dict[str, str]:
        """Every key of the header as text; long values are left out."""
        found: dict[str, str] = {}
        for i in range(lib.llama_model_meta_count(self.handle)):
            key = self._string(lib.llama_model_meta_key_by_index, i)
            value = self._string(lib.llama_model_meta_val_str_by_index, i)
            if key is not None and value is not None and len(value) <= 4096:
                found[key] = value
        return found

    def chat_template(self, name: str | None = None) -> str | None:
        text = lib.llama_model_chat_template(self.handle, name.encode() if name else None)
        return text.decode("utf-8", "replace") if text else None

    def _own(self, name: str) -> str:
        """A key of the architecture's own: `bert.pooling_type` for `pooling_type`."""
        architecture = self._value("general.architecture")
        return self._value(f"{architecture}.{name}")

    def _value(self, key: str) -> str:
        buffer = ctypes.create_string_buffer(256)
        n = lib.llama_model_meta_val_str(self.handle, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if n >= 0 else ""

    def _string(self, call: Callable[..., int], index: int) -> str | None:
        buffer = ctypes.create_string_buffer(1024)
        n = call(self.handle, index, buffer, len(buffer))
        if n >= len(buffer):
            buffer = ctypes.create_string_buffer(n + 1)
            call(self.handle, index, buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if n >= 0 else None

    @staticmethod
    def _gpu_layers(path: str, options: LoadOptions) -> int:
        match options.gpu:
            case "off":
                return 0
            case "auto" | "max":  # whoever knows the GPUs' room has made a number of `auto`
                return -1
            case float(share):
                params = lib.llama_model_default_params()
                params.vocab_only = True
                model = lib.llama_model_load_from_file(path.encode(), params)
                if not model:
                    return 0  # the real load will say why
                try:
                    layers: int = lib.llama_model_n_layer(model)
                finally:
                    lib.llama_model_free(model)
                return round(share * (layers + 1))
            case count:
                return int(count)
