"""Models in the folders of programs that name their files in ways of their own."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import msgspec

from lmnb.models.names import ModelName
from lmnb.models.quant_names import is_quant
from lmnb.models.store.found import Found, Problem, Scan
from lmnb.models.store.reading import read_small

__all__ = ["hub_path", "scan_ollama"]

MAX_MANIFESTS = 10_000
MAX_MANIFEST_BYTES = 1 << 20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_FLAT = re.compile(r"(?P<owner>[^_]+)_(?P<repo>.+?-GGUF)_(?P<file>.+\.gguf)", re.IGNORECASE)


def hub_path(name: str) -> PurePosixPath:
    """Where a file of llama.cpp's cache lies on the Hub: it writes `owner_repo-GGUF_file.gguf`."""
    match = _FLAT.fullmatch(name)
    return (
        PurePosixPath(match["owner"], match["repo"], match["file"])
        if match
        else PurePosixPath(name)
    )


class _Layer(msgspec.Struct):
    digest: str
    media_type: str = msgspec.field(default="", name="mediaType")


class _Manifest(msgspec.Struct):
    layers: list[_Layer] = []


def scan_ollama(root: Path) -> Scan:
    """The models that Ollama's manifests name:

        manifests/<host>/<namespace>/<model>/<tag>    JSON: layers with a type and a digest
        blobs/sha256-<digest>                         the GGUF files

    Models without a GGUF file (Ollama has those too) are left out.
    """
    found = Scan()
    for at, manifest in enumerate(sorted((root / "manifests").glob("*/*/*/*"))):
        if at == MAX_MANIFESTS:
            found.problems.append(Problem(root, "not read to the end: too many manifests"))
            break
        try:
            content = read_small(manifest, MAX_MANIFEST_BYTES)
            layers = msgspec.json.decode(content, type=_Manifest).layers
            models, projectors = _blobs(root, layers, "model"), _blobs(root, layers, "projector")
        except (OSError, ValueError) as error:
            found.problems.append(Problem(manifest, f"cannot be read: {error}"))
            continue
        if models:
            _, namespace, model, tag = manifest.relative_to(root / "manifests").parts
            name = _name(namespace, model, tag)
            relative = PurePosixPath(name.display)
            found.models.append(Found(models[:1], relative, name, next(iter(projectors), None)))
    return found


def _blobs(root: Path, layers: list[_Layer], kind: str) -> tuple[Path, ...]:
    wanted = f"application/vnd.ollama.image.{kind}"
    digests = [layer.digest for layer in layers if layer.media_type == wanted]
    if not all(map(_DIGEST.fullmatch, digests)):
        raise ValueError("a digest that is none")
    return tuple(root / "blobs" / digest.replace(":", "-") for digest in digests)


def _name(namespace: str, model: str, tag: str) -> ModelName:
    """`gemma3:1b` of Ollama's own library is `ollama/gemma3:1b`; what it fetched from the Hub is
    called as there."""
    quant = tag if is_quant(tag) else ""
    shown = re.sub(r"[-_.]gguf$", "", model, flags=re.IGNORECASE)
    if tag != "latest" and not quant:
        shown = f"{shown}:{tag}"
    return ModelName(
        publisher="ollama" if namespace == "library" else namespace.lower(),
        repository=model.lower(),
        model=shown.lower(),
        quant=quant.lower(),
        display=shown,
    )
