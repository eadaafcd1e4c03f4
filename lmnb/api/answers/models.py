"""What is here, what is loaded, and the server itself."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

Object = dict[str, Any]


class Health(TypedDict):
    status: Literal["ok"]


class Model(TypedDict):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    context_length: int | None
    state: Literal["loaded", "not-loaded"]
    display_name: str


class ModelList(TypedDict):
    object: Literal["list"]
    data: list[Model]


class Quantization(TypedDict):
    name: str | None
    bits_per_weight: float | None


class Instance(TypedDict):
    id: str
    config: Object


class Reasoning(TypedDict):
    allowed_options: list[Literal["off", "on", "low", "medium", "high"]]
    default: Literal["off", "on", "low", "medium", "high"]


class Capabilities(TypedDict):
    vision: bool
    trained_for_tool_use: bool
    fill_in_the_middle: bool
    reasoning: NotRequired[Reasoning]


class Details(TypedDict):
    """From the header; null where it does not say. `deletable`: not shared, nor another program's."""

    parameters: int | None
    bits_per_weight: float | None
    layers: int | None
    embedding_length: int | None
    vocabulary: int | None
    experts: int | None
    experts_used: int | None
    sliding_window: int | None
    recurrent: bool
    pooling: Literal["none", "mean", "cls", "last", "rank"] | None
    chat_template: bool
    files: int
    projector: str | None
    deletable: bool


class NativeModel(TypedDict):
    """LM Studio's description of a model, and where it lies."""

    type: Literal["llm", "embedding"]
    publisher: str
    key: str
    display_name: str
    architecture: NotRequired[str | None]
    quantization: Quantization
    size_bytes: int
    params_string: str | None
    loaded_instances: list[Instance]
    max_context_length: int
    format: Literal["gguf"]
    capabilities: NotRequired[Capabilities]
    description: NotRequired[None]
    variants: list[str]
    selected_variant: str
    path: str
    details: Details


class PlannedFile(TypedDict):
    source: str
    target: str


class PlannedImport(TypedDict):
    """The answer to `dry_run`."""

    dry_run: Literal[True]
    files: list[PlannedFile]


class NativeAdapter(TypedDict):
    """A LoRA: a load may name its `path`. `architecture`: of the models that it is for."""

    name: str
    architecture: str | None
    quantization: Quantization
    size_bytes: int
    path: str


class NativeModelList(TypedDict):
    models: list[NativeModel]
    adapters: list[NativeAdapter]


class ModelLoad(TypedDict):
    type: Literal["llm", "embedding"]
    instance_id: str
    load_time_seconds: float
    status: Literal["loaded"]
    estimated_memory_bytes: NotRequired[int]
    memory_bytes: NotRequired[int]
    """What its process takes now; a cache takes its memory as it fills."""
    load_config: NotRequired[Object]


class DeviceEstimate(TypedDict):
    """Bytes. `reclaimable_bytes`: of the weights, pages of the file that are read once."""

    name: str
    kind: Literal["cpu", "gpu"]
    layers: int
    total_bytes: int
    free_bytes: int
    weights_bytes: int
    kv_cache_bytes: int
    compute_bytes: int
    projector_bytes: int
    reclaimable_bytes: int
    total_required_bytes: int


class GuardrailVerdict(TypedDict):
    mode: Literal["strict", "balanced", "relaxed", "off"]
    allowed: bool
    reason: str | None


class AutomaticFit(TypedDict):
    gpu_layers: int
    context_length: int


class ModelEstimate(TypedDict):
    model: str
    load_config: Object
    devices: list[DeviceEstimate]
    total_bytes: int
    process_bytes: int
    """What the engine's process takes without a model."""
    host_cache_bytes: int
    """What evicted conversations may take besides."""
    fit: Literal["full_gpu", "partial_gpu", "cpu", "too_large"]
    guardrail: GuardrailVerdict
    max_context_length: int
    automatic: AutomaticFit
    layers: int
    arithmetic: list[str]


class ModelSettings(TypedDict):
    model: str
    settings: Object
    """What is set for it."""
    effective: Object
    """What a load would take; null: lmnb decides."""
    needs_reload: bool
    """Something of it is loaded as it was set before. It stays so until it is loaded again."""


class ModelUnload(TypedDict):
    instance_id: str


class LoadedStatus(TypedDict):
    """An instance. Times in seconds since 1970."""

    identifier: str
    model: str
    state: Literal["IDLE", "PROCESSINGPROMPT", "GENERATING"]
    size_bytes: int
    context_length: int
    parallel: int
    pid: int | None
    memory_bytes: int | None
    loaded_at: float
    last_used: float
    running: int
    waiting: int
    ttl: float | None
    jit: bool
    config: Object
    needs_reload: bool
    """It was set otherwise since."""
    engine: Object | None
    """What its process counts; null: it did not answer."""


class Gpu(TypedDict):
    name: str
    description: str
    memory_total_bytes: int
    memory_free_bytes: int
    shared_memory: bool


class Machine(TypedDict):
    """As far as models may use it: within the limits of a container and of JupyterHub."""

    cpu_count: int | None
    memory_total_bytes: int
    memory_available_bytes: int
    gpus: list[Gpu]
    gpus_reason: str | None
    """Why none is used."""


class Status(TypedDict):
    version: str
    uptime_seconds: float
    base_url: str
    loaded: list[LoadedStatus]
    machine: Machine
