"""llama.cpp's context: a KV cache and the graphs that use it.

Everything llama.cpp answers with an abort instead of an error is made unreachable here and in
`batch.py`: batches are bounded, rows without logits cannot be read, partial copies between streams
cannot be asked for (the `GGML_ASSERT`s of `llama-context.cpp` and `llama-kv-cache.cpp`).
"""

from __future__ import annotations

import contextlib
import ctypes
from typing import Any

import llama_cpp as lib
import numpy as np
from numpy.typing import NDArray

from lmnb.engine.abort import AbortFlag
from lmnb.engine.batch import Batch, PictureBatch
from lmnb.engine.events import Pooling
from lmnb.engine.log import EngineLog
from lmnb.engine.model import Model
from lmnb.engine.options import LoadOptions
from lmnb.engine.residency import anonymous_regions, release_zeros
from lmnb.errors import LoadFailed

Logits = NDArray[np.float32]

CACHE_TYPES = {
    "f32": lib.GGML_TYPE_F32,
    "f16": lib.GGML_TYPE_F16,
    "bf16": 30,  # GGML_TYPE_BF16, which llama_cpp does not name
    "q8_0": lib.GGML_TYPE_Q8_0,
    "q5_1": lib.GGML_TYPE_Q5_1,
    "q5_0": lib.GGML_TYPE_Q5_0,
    "q4_1": lib.GGML_TYPE_Q4_1,
    "q4_0": lib.GGML_TYPE_Q4_0,
    "iq4_nl": lib.GGML_TYPE_IQ4_NL,
}
POOLING: dict[Pooling, int] = {
    "mean": lib.LLAMA_POOLING_TYPE_MEAN,
    "cls": lib.LLAMA_POOLING_TYPE_CLS,
    "last": lib.LLAMA_POOLING_TYPE_LAST,
    "rank": lib.LLAMA_POOLING_TYPE_RANK,
}
SCORING_BYTES = 16 << 20
"""Room for the logits of prompt tokens, beside a row for each lane. Touched only when asked for."""
FLASH_TILE = 64
"""Prompt tokens from which ggml's flash attention computes on a processor in tiles, 25 % faster
(`GGML_FA_TILE_Q` in ggml-cpu/common.h)."""


class Context:
    """A KV cache and the graphs that use it. `lanes` sequences can be resident at once.

    With `pooling` it computes vectors instead of logits.
    """

    def __init__(
        self,
        model: Model,
        options: LoadOptions,
        lanes: int,
        threads: int,
        log: EngineLog,
        pooling: Pooling | None = None,
    ) -> None:
        self.model = model
        self.scoring_rows = min(max(8, SCORING_BYTES // (4 * model.vocab.size)), 64)
        params = _parameters(options, lanes, threads)
        # The default reserves n_batch rows of the vocabulary: 514 MiB instead of 34 for gemma-3.
        params.n_outputs_max = lanes + self.scoring_rows
        if pooling is not None:
            params.embeddings = True
            params.pooling_type = POOLING[pooling]
            params.n_outputs_max = 0  # vectors are pooled from those of all tokens
        self._stack = contextlib.ExitStack()
        before = anonymous_regions()
        self.handle = lib.llama_init_from_model(model.handle, params)
        if not self.handle:
            raise LoadFailed(
                f"llama.cpp could not make a context: {log.errors() or 'no reason given'}"
            )
        self._stack.callback(lib.llama_free, self.handle)
        self.memory = lib.llama_get_memory(self.handle)
        self.length: int = lib.llama_n_ctx_seq(self.handle)
        self.cells: int = lib.llama_n_ctx(self.handle)
        self.batch_size: int = lib.llama_n_batch(self.handle)
        self.micro_batch_size: int = lib.llama_n_ubatch(self.handle)
        self.unified = bool(options.kv_unified)
        self.threads = threads
        recurrent = lib.llama_model_is_recurrent(model.handle) or lib.llama_model_is_hybrid(
            model.handle
        )
        tiled = options.flash_attention is not False and not model.gpu_layers
        self.tile = FLASH_TILE if tiled and not (recurrent or model.window) else 0
        """Tokens of one call that are computed faster than a few less; 0: no matter."""
        self._scratch = np.empty(0, np.uint8)
        if not options.mlock:
            release_zeros(anonymous_regions() - before)
        self._attach(options, log)
        self._abort = AbortFlag()
        if not recurrent:  # its state could not be taken back
            self._abort.attach(self.handle)

    def close(self) -> None:
        self._stack.close()

    def abandon(self) -> None:
        """Make the `decode` that another thread is in return 2, soon."""
        self._abort.set()

    def set_threads(self, threads: int) -> None:
        """Threads of the next call. Cheap: may change each step."""
        if threads != self.threads:
            self.threads = threads
            lib.llama_set_n_threads(self.handle, threads, threads)

    def decode(self, batch: Batch | PictureBatch) -> int:
        """0: computed. 1: no room in the KV cache, nothing changed. 2: abandoned; what the batch
        put into the cache must be cut off again. Below 0: the graph failed."""
        self._abort.clear()
        batch.struct.n_tokens = batch.size
        if not batch.non_causal:
            return int(lib.llama_decode(self.handle, batch.struct))
        lib.llama_set_causal_attn(self.handle, False)
        try:
            return int(lib.llama_decode(self.handle, batch.struct))
        finally:
            lib.llama_set_causal_attn(self.handle, True)

    def logits(self, rows: int) -> Logits:
        """The logits of the last call, (rows, vocabulary), in the order they were asked for.

        A view of llama.cpp's own buffer: valid until the next call.
        """
        pointer = lib.llama_get_logits(self.handle)
        if not pointer:
            raise RuntimeError("llama.cpp computed no logits")
        size = rows * self.model.vocab.size
        view = np.ctypeslib.as_array(pointer, shape=(size,))
        return view.reshape(rows, self.model.vocab.size)

    def vector(self, lane: int, size: int) -> Logits:
        """What the last call computed for a lane, pooled. A view: valid until the next call."""
        pointer = lib.llama_get_embeddings_seq(self.handle, lane)
        if not pointer:
            raise RuntimeError("llama.cpp computed no vector")
        return np.ctypeslib.as_array(pointer, shape=(size,))

    # -- the KV cache -------------------------------------------------------------------------

    def forget(self) -> None:
        """Forget everything."""
        if self.memory:
            lib.llama_memory_clear(self.memory, False)

    def drop(self, lane: int) -> None:
        """Forget a lane."""
        lib.llama_memory_seq_rm(self.memory, lane, -1, -1)

    def cut(self, lane: int, keep: int) -> bool:
        """Keep the first `keep` positions of a lane. False, and the lane dropped, where the memory
        cannot be cut there: a sliding window that has moved on, a recurrent state."""
        if keep > 0:
            first: int = lib.llama_memory_seq_pos_min(self.memory, lane)
            if 0 <= first <= max(0, keep - max(self.model.window, 1)) and lib.llama_memory_seq_rm(
                self.memory, lane, keep, -1
            ):
                return True
        self.drop(lane)
        return keep == 0

    def copy(self, source: int, target: int) -> bool:
        """Make `target` hold all that `source` holds. False, and `target` dropped, if it cannot.

        In a unified cache the cells are shared. Between streams llama.cpp copies whole streams,
        used or not; through the host only what is used is copied, which a processor's own memory
        makes cheaper.
        """
        self.drop(target)
        if self.unified or self.model.gpu_layers:
            lib.llama_memory_seq_cp(self.memory, source, target, -1, -1)
            return True
        state = self._read(source, self._scratch)
        if state is None:
            return False
        self._scratch = max(self._scratch, state, key=len)
        return self.restore(target, state)

    def save(self, lane: int) -> NDArray[np.uint8] | None:
        """A lane's state, to be given to `restore` later; None if llama.cpp will not give it."""
        return self._read(lane, np.empty(0, np.uint8))

    def _read(self, lane: int, buffer: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """A lane's state, in `buffer` if it is large enough: new pages cost more than the copy."""
        size: int = lib.llama_state_seq_get_size(self.handle, lane)
        state = buffer[:size] if len(buffer) >= size else np.empty(size, np.uint8)
        pointer = state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        written: int = lib.llama_state_seq_get_data(self.handle, pointer, size, lane)
        return state if size and written == size else None

    def restore(self, lane: int, state: NDArray[np.uint8]) -> bool:
        """Put a saved state into a lane. False, and the lane dropped, if it does not fit."""
        pointer = state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        if lib.llama_state_seq_set_data(self.handle, pointer, len(state), lane):
            return True
        self.drop(lane)
        return False

    def _attach(self, options: LoadOptions, log: EngineLog) -> None:
        if not options.lora:
            return
        adapters: list[Any] = []
        for lora in options.lora:
            adapter = lib.llama_adapter_lora_init(self.model.handle, lora.path.encode())
            if not adapter:
                self.close()
                raise LoadFailed(f"The LoRA adapter {lora.path!r} was refused: {log.errors()}")
            adapters.append(adapter)
        handles = (lib.llama_adapter_lora_p_ctypes * len(adapters))(*adapters)
        scales = (ctypes.c_float * len(adapters))(*(lora.scale for lora in options.lora))
        if lib.llama_set_adapters_lora(self.handle, handles, len(adapters), scales):
            self.close()
            raise LoadFailed(f"The LoRA adapters do not fit this model: {log.errors()}")


def _parameters(options: LoadOptions, lanes: int, threads: int) -> Any:
    params = lib.llama_context_default_params()
    params.n_ctx = options.context_length
    if not options.kv_unified:
        params.n_ctx = (options.context_length or 0) * lanes
    params.n_batch = options.batch_size
    params.n_ubatch = min(options.micro_batch_size, options.batch_size)
    params.n_seq_max = lanes
    params.n_threads = params.n_threads_batch = threads
    params.flash_attn_type = {None: -1, False: 0, True: 1}[options.flash_attention]
    params.offload_kqv = options.offload_kv_cache
    params.type_k = CACHE_TYPES[options.cache_type_k]
    params.type_v = CACHE_TYPES[options.cache_type_v]
    params.swa_full = options.swa_full
    params.kv_unified = bool(options.kv_unified)
    params.rope_freq_base = options.rope_freq_base or 0.0
    params.rope_freq_scale = options.rope_freq_scale or 0.0
    params.no_perf = True
    return params
