"""What fits, what is refused and with which words, what the automatic fit picks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pytest

from lmnb.engine.options import LoadOptions, LoraAdapter
from lmnb.errors import InsufficientMemory, InvalidRequest
from lmnb.models.memory.fit import PROCESS_BYTES
from lmnb.models.memory.need import Device, Machine
from lmnb.models.store.store import ModelRecord, ModelStore
from lmnb.service.database import Database
from lmnb.service.estimate import Estimate
from lmnb.service.estimates import Estimates
from lmnb.service.instances import Target
from lmnb.service.manager import ModelManager
from lmnb.service.settings import Settings
from tests.scripted import ScriptedFactory
from tests.sized import Sized, write_sized

MIB = 1 << 20
GIB = 1 << 30


def gpu(free: int, *, name: str = "CUDA0", shared: bool = False) -> Device:
    return Device(name, "gpu", free, free, shared)


@dataclass
class FixedMachine:
    """So much memory, all of it free unless `used`."""

    total: int = 64 * GIB
    used: int = 0
    gpus: tuple[Device, ...] = ()
    looks: list[int] = field(default_factory=list)

    def look(self) -> Machine:
        self.looks.append(1)
        return Machine(Device("CPU", "cpu", self.total, self.total - self.used), self.gpus)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> ModelRecord:
    """565 MiB in 20 layers, embedding and output; 80 KiB of cache a token."""
    path = tmp_path_factory.mktemp("models") / "middle.gguf"
    write_sized(
        path, Sized("llama", width=1024, forward=2816, layers=20, kv_heads=8, context=131072)
    )
    return ModelStore([path], import_dir=path.parent / "imported").list()[0]


SHARED = LoadOptions(kv_unified=True)
"""As the slots of larger models share a cache."""


async def estimate(
    record: ModelRecord, machine: FixedMachine, guardrail: str | None = None, **options: object
) -> Estimate:
    changed = msgspec.structs.replace(SHARED, **options)
    return await Estimates(machine).estimate(record, changed, guardrail)


async def test_without_a_gpu_everything_is_in_main_memory(record: ModelRecord) -> None:
    found = await estimate(record, FixedMachine())
    (need,) = found.needs
    assert (found.fit, found.allowed, found.layers) == ("cpu", True, 21)
    assert need.weights == pytest.approx(record.size_bytes, rel=0.01)
    assert need.cache == 20 * 4096 * 2 * 8 * 128 * 2
    assert found.total == need.weights + need.cache + need.compute
    assert found.options == SHARED
    assert found.max_context_length == record.info.context_length
    assert found.host_cache == need.cache // 3


async def test_the_arithmetic_adds_up_and_names_its_parts(record: ModelRecord) -> None:
    found = await estimate(record, FixedMachine(), slots=8, kv_unified=False)
    text = "\n".join(found.arithmetic)
    assert "20 layers x 4096 cells x 8 caches x (1024 F16 keys + 1024 F16 values)" in text
    assert "CPU: " in text and f"{found.total / GIB:.2f} GiB" in text


async def test_a_gpu_takes_all_layers_while_it_has_room(record: ModelRecord) -> None:
    found = await estimate(record, FixedMachine(gpus=(gpu(8 * GIB),)))
    cpu, first = found.needs
    assert (found.fit, found.automatic_layers, found.options.gpu) == ("full_gpu", 21, 21)
    assert (cpu.layers, first.layers) == (0, 21)
    assert cpu.weights == pytest.approx(16000 * 1024 * 2, rel=0.01)  # the embedding stays
    assert cpu.cache == 0


async def test_a_small_gpu_takes_as_many_layers_as_it_holds(record: ModelRecord) -> None:
    machine = FixedMachine(gpus=(gpu(512 * MIB),))
    found = await estimate(record, machine)
    assert found.fit == "partial_gpu"
    assert 0 < found.automatic_layers < 21
    assert found.options.gpu == found.automatic_layers
    assert found.needs[1].total <= 0.9 * 512 * MIB
    assert not (await estimate(record, machine, gpu=found.automatic_layers + 1)).allowed
    assert not (await estimate(record, machine, gpu="max")).allowed


async def test_what_a_caller_chose_is_not_changed(record: ModelRecord) -> None:
    machine = FixedMachine(gpus=(gpu(512 * MIB),))
    found = await estimate(record, machine, gpu=3, context_length=1000)
    assert (found.options.gpu, found.options.context_length) == (3, 1000)


async def test_layers_are_spread_over_gpus_by_share(record: ModelRecord) -> None:
    two = (gpu(8 * GIB), gpu(8 * GIB, name="CUDA1"))
    even = await estimate(record, FixedMachine(gpus=two))
    assert [need.layers for need in even.needs] == [0, 11, 10]
    skewed = await estimate(record, FixedMachine(gpus=two), tensor_split=(3.0, 1.0))
    assert [need.layers for need in skewed.needs] == [0, 16, 5]


async def test_shared_memory_is_counted_once(record: ModelRecord) -> None:
    """A Mac's GPU has no memory of its own: both together must fit into what is free."""
    whole = (await estimate(record, FixedMachine())).total
    machine = FixedMachine(total=2 * GIB, gpus=(gpu(2 * GIB, name="Metal", shared=True),))
    assert (await estimate(record, machine)).fit == "full_gpu"
    machine.used = 2 * GIB - whole - PROCESS_BYTES - 64 * MIB
    assert (await estimate(record, machine, "relaxed")).fit == "full_gpu"
    machine.used += 128 * MIB
    assert (await estimate(record, machine, "relaxed", context_length=4096)).fit == "too_large"


async def test_the_context_is_shortened_where_the_caller_left_it_open(record: ModelRecord) -> None:
    machine = FixedMachine(total=896 * MIB)
    found = await estimate(record, machine)
    chosen = found.options.context_length
    assert chosen is not None and 256 <= chosen < 4096
    assert found.allowed and found.automatic_context == chosen == found.max_context_length
    longer = await estimate(record, machine, context_length=chosen + 256)
    assert not longer.allowed and longer.fit == "too_large"


async def test_a_refusal_has_both_numbers_and_what_would_fit(record: ModelRecord) -> None:
    found = await estimate(record, FixedMachine(total=896 * MIB), context_length=8192)
    assert found.reason.startswith(f"'{record.id}' needs 1.2")
    assert "710.4 MiB" in found.reason  # 896 less 90 for the guardrail and 96 for the process
    assert f"a context of {found.max_context_length} tokens" in found.reason
    tiny = await estimate(record, FixedMachine(total=400 * MIB), context_length=256)
    assert "bits a weight" in tiny.reason


async def test_guardrails_leave_more_or_less_alone(record: ModelRecord) -> None:
    whole = (await estimate(record, FixedMachine(), context_length=4096)).total + PROCESS_BYTES
    allowed = {}
    for guardrail in ("strict", "balanced", "relaxed", "off"):
        for share in (1.4, 1.18, 1.05, 0.9):
            machine = FixedMachine(total=int(whole * share))
            found = await estimate(record, machine, guardrail, context_length=4096)
            allowed[guardrail, share] = found.allowed
    assert [allowed["strict", s] for s in (1.4, 1.18, 1.05, 0.9)] == [True, False, False, False]
    assert [allowed["balanced", s] for s in (1.4, 1.18, 1.05, 0.9)] == [True, True, False, False]
    assert [allowed["relaxed", s] for s in (1.4, 1.18, 1.05, 0.9)] == [True, True, True, False]
    assert all(allowed["off", share] for share in (1.4, 1.18, 1.05, 0.9))
    with pytest.raises(InvalidRequest, match="strict, balanced, relaxed, off"):
        await estimate(record, FixedMachine(), "none")


async def test_models_in_memory_count(record: ModelRecord, tmp_path: Path) -> None:
    """A loaded model has not taken all of its memory yet; what it will take is not there for others."""
    estimates = Estimates(FixedMachine(total=2 * GIB))
    alone = await estimates.estimate(record, LoadOptions())
    store = ModelStore([record.path], import_dir=tmp_path)
    manager = ModelManager(store, ScriptedFactory(), settings=Settings(Database()))
    estimates.loaded = manager.loaded
    await manager.load(record.id)
    beside = await estimates.estimate(record, LoadOptions(context_length=8192))
    assert not beside.allowed and "other models unloaded" in beside.reason
    assert await estimates.estimate(record, LoadOptions(), instead_of=record.id) == alone
    await manager.close()


async def test_the_guard_refuses_or_says_how(record: ModelRecord) -> None:
    small = Estimates(FixedMachine(total=896 * MIB))
    target = Target(record.id, record, LoadOptions(context_length=8192), jit=False)
    with pytest.raises(InsufficientMemory) as refused:
        await small.check(target)
    assert (refused.value.code, refused.value.param) == ("insufficient_memory", "model")
    assert await small.check(replace(target, guardrail="off")) == target.options
    fitted = await small.check(replace(target, options=LoadOptions()))
    assert fitted.context_length is not None and fitted.context_length < 4096


async def test_a_file_that_went_away_is_not_the_guards_to_refuse(tmp_path: Path) -> None:
    path = write_sized(tmp_path / "gone.gguf", Sized("llama", layers=1))
    record = ModelStore([path], import_dir=tmp_path / "imported").list()[0]
    path.unlink()
    target = Target(record.id, record, LoadOptions(), jit=True)
    assert await Estimates(FixedMachine()).check(target) == target.options


async def test_an_answer_is_kept_until_the_file_or_the_memory_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sized(tmp_path / "kept.gguf", Sized("llama", layers=1))
    record = ModelStore([path], import_dir=tmp_path / "imported").list()[0]
    machine = FixedMachine()
    estimates = Estimates(machine)
    first = await estimates.estimate(record, LoadOptions())
    assert await estimates.estimate(record, LoadOptions()) is first
    machine.used = GIB
    second = await estimates.estimate(record, LoadOptions())
    assert second is not first and second.total == first.total
    write_sized(path, Sized("llama", layers=2))
    assert (await estimates.estimate(record, LoadOptions())).total > first.total


async def test_adapters_are_counted(record: ModelRecord, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter.gguf"
    adapter.write_bytes(bytes(5 * MIB))
    plain = await estimate(record, FixedMachine())
    adapted = await estimate(record, FixedMachine(), lora=(LoraAdapter(str(adapter)),))
    assert adapted.total - plain.total == 5 * MIB


async def test_a_projector_is_counted(record: ModelRecord, tmp_path: Path) -> None:
    projector = tmp_path / "mmproj.gguf"
    projector.write_bytes(bytes(7 * MIB))
    seeing = replace(record, projector=projector)
    assert (await estimate(seeing, FixedMachine())).needs[0].projector == 7 * MIB
    assert (await estimate(seeing, FixedMachine(), projector="")).needs[0].projector == 0
    on_gpu = await estimate(seeing, FixedMachine(gpus=(gpu(8 * GIB),)))
    assert [need.projector for need in on_gpu.needs] == [0, 7 * MIB]


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "mamba", "jamba"])
async def test_tiny_models_too(tiny_model: Callable[[str], Path], architecture: str) -> None:
    path = tiny_model(architecture)
    record = ModelStore([path], import_dir=path.parent / "imported").list()[0]
    found = await estimate(record, FixedMachine())
    assert found.fit == "cpu" and found.allowed and len(found.arithmetic) >= 4
