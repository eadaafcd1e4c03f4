"""Text to token ids and back, as the loaded model does it."""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Sequence
from typing import Any

import llama_cpp as lib
import numpy as np
from numpy.typing import NDArray

from lmnb.engine.partition import Mark, Marks, Stretch, partition
from lmnb.errors import InvalidRequest

Tokens = NDArray[np.int32]
_CONTROL = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_UNKNOWN
_USER_DEFINED = lib.LLAMA_TOKEN_ATTR_USER_DEFINED
_BEFORE = "\x01"
"""No token has it together with what follows. SentencePiece's space goes before it."""
_FILL_IN_MARKS = (lib.llama_vocab_fim_pre, lib.llama_vocab_fim_suf, lib.llama_vocab_fim_mid)


def as_tokens(tokens: Sequence[int]) -> Tokens:
    return np.asarray(tokens, np.int32)


class Vocab:
    """Text to token ids and back."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.handle = lib.llama_model_get_vocab(model)
        self.size: int = lib.llama_vocab_n_tokens(self.handle)
        self.bos: int = lib.llama_vocab_bos(self.handle)
        self.eos: int = lib.llama_vocab_eos(self.handle)
        self.add_bos: bool = lib.llama_vocab_get_add_bos(self.handle)
        self.add_eos: bool = lib.llama_vocab_get_add_eos(self.handle)
        self._pieces: dict[int, bytes] = {}
        self._buffer = ctypes.create_string_buffer(512)

    def again(self) -> Vocab:
        """The same, for another thread."""
        return Vocab(self._model)

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

    def tokenize_around(self, text: str, plain: Sequence[Stretch]) -> list[int]:
        """Token ids of `text`, in which control-token text stands for the token, but in `plain`.

        Without `plain`, what `tokenize` gives; for hundreds of kilobytes of angle brackets and a
        vocabulary with thousands of marks in a hundredth of the time.
        """
        ids: list[int] = []
        for part in partition(text, plain, self._marks):
            if isinstance(part, int):
                ids.append(part)
            else:
                ids += self.tokenize(part, add_special=False, parse_special=False)
        return ids

    def tokenize_on(self, text: str) -> list[int]:
        """Token ids of `text`, in which control tokens are meant, where it goes on from another."""
        if lib.llama_vocab_type(self.handle) != lib.LLAMA_VOCAB_TYPE_SPM:
            return self.tokenize(text, add_special=False, parse_special=True)
        before = self.tokenize(_BEFORE, add_special=False, parse_special=True)
        return self.tokenize(_BEFORE + text, add_special=False, parse_special=True)[len(before) :]

    def tokenize_pair(self, first: str, second: str) -> list[int]:
        """Two texts as a reranker was trained to see them: each ended, the second set apart."""
        read = functools.partial(self.tokenize, add_special=False, parse_special=False)
        sep: int = lib.llama_vocab_sep(self.handle)
        end = [self.eos] if self.add_eos and self.eos >= 0 else []
        between = [sep] if lib.llama_vocab_get_add_sep(self.handle) and sep >= 0 else []
        start = [self.bos] if self.add_bos and self.bos >= 0 else []
        return [*start, *read(first), *end, *between, *read(second), *(end or between)]

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

    def infill(self, prefix: list[int], suffix: str) -> list[int]:
        """The question what stands between `prefix` and `suffix`, with the model's own marks.

        Raises InvalidRequest for a model that was not taught to answer it.
        """
        marks = [mark(self.handle) for mark in _FILL_IN_MARKS]
        if min(marks) < 0:
            raise InvalidRequest(
                "This model cannot fill in before a suffix: it has no tokens for that.",
                param="suffix",
            )
        before, after, middle = marks
        rest = self.tokenize(suffix, add_special=False, parse_special=False)
        return [before, *prefix, after, *rest, middle]

    def is_end(self, token: int) -> bool:
        """End of generation: EOS, EOT and their like."""
        return bool(lib.llama_vocab_is_eog(self.handle, token))

    @functools.cached_property
    def end_tokens(self) -> Tokens:
        return np.array([t for t in range(self.size) if self.is_end(t)], np.int32)

    @functools.cached_property
    def suppressed(self) -> Tokens:
        """Those that the model's file says it must not write."""
        count = ctypes.c_int32()
        found = lib.llama_vocab_get_suppress_tokens(self.handle, ctypes.byref(count))
        return as_tokens(found[: count.value])

    @functools.cached_property
    def longest(self) -> int | None:
        """Bytes of the longest token. None where a token may stand for any number of them: white
        space that is taken together, words that are not known."""
        kinds = lib.LLAMA_VOCAB_TYPE_SPM, lib.LLAMA_VOCAB_TYPE_BPE
        if lib.llama_vocab_type(self.handle) not in kinds:
            return None
        return max(len(self.render(token, special=True)) for token in range(self.size))

    def text(self, token: int) -> str:
        return "" if token < 0 else self.render(token, special=True).decode("utf-8", "replace")

    @functools.cached_property
    def _attributes(self) -> NDArray[np.int32]:
        attribute, handle = lib.llama_vocab_get_attr, self.handle
        return np.fromiter((attribute(handle, t) for t in range(self.size)), np.int32, self.size)

    @functools.cached_property
    def _marks(self) -> Marks:
        found = []
        for token in np.flatnonzero(self._attributes & (_CONTROL | _USER_DEFINED)).tolist():
            attributes = int(self._attributes[token])
            data: bytes = lib.llama_vocab_get_text(self.handle, token)
            with contextlib.suppress(UnicodeDecodeError):  # no text has that in it
                mark = Mark(
                    data.decode(),
                    token,
                    control=bool(attributes & _CONTROL),
                    strip_left=bool(attributes & lib.LLAMA_TOKEN_ATTR_LSTRIP),
                    strip_right=bool(attributes & lib.LLAMA_TOKEN_ATTR_RSTRIP),
                )
                found.append(mark)
        return Marks(mark for mark in found if mark.text)

    def controls(self, texts: Sequence[str]) -> frozenset[int]:
        """The tokens that stand for these texts, of those that are one token."""
        read = (self.tokenize(t, add_special=False, parse_special=True) for t in texts)
        return frozenset(ids[0] for ids in read if len(ids) == 1)

    @functools.cached_property
    def control_tokens(self) -> frozenset[int]:
        """Those that are only parsed when control tokens are asked for."""
        return frozenset(np.flatnonzero(self._attributes & _CONTROL).tolist())

    def control_texts(self) -> tuple[str, ...]:
        """Their texts, in order."""
        found = map(self.text, sorted(self.control_tokens))
        return tuple(dict.fromkeys(text for text in found if text))
