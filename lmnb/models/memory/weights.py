"""Where the tensors of a file go, and how much of each place they take.

Sources: llama.cpp `llama_model_base::load_tensors`, `llama_model_loader::create_tensor` and
`ggml/src/ggml-cpu/repack.cpp`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from lmnb.models.gguf.header import Tensor
from lmnb.models.memory.blueprint import Blueprint, layer_of

__all__ = ["HostWeights", "host_weights", "output_size", "repacked_types"]

_X86 = {"AVX2": ("Q4_0", "Q4_K", "IQ4_NL", "MXFP4"), "AVX512": ("Q2_K",)}
_ARM = {"DOTPROD": ("Q4_0", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "MXFP4", "Q8_0", "Q1_0")}
_ROWS = 8
_OUTPUT = ("output", "cls")
_TWICE = ("gemma3n", "gemma4")
"""Their embedding and the output that is tied to it are read one by one, where it is not mapped."""
_LOOKED_UP = frozenset({"token_embd.weight", "per_layer_token_embd.weight", "position_embd.weight"})


def repacked_types(features: Collection[str]) -> frozenset[str]:
    """Types of weights of which a processor with these features gets a copy in an order of its own:
    names as in `llama_print_system_info`."""
    if "REPACK" not in features:
        return frozenset()
    return frozenset(
        kind for feature, kinds in {**_X86, **_ARM}.items() if feature in features for kind in kinds
    )


@dataclass(frozen=True, slots=True)
class HostWeights:
    """Bytes. `repacked` are in memory of their own; where the file is mapped, `mapped` covers their
    originals too, `spare` bytes of it, which nobody reads again: the system may drop those pages."""

    mapped: int
    copied: int
    repacked: int
    spare: int

    @property
    def total(self) -> int:
        return self.mapped + self.copied + self.repacked


def host_weights(
    model: Blueprint, first_on_gpu: int, repacked: Collection[str], *, mmap: bool
) -> HostWeights:
    """What stays with the processor: the embedding, and layers below `first_on_gpu` (one more than
    there are layers: the output too)."""
    packed, kept, mapped = 0, 0, 0
    for header in model.headers:
        here = [tensor for tensor in header.tensors if _on_host(tensor, model, first_on_gpu)]
        plain = [tensor for tensor in here if not _is_repacked(tensor, repacked)]
        packed += sum(tensor.size for tensor in here) - sum(tensor.size for tensor in plain)
        kept += sum(_padded(tensor.size) for tensor in plain)
        mapped += _range(plain)
    embedding = model.others.get("token_embd.weight")
    if embedding and model.tied and first_on_gpu > len(model.layers):
        if _packs(embedding, repacked):  # as the output's matrix, not as the embedding
            packed += embedding.size
        elif model.info.architecture in _TWICE:
            kept += _padded(embedding.size)
    if not mmap:
        return HostWeights(0, kept, packed, 0)
    return HostWeights(mapped, 0, packed, max(0, mapped - kept))


def output_size(model: Blueprint) -> int:
    """Bytes of what makes logits of the last layer's output, wherever it is."""
    size = sum(tensor.size for tensor in model.others.values() if _is_output(tensor))
    embedding = model.others.get("token_embd.weight")
    return size + (embedding.size if embedding and model.tied else 0)


def _on_host(tensor: Tensor, model: Blueprint, first_on_gpu: int) -> bool:
    layer, _ = layer_of(tensor)
    if layer is None:
        return not _is_output(tensor) or first_on_gpu > len(model.layers)
    return layer < min(first_on_gpu, len(model.layers))


def _is_output(tensor: Tensor) -> bool:
    return tensor.name.startswith(_OUTPUT)


def _is_repacked(tensor: Tensor, repacked: Collection[str]) -> bool:
    return tensor.name not in _LOOKED_UP and _packs(tensor, repacked)


def _packs(tensor: Tensor, repacked: Collection[str]) -> bool:
    matrix = len(tensor.shape) == 2 or (len(tensor.shape) == 3 and "_exps." in tensor.name)
    return matrix and tensor.kind in repacked and tensor.shape[1] % _ROWS == 0


def _range(tensors: Iterable[Tensor]) -> int:
    """From the first byte of these to the last: what is mapped of a file."""
    spans = [(tensor.offset, tensor.offset + tensor.size) for tensor in tensors]
    return max(end for _, end in spans) - min(start for start, _ in spans) if spans else 0


def _padded(size: int) -> int:
    return -(-size // 32) * 32
