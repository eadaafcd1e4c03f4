"""What a model without weights is to be like, and the tensors it has."""

from __future__ import annotations

from dataclasses import dataclass, field

import gguf

F16 = gguf.GGMLQuantizationType.F16
F32 = gguf.GGMLQuantizationType.F32


@dataclass(slots=True)
class Sized:
    """What a model is to be like. `kind`: the type of its matrices."""

    architecture: str
    width: int = 512
    forward: int = 1408
    layers: int = 4
    heads: int = 8
    kv_heads: int = 2
    vocabulary: int = 16000
    experts: int = 0
    kind: gguf.GGMLQuantizationType = F16
    tied: bool = False
    pooling: gguf.PoolingType | None = None
    context: int = 8192
    tensors: list[tuple[str, tuple[int, ...], gguf.GGMLQuantizationType]] = field(
        default_factory=list
    )

    @property
    def head(self) -> int:
        return self.width // self.heads

    def add(self, name: str, *shape: int) -> None:
        """A tensor; the row length first. Vectors and small things are in 32 bits."""
        plain = len(shape) == 1 or not name.endswith(".weight") or "conv" in name or "_inp" in name
        self.tensors.append((name, shape, F32 if plain else self.kind))
