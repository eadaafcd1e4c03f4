"""What a model sees with: mtmd, llama.cpp's library that turns pictures into embeddings."""

from __future__ import annotations

import ctypes
import hashlib
import weakref
from collections import OrderedDict
from typing import Any

import llama_cpp as lib
import numpy as np
from llama_cpp import mtmd_cpp as mtmd
from numpy.typing import NDArray

from lmnb.engine.glance import Glance, Looked
from lmnb.engine.log import EngineLog
from lmnb.engine.model import Model
from lmnb.engine.pictures import check_picture
from lmnb.engine.vocab import Tokens, as_tokens
from lmnb.errors import EngineError, InvalidImage, InvalidRequest, LoadFailed

Embeddings = NDArray[np.float32]
KEPT_BYTES = 64 << 20
"""Embeddings of pictures that may be looked at again, at another place in a prompt."""
TEXT = 0
"""MTMD_INPUT_CHUNK_TYPE_TEXT."""
NOWHERE = b"/nowhere"
"""Where mtmd would look for ffmpeg, to which it hands what it cannot decode."""


class Projector:
    """Raises LoadFailed with what mtmd said. Must be closed before the model is."""

    def __init__(
        self,
        path: str,
        model: Model,
        log: EngineLog,
        *,
        threads: int,
        gpu: bool,
        most: int,
    ) -> None:
        """`most`: tokens that llama.cpp computes in one graph."""
        log.install_mtmd()
        params = mtmd.mtmd_context_params_default()
        params.use_gpu = gpu
        params.n_threads = threads
        params.print_timings = params.warmup = False
        self.handle = mtmd.mtmd_init_from_file(path.encode(), model.handle, params)
        if not self.handle:
            raise LoadFailed(
                f"The projector could not be loaded: {log.errors()}. With an empty 'projector' the "
                "model is loaded without."
            )
        self._most = most
        self._width: int = lib.llama_model_n_embd_inp(model.handle)
        self._keys: dict[bytes, int] = {}
        self._kept: OrderedDict[bytes, Embeddings] = OrderedDict()
        self.flat = bool(mtmd.mtmd_decode_use_mrope(self.handle))
        """A glance's tokens stand in rows and columns, at fewer positions than they are."""
        if not mtmd.mtmd_support_vision(self.handle):
            self.close()
            raise LoadFailed("The projector is made for sounds, which are not supported yet.")

    def close(self) -> None:
        mtmd.mtmd_free(self.handle)

    def look(self, data: bytes) -> Looked:
        """Decode a picture and cut it into glances. May be called in another thread than the rest.

        Raises InvalidImage, InvalidRequest.
        """
        check_picture(data)
        buffer = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
        options = mtmd.mtmd_helper_init_opt_default()
        options.video_params.ffmpeg_bin_dir = NOWHERE
        bitmap = mtmd.mtmd_helper_bitmap_init_from_buf(
            self.handle, buffer, len(data), False, options
        )
        if not bitmap:
            raise InvalidImage("A picture is broken: it cannot be decoded.")
        chunks = mtmd.mtmd_input_chunks_init()
        try:
            part = mtmd.mtmd_input_part()
            part.bitmap = bitmap
            parts = (ctypes.POINTER(mtmd.mtmd_input_part) * 1)(ctypes.pointer(part))
            if mtmd.mtmd_tokenize_from_parts(self.handle, chunks, parts, 1, False):
                raise InvalidImage("This model cannot take in a picture of that size.")
            digest = hashlib.sha256(data).digest()
            return [
                self._piece(mtmd.mtmd_input_chunks_get(chunks, number), digest, number)
                for number in range(mtmd.mtmd_input_chunks_size(chunks))
            ]
        finally:
            mtmd.mtmd_input_chunks_free(chunks)
            mtmd.mtmd_bitmap_free(bitmap)

    def encode(self, glance: Glance) -> Embeddings:
        """(tokens, width). Takes as long as the model's eyes are large. Raises EngineError."""
        kept = self._kept.get(glance.digest)
        if kept is not None:
            self._kept.move_to_end(glance.digest)
            return kept
        if mtmd.mtmd_encode_chunk(self.handle, glance.handle):
            raise EngineError("llama.cpp failed to encode a picture.")
        pointer = mtmd.mtmd_get_output_embd(self.handle)
        assert pointer is not None
        rows = np.ctypeslib.as_array(pointer, shape=(glance.length * self._width,))
        embeddings: Embeddings = rows.reshape(glance.length, self._width).copy()
        self._keep(glance.digest, embeddings)
        return embeddings

    def positions(self, glance: Glance, first: int) -> NDArray[np.int32]:
        """Of each token: (1, tokens), or (4, tokens) in a flat picture."""
        if not self.flat:
            return np.arange(first, first + glance.length, dtype=np.int32)[None]
        image = mtmd.mtmd_input_chunk_get_tokens_image(glance.handle)
        found = np.empty((4, glance.length), np.int32)
        for index in range(glance.length):
            place = mtmd.mtmd_image_tokens_get_decoder_pos(image, first, index)
            found[:, index] = place.t, place.y, place.x, place.z
        return found

    def _piece(self, chunk: Any, picture: bytes, number: int) -> Tokens | Glance:
        if mtmd.mtmd_input_chunk_get_type(chunk) == TEXT:
            count = ctypes.c_size_t()
            tokens = mtmd.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(count))
            assert tokens is not None
            found = as_tokens(tokens[: count.value])
            if found.min(initial=0) < 0:
                raise InvalidRequest(
                    "The projector is for another model: it needs tokens that this one has not."
                )
            return found
        digest = picture + number.to_bytes(4, "big")
        own = mtmd.mtmd_input_chunk_copy(chunk)
        glance = Glance(
            key=self._keys.setdefault(digest, -len(self._keys) - 1),
            digest=digest,
            length=mtmd.mtmd_input_chunk_get_n_tokens(own),
            positions=mtmd.mtmd_input_chunk_get_n_pos(own),
            non_causal=bool(mtmd.mtmd_decode_use_non_causal(self.handle, own)),
            handle=own,
        )
        weakref.finalize(glance, mtmd.mtmd_input_chunk_free, own)
        if glance.length > self._most and glance.non_causal:
            raise InvalidRequest(
                f"A picture has {glance.length} tokens, which this model must see at once; it is "
                f"loaded to compute {self._most}. Load it with a larger 'micro_batch_size'."
            )
        return glance

    def _keep(self, digest: bytes, embeddings: Embeddings) -> None:
        self._kept[digest] = embeddings
        while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > KEPT_BYTES:
            self._kept.popitem(last=False)
