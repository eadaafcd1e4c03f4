"""How a model is to be loaded, in the words of llama.cpp's own parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["LoadShape"]

CELLS = 256
"""Contexts are a multiple of so many tokens."""
SCORING_BYTES = 16 << 20
"""Room for the logits of prompt tokens that are scored, at most 64 rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadShape:
    """What decides how much memory a load takes. `context`: tokens of one conversation."""

    context: int
    lanes: int
    """Sequences that can be resident at once."""
    unified: bool
    batch: int
    micro_batch: int
    key_type: int
    """Of the KV cache: ggml's number of the type."""
    value_type: int
    flash_attention: bool = True
    full_window: bool = True
    """Sliding-window layers cache as much as the others."""
    mmap: bool = True
    gpu_layers: int = 0
    """The output counts as one more; it is the first to go there."""
    cache_on_gpu: bool = True
    vectors: bool = False
    """It computes vectors instead of text: every token has an output."""
    further: tuple[int, ...] = ()
    """Tokens of the contexts that compute beside the first one, where there is no GPU."""
    shares: tuple[float, ...] = ()
    """How layers are spread over the GPUs. Empty: by their free memory."""

    def with_context(self, context: int) -> LoadShape:
        """One call for vectors holds a whole text."""
        if self.vectors:
            return replace(self, context=context, batch=context, micro_batch=context)
        return replace(self, context=context)

    @staticmethod
    def padded(cells: int) -> int:
        return -(-cells // CELLS) * CELLS

    @property
    def cells(self) -> int:
        """Of one stream's cache."""
        return self.padded(self.context)

    @property
    def streams(self) -> int:
        return 1 if self.unified else self.lanes

    @property
    def tokens(self) -> int:
        """Of the graph that llama.cpp reserves memory for: a multiple of the lanes."""
        return -(-self.largest_step // self.lanes) * self.lanes

    @property
    def largest_step(self) -> int:
        """Most tokens that are computed in one graph."""
        return min(self.cells * self.streams, self.batch, self.micro_batch)

    def outputs(self, vocabulary: int) -> int:
        """Rows of logits, or of vectors, that one graph may give."""
        if self.vectors:
            return self.largest_step
        scored = min(max(8, SCORING_BYTES // (4 * max(1, vocabulary))), 64)
        return min(self.largest_step, self.lanes + scored)
