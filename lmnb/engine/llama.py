"""llama.cpp behind a few typed objects.

Everything llama.cpp answers with an abort instead of an error is made unreachable here: batches
are bounded, rows without logits cannot be read, partial copies between streams cannot be asked
for (`reference`: llama.cpp `GGML_ASSERT`s in `llama-context.cpp` and `llama-kv-cache.cpp`).
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import llama_cpp as lib
import numpy as np
from numpy.typing import NDArray

from lmnb.engine.log import EngineLog
from lmnb.engine.options import LoadOptions
from lmnb.errors import InvalidRequest, LoadFailed

Tokens = NDArray[np.int32]
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

_LOAD_MODE = {(False, False): 0, (True, False): 1, (False, True): 2, (True, True): 3}
"""(mmap, mlock) -> enum llama_load_mode."""


class Vocab:
    """Text to token ids and back."""

    def __init__(self, model: Any) -> None:
        self.handle = lib.llama_model_get_vocab(model)
        self.size: int = lib.llama_vocab_n_tokens(self.handle)
        self.bos: int = lib.llama_vocab_bos(self.handle)
        self.eos: int = lib.llama_vocab_eos(self.handle)
        self.add_bos: bool = lib.llama_vocab_get_add_bos(self.handle)
        self._pieces: dict[int, bytes] = {}
        self._buffer = ctypes.create_string_buffer(512)

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Token ids of `text`. `parse_special`: control-token text stands for the token."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        while True:
            out = (ctypes.c_int32 * room)()
            n = lib.llama_tokenize(
                self.handle, data, len(data), out, room, add_special, parse_special
            )
            if n >= 0:
                return out[:n]
            if n == -(2**31):
                raise InvalidRequest("The text is too long to be tokenised.")
            room = -n

    def piece(self, token: int) -> bytes:
        """The bytes of a token as text; of a control token, nothing."""
        piece = self._pieces.get(token)
        if piece is None:
            piece = self._pieces[token] = self.render(token, special=False)
        return piece

    def render(self, token: int, *, special: bool) -> bytes:
        if not 0 <= token < self.size:
            return b""
        n = lib.llama_token_to_piece(
            self.handle, token, self._buffer, len(self._buffer), 0, special
        )
        if n < 0:
            self._buffer = ctypes.create_string_buffer(-n)
            return self.render(token, special=special)
        return self._buffer.raw[:n]

    def is_end(self, token: int) -> bool:
        """End of generation: EOS, EOT and their like."""
        return bool(lib.llama_vocab_is_eog(self.handle, token))

    @functools.cached_property
    def end_tokens(self) -> Tokens:
        return np.array([t for t in range(self.size) if self.is_end(t)], np.int32)

    def text(self, token: int) -> str:
        return "" if token < 0 else self.render(token, special=True).decode("utf-8", "replace")

    def control_texts(self) -> tuple[str, ...]:
        """Text of every token that is only parsed when control tokens are asked for."""
        mask = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_UNKNOWN
        attr, handle = lib.llama_vocab_get_attr, self.handle
        found = (self.text(t) for t in range(self.size) if attr(handle, t) & mask)
        return tuple(dict.fromkeys(text for text in found if text))


class Model:
    """A GGUF file in memory.

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
            or not lib.llama_model_has_decoder(self.handle)
        )

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
            case "max":
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


class Batch:
    """Tokens for one llama.cpp call, in arrays that are made once. Holds `capacity` tokens."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.size = 0
        self._token = np.zeros(capacity, np.int32)
        self._pos = np.zeros(capacity, np.int32)
        self._lane = np.zeros(capacity, np.int32)
        self._logits = np.zeros(capacity, np.int8)
        self._n_lanes = np.ones(capacity, np.int32)
        self._lane_pointers = self._lane.ctypes.data + 4 * np.arange(capacity, dtype=np.uintp)
        self._lane_pointers = np.ascontiguousarray(self._lane_pointers, dtype=np.uintp)
        self.struct = lib.llama_batch()
        for field, array in (
            ("token", self._token),
            ("pos", self._pos),
            ("n_seq_id", self._n_lanes),
            ("seq_id", self._lane_pointers),
            ("logits", self._logits),
        ):
            kind = dict(lib.llama_batch._fields_)[field]
            setattr(self.struct, field, ctypes.cast(array.ctypes.data, kind))

    @property
    def room(self) -> int:
        return self.capacity - self.size

    def clear(self) -> None:
        self.size = 0

    def add(self, tokens: Tokens, position: int, lane: int, *, logits: bool) -> None:
        """Append consecutive tokens of one sequence; `logits` asks for the last one's."""
        start, end = self.size, self.size + len(tokens)
        if end > self.capacity:
            raise ValueError(f"{end} tokens in a batch of {self.capacity}")
        self._token[start:end] = tokens
        self._pos[start:end] = np.arange(position, position + len(tokens), dtype=np.int32)
        self._lane[start:end] = lane
        self._logits[start:end] = 0
        self._logits[end - 1] = logits
        self.size = end

    def add_one(self, token: int, position: int, lane: int) -> None:
        """Append one token and ask for its logits: the hot path of decoding."""
        i = self.size
        self._token[i] = token
        self._pos[i] = position
        self._lane[i] = lane
        self._logits[i] = 1
        self.size = i + 1


class AbortFlag:
    """Tells llama.cpp, from another thread, to abandon the call it is in.

    llama.cpp asks a C function after each of a thousand nodes of a graph; a Python function there
    would double a step's time. libc's `strlen` of a string that is empty or not is that function.
    """

    def __init__(self) -> None:
        libc = ctypes.cdll.msvcrt if os.name == "nt" else ctypes.CDLL(None)
        self._text = ctypes.create_string_buffer(2)
        self._function = ctypes.cast(libc.strlen, lib.ggml_abort_callback)

    def attach(self, context: Any) -> None:
        lib.llama_set_abort_callback(context, self._function, ctypes.addressof(self._text))

    def set(self) -> None:
        self._text[0] = b"!"

    def clear(self) -> None:
        self._text[0] = b"\0"


class Context:
    """A KV cache and the graphs that use it. `lanes` sequences can be resident at once."""

    def __init__(
        self, model: Model, options: LoadOptions, lanes: int, threads: int, log: EngineLog
    ) -> None:
        self.model = model
        params = lib.llama_context_default_params()
        params.n_ctx = options.context_length
        if not options.kv_unified:
            params.n_ctx = (options.context_length or 0) * lanes
        params.n_batch = options.batch_size
        params.n_ubatch = min(options.micro_batch_size, options.batch_size)
        params.n_seq_max = lanes
        # The default reserves n_batch rows of the vocabulary: 514 MiB instead of 34 for gemma-3.
        params.n_outputs_max = lanes
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
        self._stack = contextlib.ExitStack()
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
        self._attach(options, log)
        self._abort = AbortFlag()
        if not (
            lib.llama_model_is_recurrent(model.handle) or lib.llama_model_is_hybrid(model.handle)
        ):  # their state could not be taken back
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

    def decode(self, batch: Batch) -> int:
        """0: computed. 1: no room in the KV cache, nothing changed. 2: abandoned; what the batch
        put into the cache must be cut off again. Below 0: the graph failed."""
        self._abort.clear()
        batch.struct.n_tokens = batch.size
        return int(lib.llama_decode(self.handle, batch.struct))

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

    # -- the KV cache -------------------------------------------------------------------------

    def drop(self, lane: int) -> None:
        """Forget a lane."""
        lib.llama_memory_seq_rm(self.memory, lane, -1, -1)

    def cut(self, lane: int, keep: int) -> bool:
        """Keep the first `keep` tokens of a lane. False, and the lane dropped, where the memory
        cannot be cut there: a sliding window that has moved on, a recurrent state."""
        if keep > 0:
            first: int = lib.llama_memory_seq_pos_min(self.memory, lane)
            if 0 <= first <= max(0, keep - max(self.model.window, 1)) and lib.llama_memory_seq_rm(
                self.memory, lane, keep, -1
            ):
                return True
        self.drop(lane)
        return keep == 0

    def copy(self, source: int, target: int) -> None:
        """Make `target` hold all that `source` holds (shared cells in a unified cache)."""
        self.drop(target)
        lib.llama_memory_seq_cp(self.memory, source, target, -1, -1)

    def save(self, lane: int) -> NDArray[np.uint8] | None:
        """A lane's state, to be given to `restore` later; None if llama.cpp will not give it."""
        size: int = lib.llama_state_seq_get_size(self.handle, lane)
        if not size:
            return None
        state = np.empty(size, np.uint8)
        pointer = state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        written: int = lib.llama_state_seq_get_data(self.handle, pointer, size, lane)
        return state if written == size else None

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


def as_tokens(tokens: Sequence[int]) -> Tokens:
    return np.asarray(tokens, np.int32)
