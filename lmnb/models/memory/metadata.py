"""A header's numbers, for all layers or for each. A value of the wrong type counts as not given."""

from __future__ import annotations

from collections.abc import Sequence

from lmnb.models.gguf.header import Array, Header

__all__ = ["Metadata"]


class Metadata:
    """Keys are the architecture's own: `block_count` for `llama.block_count`."""

    def __init__(self, header: Header, architecture: str) -> None:
        self._values = header.metadata
        self._prefix = f"{architecture}."

    def has(self, key: str) -> bool:
        return self._prefix + key in self._values

    def any(self, *beginnings: str) -> bool:
        starts = tuple(self._prefix + beginning for beginning in beginnings)
        return any(key.startswith(starts) for key in self._values)

    def number(self, key: str) -> int:
        """A single whole number. 0: not given."""
        value = self._values.get(self._prefix + key)
        return value if type(value) is int and value > 0 else 0

    def per_layer(self, key: str, count: int, default: Sequence[int] = ()) -> tuple[int, ...]:
        """One number a layer: given so, or one for all; else `default`, else zeros."""
        value = self._values.get(self._prefix + key)
        if isinstance(value, Array) and len(value.values) >= count:
            return tuple(
                max(0, number) if type(number) is int else 0 for number in value.values[:count]
            )
        if type(value) is int:
            return (max(0, value),) * count
        return tuple(default) or (0,) * count

    def flags(self, key: str, count: int) -> tuple[bool, ...]:
        """One yes or no a layer. Empty: not given so."""
        value = self._values.get(self._prefix + key)
        if isinstance(value, Array) and len(value.values) >= count:
            return tuple(bool(flag) for flag in value.values[:count])
        return ()

    def head_lengths(self, heads: int, *, windowed: bool = False) -> tuple[int, int]:
        """Numbers of one head's key and value, in a layer with or without a sliding window."""
        default = self.number("embedding_length") // heads if heads else 0
        key, value = (
            (self.number(f"attention.{name}_length_swa") if windowed else 0)
            or self.number(f"attention.{name}_length")
            or default
            for name in ("key", "value")
        )
        return key, value

    def state(self, heads: int) -> tuple[int, int]:
        """What a recurrent layer keeps of a sequence: the tail of its convolution, and its state.
        Source: `n_embd_r` and `n_embd_s` in llama.cpp's `src/llama-hparams.cpp`."""
        width = self.number("embedding_length")
        tail = max(self.number("ssm.conv_kernel") - 1, 0)
        if size := self.number("wkv.head_size"):
            return (self.number("token_shift_count") or 2) * width, width * size
        if cache := self.number("shortconv.l_cache"):
            return width * (cache - 1), 0
        if size := self.number("kda.head_dim"):
            return 3 * (tail or 3) * heads * size, size * size * heads
        inner, states = self.number("ssm.inner_size"), self.number("ssm.state_size")
        return tail * (inner + 2 * self.number("ssm.group_count") * states), states * inner
