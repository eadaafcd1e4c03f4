"""Tiny models with random weights that llama.cpp really loads: one for each kind of memory it has.

| name     | layers                                | what llama.cpp keeps of the past            |
|----------|---------------------------------------|---------------------------------------------|
| `llama`  | attention                             | a KV cache: can be cut anywhere             |
| `gemma3` | attention, most of it windowed (32)   | two caches; the windowed one forgets        |
| `qwen2vl`| attention, positions in three numbers | a KV cache in which pictures are flat       |
| `qwen3moe`| attention, and four experts, two used | a KV cache                                  |
| `mamba`  | state space                           | a state: cannot be cut                      |
| `jamba`  | state space and attention             | both                                        |

Their text means nothing, but depends on all of what came before, in 32-bit floats: whoever reuses
a prefix wrongly gives another answer. Each is under 2 MB and always the same.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np

WIDTH = 64
FORWARD = 128
LAYERS = 4
HEADS, KV_HEADS = 4, 2
WINDOW = 32
CONTEXT = 2048
CONTROL = ("<|im_start|>", "<|im_end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_model(
    path: Path,
    architecture: str,
    add: Callable[[gguf.GGUFWriter], None] = lambda _: None,
    *,
    tensors_a_file: int = 0,
    chat_template: str = CHAT_TEMPLATE,
) -> Path:
    """Write the model of that architecture (a key of `ARCHITECTURES`). `add` says more of it.

    With `tensors_a_file` it is spread over several, `...-00001-of-0000N.gguf` beside `path`.
    """
    writer = gguf.GGUFWriter(path, architecture, split_max_tensors=tensors_a_file)
    vocabulary = add_tokenizer(writer)
    writer.add_name(f"tiny {architecture}")
    writer.add_chat_template(chat_template)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_layer_norm_rms_eps(1e-5)
    weights = _Weights(writer)
    weights.random("token_embd.weight", WIDTH, vocabulary, scale=1.0)
    weights.ones("output_norm.weight", WIDTH)
    weights.random("output.weight", WIDTH, vocabulary)
    ARCHITECTURES[architecture](writer, weights)
    add(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _llama(writer: gguf.GGUFWriter, weights: _Weights) -> None:
    _add_attention_facts(writer, KV_HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    for layer in range(LAYERS):
        weights.attention(layer)
        weights.feed_forward(layer)


def _gemma3(writer: gguf.GGUFWriter, weights: _Weights) -> None:
    _add_attention_facts(writer, KV_HEADS)
    writer.add_key_length(WIDTH // HEADS)
    writer.add_value_length(WIDTH // HEADS)
    writer.add_sliding_window(WINDOW)
    writer.add_sliding_window_pattern([layer % 2 == 0 for layer in range(LAYERS)])
    for layer in range(LAYERS):
        weights.attention(layer)
        weights.ones(f"blk.{layer}.attn_q_norm.weight", WIDTH // HEADS, scale=2)
        weights.ones(f"blk.{layer}.attn_k_norm.weight", WIDTH // HEADS, scale=2)
        weights.ones(f"blk.{layer}.post_attention_norm.weight", WIDTH)
        weights.feed_forward(layer)
        weights.ones(f"blk.{layer}.post_ffw_norm.weight", WIDTH)


def _qwen2vl(writer: gguf.GGUFWriter, weights: _Weights) -> None:
    _add_attention_facts(writer, KV_HEADS)
    writer.add_rope_dimension_sections([2, 3, 3, 0])
    for layer in range(LAYERS):
        weights.attention(layer)
        weights.ones(f"blk.{layer}.attn_q.bias", WIDTH)
        weights.ones(f"blk.{layer}.attn_k.bias", WIDTH // HEADS * KV_HEADS)
        weights.ones(f"blk.{layer}.attn_v.bias", WIDTH // HEADS * KV_HEADS)
        weights.feed_forward(layer)


def _qwen3moe(writer: gguf.GGUFWriter, weights: _Weights) -> None:
    _add_attention_facts(writer, KV_HEADS)
    writer.add_key_length(WIDTH // HEADS)
    writer.add_value_length(WIDTH // HEADS)
    writer.add_expert_count(EXPERTS)
    writer.add_expert_used_count(2)
    writer.add_expert_feed_forward_length(WIDTH)
    for layer in range(LAYERS):
        weights.attention(layer)
        weights.ones(f"blk.{layer}.attn_q_norm.weight", WIDTH // HEADS, scale=2)
        weights.ones(f"blk.{layer}.attn_k_norm.weight", WIDTH // HEADS, scale=2)
        weights.ones(f"blk.{layer}.ffn_norm.weight", WIDTH)
        weights.random(f"blk.{layer}.ffn_gate_inp.weight", WIDTH, EXPERTS)
        for part in ("gate", "up", "down"):
            weights.random(f"blk.{layer}.ffn_{part}_exps.weight", WIDTH, WIDTH, EXPERTS)


def _mamba(writer: gguf.GGUFWriter, weights: _Weights) -> None:
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    _add_state_space_facts(writer)
    for layer in range(LAYERS):
        weights.state_space(layer)


def _jamba(writer: gguf.GGUFWriter, weights: _Weights) -> None:
    attention = [layer % 2 == 1 for layer in range(LAYERS)]
    _add_attention_facts(writer, [KV_HEADS if here else 0 for here in attention])
    _add_state_space_facts(writer)
    for layer, here in enumerate(attention):
        if here:
            weights.attention(layer)
        else:
            weights.state_space(layer)
            for name, length in (("dt", RANK), ("b", STATE), ("c", STATE)):
                weights.ones(f"blk.{layer}.ssm_{name}_norm.weight", length)
        weights.feed_forward(layer)


ARCHITECTURES: dict[str, Callable[[gguf.GGUFWriter, _Weights], None]] = {
    "llama": _llama,
    "gemma3": _gemma3,
    "qwen2vl": _qwen2vl,
    "qwen3moe": _qwen3moe,
    "mamba": _mamba,
    "jamba": _jamba,
}

EXPERTS = 4
INNER, STATE, RANK, KERNEL = 2 * WIDTH, 8, 4, 4


def _add_attention_facts(writer: gguf.GGUFWriter, kv_heads: int | list[int]) -> None:
    writer.add_feed_forward_length(FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(kv_heads)


def _add_state_space_facts(writer: gguf.GGUFWriter) -> None:
    writer.add_ssm_conv_kernel(KERNEL)
    writer.add_ssm_inner_size(INNER)
    writer.add_ssm_state_size(STATE)
    writer.add_ssm_time_step_rank(RANK)


def add_tokenizer(writer: gguf.GGUFWriter, size: int = 0) -> int:
    """A SentencePiece vocabulary: control tokens, every byte, every printable ASCII character and
    some words. All text can be tokenised; unknown characters take a token for each byte. Unused
    tokens make it `size` long."""
    words = ["▁the", "▁a", "▁and", "▁of", "▁to", "▁in", "▁is", "▁you", "▁that", "▁it"]
    characters = [chr(code) for code in range(33, 127)] + ["\n", "▁"]
    kinds = gguf.TokenType
    tokens = (
        [("<unk>", kinds.UNKNOWN), ("<s>", kinds.CONTROL), ("</s>", kinds.CONTROL)]
        + [(f"<0x{byte:02X}>", kinds.BYTE) for byte in range(256)]
        + [(text, kinds.NORMAL) for text in characters + _prefixes(words)]
        + [(text, kinds.CONTROL) for text in CONTROL]
    )
    tokens += [(f"<unused{number}>", kinds.UNUSED) for number in range(size - len(tokens))]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([text for text, _ in tokens])
    writer.add_token_scores([float(len(text)) for text, _ in tokens])
    writer.add_token_types([kind for _, kind in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_vocab_size(len(tokens))
    return len(tokens)


def _prefixes(words: list[str]) -> list[str]:
    """SentencePiece joins pairs: a word is reached through its own beginnings."""
    return list(dict.fromkeys(word[:end] for word in words for end in range(2, len(word) + 1)))


class _Weights:
    """Adds tensors. Shapes as ggml counts: the row length first."""

    def __init__(self, writer: gguf.GGUFWriter) -> None:
        self._writer = writer
        self._random = np.random.default_rng(7)

    def add(self, name: str, values: np.ndarray) -> None:
        self._writer.add_tensor(name, np.ascontiguousarray(values, dtype=np.float32))

    def random(self, name: str, *shape: int, scale: float | None = None) -> None:
        """Normal values; by default so large that a layer keeps the size of what it is given."""
        spread = shape[0] ** -0.5 if scale is None else scale
        self.add(name, self._random.normal(0, spread, shape[::-1]))

    def ones(self, name: str, length: int, scale: float = 1) -> None:
        self.add(name, np.full(length, scale))

    def attention(self, layer: int) -> None:
        """Weights large enough that a few tokens of the past are looked at hard, near or far."""
        head = WIDTH // HEADS
        self.ones(f"blk.{layer}.attn_norm.weight", WIDTH)
        self.random(f"blk.{layer}.attn_q.weight", WIDTH, HEADS * head, scale=0.3)
        self.random(f"blk.{layer}.attn_k.weight", WIDTH, KV_HEADS * head, scale=0.3)
        self.random(f"blk.{layer}.attn_v.weight", WIDTH, KV_HEADS * head, scale=0.5)
        self.random(f"blk.{layer}.attn_output.weight", HEADS * head, WIDTH)

    def feed_forward(self, layer: int) -> None:
        self.ones(f"blk.{layer}.ffn_norm.weight", WIDTH)
        self.random(f"blk.{layer}.ffn_gate.weight", WIDTH, FORWARD)
        self.random(f"blk.{layer}.ffn_up.weight", WIDTH, FORWARD)
        self.random(f"blk.{layer}.ffn_down.weight", FORWARD, WIDTH)

    def state_space(self, layer: int) -> None:
        """A Mamba block. `ssm_a` is negative and small: the state fades, over hundreds of tokens."""
        name = f"blk.{layer}"
        self.ones(f"{name}.attn_norm.weight", WIDTH)
        self.random(f"{name}.ssm_in.weight", WIDTH, 2 * INNER)
        self.random(f"{name}.ssm_conv1d.weight", KERNEL, INNER)
        self.random(f"{name}.ssm_conv1d.bias", INNER)
        self.random(f"{name}.ssm_x.weight", INNER, RANK + 2 * STATE, scale=0.3)
        self.random(f"{name}.ssm_dt.weight", RANK, INNER)
        self.add(f"{name}.ssm_dt.bias", np.full(INNER, -2.0))
        self.add(f"{name}.ssm_a", -np.tile(np.arange(1, STATE + 1) / 128, (INNER, 1)))
        self.ones(f"{name}.ssm_d", INNER)
        self.random(f"{name}.ssm_out.weight", INNER, WIDTH)
