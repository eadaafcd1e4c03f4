"""What the header of a GGUF file tells about its model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lmnb.models.gguf.header import VOCABULARY, Array, Header, InvalidGGUF, read_header
from lmnb.models.gguf.quants import FILE_TYPES, TENSOR_TYPES, nominal_bits
from lmnb.models.gguf.template_facts import shows_pictures, shows_thoughts, shows_tools

__all__ = [
    "RUNNABLE",
    "Kind",
    "ModelInfo",
    "Pooling",
    "counted",
    "model_info",
    "read_model_info",
]

Kind = Literal["llm", "embedding", "reranker", "projector", "adapter", "vocabulary", "other"]
"""`projector`: the vision or audio half of a model (mmproj). `vocabulary`: no weights."""

RUNNABLE: tuple[Kind, ...] = ("llm", "embedding", "reranker")

Pooling = Literal["none", "mean", "cls", "last", "rank"]
_POOLING: tuple[Pooling, ...] = ("none", "mean", "cls", "last", "rank")

LONGEST_LABEL = 256
"""Characters of what a model is called: lists show it, and it is kept for every file."""
_GUESSED = 1024
"""Bit of general.file_type: the quantiser was not told, it guessed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """Facts of a model, from the headers of its files. 0, "" and None: the header does not say.

    `tool_use`, `reasoning` and `vision` say that the chat template has a place for tools, thoughts
    and pictures. (To see pictures a model needs its projector besides; of a projector, `vision` says
    that it sees, not only hears.)
    """

    kind: Kind
    architecture: str
    name: str
    size_label: str
    parameters: int
    quantization: str
    tensor_bytes: int
    context_length: int
    layers: int
    embedding_length: int
    vocab_size: int
    experts: int
    experts_used: int
    sliding_window: int
    """Tokens that some layers look back. 0: all layers see everything."""
    recurrent: bool
    """Some layers keep a state instead of a cache: it cannot be cut in the middle."""
    causal: bool
    pooling: Pooling | None
    chat_template: str | None
    tool_use: bool
    reasoning: bool
    vision: bool
    fill_in_the_middle: bool
    """Its vocabulary has tokens to ask for what stands between two texts."""

    @property
    def bits_per_weight(self) -> float:
        """What the tensors really take; a little above the quantisation's nominal bits."""
        return self.tensor_bytes * 8 / self.parameters if self.parameters else 0.0

    @property
    def nominal_bits(self) -> int | None:
        return nominal_bits(self.quantization)

    @property
    def params_string(self) -> str:
        """`135M`, `8x7B`: the header's own label, or the count of the weights, rounded."""
        return self.size_label or counted(self.parameters)


def counted(parameters: int) -> str:
    """`135M`; "" for none."""
    for unit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if parameters >= unit:
            return f"{parameters / unit:.3g}{letter}"
    return str(parameters or "")


def read_model_info(path: Path) -> ModelInfo:
    """Facts of a model in one file. Raises InvalidGGUF."""
    return model_info([read_header(path)])


def model_info(headers: Sequence[Header]) -> ModelInfo:
    """Facts of a model whose files have these headers, first file first. Raises InvalidGGUF."""
    facts = _Facts(headers[0])
    tensors = [tensor for header in headers for tensor in header.tensors]
    parameters = sum(tensor.elements for tensor in tensors)
    if parameters >= 1 << 63:
        raise InvalidGGUF(f"claims {parameters} parameters")
    template = facts.template()
    return ModelInfo(
        kind=_kind(facts, bool(tensors)),
        architecture=facts.architecture,
        name=facts.label("name"),
        size_label=facts.label("size_label"),
        parameters=parameters,
        quantization=_quantization(facts, headers),
        tensor_bytes=sum(tensor.size for tensor in tensors),
        context_length=facts.number("context_length"),
        layers=facts.number("block_count"),
        embedding_length=facts.number("embedding_length"),
        vocab_size=facts.length("tokenizer.ggml.tokens") or facts.number("vocab_size"),
        experts=facts.number("expert_count"),
        experts_used=facts.number("expert_used_count"),
        sliding_window=facts.number("attention.sliding_window"),
        recurrent=any(map(facts.has, ("ssm.", "wkv.", "kda.", "shortconv."))),
        causal=facts.header.metadata.get(f"{facts.architecture}.attention.causal", True) is True,
        pooling=facts.pooling(),
        chat_template=template,
        tool_use=shows_tools(template) or facts.has_tool_template(),
        reasoning=shows_thoughts(template),
        vision=shows_pictures(template) or facts.says("clip.has_vision_encoder"),
        fill_in_the_middle=facts.has_fill_in_marks(),
    )


class _Facts:
    """Typed looks into a header's metadata. A value of the wrong type counts as not given."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.architecture = self.label("architecture")

    def text(self, key: str) -> str:
        value = self.header.metadata.get(key)
        return value if isinstance(value, str) else ""

    def label(self, key: str) -> str:
        return self.text(f"general.{key}")[:LONGEST_LABEL]

    def whole(self, key: str) -> int:
        """A number, or the largest of an array that has one for each layer. 0: not given."""
        value = self.header.metadata.get(key)
        values = (value,) if value is None or isinstance(value, int | float | str) else value.values
        return max((v for v in values if type(v) is int and v > 0), default=0)

    def number(self, key: str) -> int:
        """Of the architecture's own keys: `llama.block_count` for `block_count`."""
        return self.whole(f"{self.architecture}.{key}")

    def says(self, key: str) -> bool:
        return self.header.metadata.get(key) is True

    def length(self, key: str) -> int:
        value = self.header.metadata.get(key)
        return 0 if value is None or isinstance(value, int | float | str) else value.count

    def has(self, prefix: str) -> bool:
        start = f"{self.architecture}.{prefix}"
        return any(key.startswith(start) for key in self.header.metadata)

    def template(self) -> str | None:
        return self.text("tokenizer.chat_template") or None

    def has_tool_template(self) -> bool:
        return bool(self.text("tokenizer.chat_template.tool_use"))

    def has_fill_in_marks(self) -> bool:
        named = ("tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id")
        tokens = self.header.metadata.get(VOCABULARY)
        marked = isinstance(tokens, Array) and bool(tokens.marks)
        return marked or any(name in self.header.metadata for name in named)

    def file_type(self) -> int | None:
        value = self.header.metadata.get("general.file_type")
        return value & ~_GUESSED if type(value) is int and value >= 0 else None

    def pooling(self) -> Pooling | None:
        value = self.header.metadata.get(f"{self.architecture}.pooling_type")
        return _POOLING[value] if type(value) is int and 0 <= value < len(_POOLING) else None


def _kind(facts: _Facts, has_tensors: bool) -> Kind:
    declared = facts.text("general.type")
    if declared == "adapter":
        return "adapter"
    if declared == "mmproj" or facts.architecture == "clip":
        return "projector"
    if declared not in ("", "model") or not facts.architecture:
        return "other"  # importance matrices, control vectors
    if not has_tensors:
        return "vocabulary"
    pooling = facts.pooling()
    if pooling == "rank":
        return "reranker"
    if pooling in ("mean", "cls", "last") or "bert" in facts.architecture:
        return "embedding"
    return "llm"


def _quantization(facts: _Facts, headers: Sequence[Header]) -> str:
    """The quantiser's name for the mix (`Q4_K_M`), or the type that takes most bytes."""
    file_type = facts.file_type()
    if file_type in FILE_TYPES:
        return FILE_TYPES[file_type]
    size_of: Counter[int] = Counter()
    for header in headers:
        for tensor in header.tensors:
            size_of[tensor.type] += tensor.size
    return TENSOR_TYPES[size_of.most_common(1)[0][0]].name if size_of else ""
