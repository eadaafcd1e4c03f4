"""Models, instances and the machine, in LM Studio's words and a few of our own."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from typing import Any

import msgspec
import psutil

from lmnb._version import __version__
from lmnb.api.services import Services
from lmnb.errors import LmnbError
from lmnb.models.gguf.info import ModelInfo
from lmnb.models.gguf.reasoning import reasoning_options
from lmnb.models.store.index import Part
from lmnb.models.store.store import ModelRecord
from lmnb.service.estimates import Estimates
from lmnb.service.instances import LoadedModel
from lmnb.service.manager import ModelManager

__all__ = ["adapter", "config", "kind", "memory", "model", "status"]

STATUS_SECONDS = 2.0
"""How long an engine may take to say how it is."""


def kind(record: ModelRecord) -> str:
    """LM Studio knows two."""
    return "llm" if record.info.kind == "llm" else "embedding"


def model(record: ModelRecord, loaded: Iterable[LoadedModel]) -> dict[str, Any]:
    """An entry of `GET api/v1/models`."""
    info = record.info
    variant = f"{record.base}@{record.quant}" if record.quant else record.id
    entry = {
        "type": kind(record),
        "publisher": record.name.publisher or "local",
        "key": record.id,
        "display_name": info.name or record.name.model,
        "quantization": _quantization(info),
        "size_bytes": record.size_bytes,
        "params_string": info.params_string or None,
        "loaded_instances": [
            {"id": one.id, "config": config(one)}
            for one in loaded
            if one.record.path == record.path
        ],
        "max_context_length": info.context_length,
        "format": "gguf",
        "variants": [variant],
        "selected_variant": variant,
        "path": str(record.path),
        "details": _details(record),
    }
    if kind(record) == "llm":
        entry |= {
            "architecture": info.architecture or None,
            "capabilities": _capabilities(record),
            "description": None,
        }
    return entry


def adapter(part: Part) -> dict[str, Any]:
    """What a load may name in `lora`."""
    return {
        "name": part.info.name or part.path.stem,
        "architecture": part.info.architecture or None,
        "quantization": _quantization(part.info),
        "size_bytes": part.size_bytes,
        "path": str(part.path),
    }


def _quantization(info: ModelInfo) -> dict[str, Any]:
    return {"name": info.quantization or None, "bits_per_weight": info.nominal_bits}


def _details(record: ModelRecord) -> dict[str, Any]:
    """What the header says besides."""
    info = record.info
    return {
        "parameters": info.parameters or None,
        "bits_per_weight": round(info.bits_per_weight, 2) or None,
        "layers": info.layers or None,
        "embedding_length": info.embedding_length or None,
        "vocabulary": info.vocab_size or None,
        "experts": info.experts or None,
        "experts_used": info.experts_used or None,
        "sliding_window": info.sliding_window or None,
        "recurrent": info.recurrent,
        "pooling": info.pooling,
        "chat_template": info.chat_template is not None,
        "files": len(record.files),
        "projector": str(record.projector) if record.projector else None,
        "deletable": record.root.whose is None,
    }


def _capabilities(record: ModelRecord) -> dict[str, Any]:
    found = {
        "vision": record.vision,
        "trained_for_tool_use": record.info.tool_use,
        "fill_in_the_middle": record.info.fill_in_the_middle,
    }
    options = reasoning_options(record.info)
    if options is None:
        return found
    thinks = {"allowed_options": options.allowed, "default": options.default}
    return {**found, "reasoning": thinks}


def config(one: LoadedModel) -> dict[str, Any]:
    """What an instance was loaded with: every load option, and LM Studio's names for some, as far
    as its kind of model has them."""
    facts, options = one.engine.facts, one.engine.options
    known = {
        **msgspec.to_builtins(options),
        "context_length": facts.context_length,
        "slots": facts.slots,
        "threads": facts.threads,
        "kv_unified": facts.kv_unified,
    }
    if kind(one.record) == "embedding":
        return known
    theirs = {
        "eval_batch_size": facts.batch_size,
        "parallel": facts.slots,
        "flash_attention": facts.flash_attention,
        "num_experts": _experts(one),
        "offload_kv_cache_to_gpu": options.offload_kv_cache,
    }
    # Where LM Studio would have a value, its clients do not expect a null.
    said = known | {name: value for name, value in theirs.items() if value is not None}
    return {name: value for name, value in said.items() if value is not None or name not in theirs}


def _experts(one: LoadedModel) -> int | None:
    """Those that are asked for each token. None: it has none."""
    info = one.record.info
    return (one.engine.options.num_experts or info.experts_used or None) if info.experts else None


async def status(services: Services, base_url: str) -> dict[str, Any]:
    """The answer of `GET api/v1/status`."""
    manager = services.manager
    loaded = await asyncio.gather(*(_instance(manager, one) for one in manager.loaded()))
    return {
        "version": __version__,
        "uptime_seconds": round(time.time() - services.started, 3),
        "base_url": base_url,
        "loaded": loaded,
        "machine": await _machine(services.estimates),
    }


async def _machine(estimates: Estimates) -> dict[str, Any]:
    """Memory as models may take it: within the limits of a container and of JupyterHub."""
    machine = await asyncio.to_thread(estimates.machine.look)
    return {
        "cpu_count": os.cpu_count(),
        "memory_total_bytes": machine.cpu.total,
        "memory_available_bytes": machine.cpu.free,
        "gpus": [
            {
                "name": gpu.name,
                "description": gpu.description,
                "memory_total_bytes": gpu.total,
                "memory_free_bytes": gpu.free,
                "shared_memory": gpu.shared,
            }
            for gpu in machine.gpus
        ],
        "gpus_reason": machine.reason or None,
    }


async def _instance(manager: ModelManager, one: LoadedModel) -> dict[str, Any]:
    facts = one.engine.facts
    running, reading, waiting = one.in_flight, 0, 0
    look = None
    try:
        async with asyncio.timeout(STATUS_SECONDS):
            look = await one.engine.status()
        running, reading, waiting = look.running, look.reading, look.waiting
    except (LmnbError, TimeoutError):
        pass  # it ended while we asked, or is in the middle of a long step
    if running > reading:
        state = "GENERATING"
    else:
        state = "PROCESSINGPROMPT" if running or waiting or one.in_flight else "IDLE"
    return {
        "identifier": one.id,
        "model": one.record.id,
        "state": state,
        "size_bytes": one.record.size_bytes,
        "context_length": facts.context_length,
        "parallel": facts.slots,
        "pid": one.engine.pid,
        "memory_bytes": await memory(one.engine.pid),
        "loaded_at": one.loaded_at,
        "last_used": one.last_used,
        "running": running,
        "waiting": waiting,
        "ttl": one.ttl,
        "jit": one.jit,
        "config": config(one),
        "needs_reload": await manager.choices.is_outdated(one),
        "engine": None if look is None else msgspec.to_builtins(look),
    }


async def memory(pid: int | None) -> int | None:
    """Resident bytes of a process."""

    def look() -> int | None:
        try:
            return int(psutil.Process(pid).memory_info().rss) if pid else None
        except psutil.Error:
            return None

    return await asyncio.to_thread(look)
