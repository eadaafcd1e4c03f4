"""What was loaded how, what makes room for what, and what may finish before it goes."""

import asyncio

import msgspec
import pytest

from lmnb.engine.options import LoadOptions
from lmnb.errors import (
    InsufficientMemory,
    InvalidRequest,
    LoadFailed,
    ModelInUse,
    ModelNotFound,
    QueueFull,
    ServiceClosed,
)
from lmnb.service.settings import settings_key
from tests.until import until


class Guard:
    """Lets so many models be loaded at a time."""

    def __init__(self, limit):
        self.limit = limit
        self.manager = None
        self.asked = []

    async def check(self, target):
        self.asked.append((target.identifier, target.guardrail))
        if target.guardrail != "off" and len(self.manager.loaded()) >= self.limit:
            raise InsufficientMemory("too much")
        return msgspec.structs.replace(target.options, threads=1)


@pytest.fixture
def guarded(make):
    """A manager with room for one model at a time, and its guard."""
    guard = Guard(1)
    guard.manager = make(guard=guard)
    return guard.manager, guard


def ids(manager):
    return [model.id for model in manager.loaded()]


async def begun(coroutine):
    """It has had time to begin, and to end if nothing held it up."""
    task = asyncio.ensure_future(coroutine)
    await asyncio.sleep(0.1)
    return task


async def leaving(manager, model):
    """It is being unloaded, and waits for what it is answering."""
    task = asyncio.ensure_future(manager.unload(model.id))
    await until(lambda: model.departure)
    return task


async def told(subscription):
    subscription.close()
    return [(notice.kind, notice.data) async for notice in subscription]


# -- options


async def test_a_call_comes_before_what_is_saved_and_that_before_the_server(make, folder):
    manager = make(defaults=LoadOptions(slots=2, threads=2, batch_size=64))
    record = await manager.find("alpha")
    manager.choices.settings.put(settings_key(record), {"threads": 3, "batch_size": 32})
    by_hand = await manager.load("alpha", {"batch_size": 16}, identifier="mine")
    assert by_hand.engine.options == LoadOptions(slots=2, threads=3, batch_size=16)
    await manager.unload("mine")
    on_request = await manager.get("alpha")
    assert on_request.engine.options == LoadOptions(slots=2, threads=3, batch_size=32)


async def test_a_change_of_settings_waits_for_the_next_load(manager):
    record = await manager.find("alpha")
    model = await manager.load("alpha")
    given = await manager.load("alpha", {"slots": 7})
    manager.choices.settings.put(settings_key(record), {"slots": 7})
    assert await manager.load("alpha") is model
    assert [await manager.choices.is_outdated(one) for one in (model, given)] == [True, False]
    await manager.unload("alpha")
    assert (await manager.load("alpha", new_instance=True)).engine.options.slots == 7


async def test_saved_settings_that_do_not_go_together_are_an_error_of_the_load(manager):
    record = await manager.find("alpha")
    unfit = {"flash_attention": False, "cache_type_v": "q8_0"}
    manager.choices.settings.put(settings_key(record), unfit)
    with pytest.raises(InvalidRequest, match="flash attention"):
        await manager.get("alpha")


# -- room


async def test_of_models_loaded_on_request_the_idle_go_for_the_next(manager):
    await manager.get("alpha")
    subscription = manager.notices.subscribe()
    await manager.get("beta")
    assert ids(manager) == ["beta"]
    about = {"instance_id": "alpha", "model": "alpha", "reason": "evicted"}
    assert ("model_unload", about) in await told(subscription)


async def test_what_is_in_use_or_was_loaded_by_hand_does_not_go(manager):
    await manager.load("alpha")
    await manager.acquire("beta")
    await manager.load("beta", identifier="by hand")
    await manager.get(await manager.target("alpha", context_length=9999))
    assert ids(manager) == ["alpha", "beta", "by hand", "alpha:2"]


async def test_nothing_goes_when_eviction_is_switched_off(make):
    manager = make(auto_evict=False)
    await manager.get("alpha")
    await manager.get("beta")
    assert ids(manager) == ["alpha", "beta"]


async def test_a_load_by_hand_evicts_only_when_memory_is_short(manager, guarded):
    await manager.get("alpha")
    await manager.load("beta")
    assert ids(manager) == ["alpha", "beta"]
    tight, _ = guarded
    await tight.get("alpha")
    await tight.load("beta")
    assert ids(tight) == ["beta"]


async def test_too_little_memory_is_said_when_nothing_more_can_go(guarded, factory):
    manager, guard = guarded
    await manager.load("alpha")
    with pytest.raises(InsufficientMemory):
        await manager.get("beta")
    assert len(factory.loads) == 1
    await manager.load("beta", guardrail="off")
    assert guard.asked[-1] == ("beta", "off")


async def test_what_is_left_open_is_settled_before_the_load(guarded):
    manager, _ = guarded
    model = await manager.load("alpha", {"slots": 2})
    assert model.engine.options == LoadOptions(slots=2, threads=1)
    assert await manager.load("alpha", {"slots": 2}) is model
    assert not await manager.choices.is_outdated(model)


# -- waiting


async def test_too_many_may_not_wait_for_a_load(make, factory):
    manager = make(defaults=LoadOptions(slots=1, queue_limit=2))
    factory.gate = asyncio.Event()
    joined = []
    gets = [manager.get("alpha", progress=joined.append) for _ in range(3)]
    waiting = [asyncio.ensure_future(get) for get in gets]
    await until(lambda: len(joined) == 3)
    with pytest.raises(QueueFull) as caught:
        await manager.get("alpha")
    assert caught.value.retry_after is not None
    factory.gate.set()
    assert len({id(model) for model in await asyncio.gather(*waiting)}) == 1


async def test_loads_are_done_one_after_the_other(manager, factory):
    factory.gate, joined = asyncio.Event(), []
    first = asyncio.ensure_future(manager.load("alpha", progress=joined.append))
    await until(lambda: joined and factory.begun)
    second = asyncio.ensure_future(manager.load("beta", progress=joined.append))
    await until(lambda: len(joined) >= 2)
    await asyncio.sleep(0.05)
    assert factory.begun == 1
    factory.gate.set()
    await asyncio.gather(first, second)
    assert ids(manager) == ["alpha", "beta"]


async def test_a_load_tells_everybody_how_far_it_is(manager, factory):
    subscription = manager.notices.subscribe()
    await manager.load("alpha")
    factory.fail = LoadFailed("no such tensor")
    with pytest.raises(LoadFailed):
        await manager.get("beta")
    notices = await told(subscription)
    steps = [(kind.removeprefix("model_load."), data["instance_id"]) for kind, data in notices]
    assert steps == [
        *((step, "alpha") for step in ("start", "progress", "progress", "end")),
        *((step, "beta") for step in ("start", "progress", "progress", "error")),
    ]
    assert [data["progress"] for kind, data in notices if "progress" in kind] == [0.5, 1] * 2
    assert notices[-1][1]["error"]["message"] == "no such tensor"
    assert notices[-1][1]["jit"]


# -- going


async def test_an_unload_lets_requests_finish_and_begins_none(manager, factory):
    model = await manager.acquire("alpha")
    going = await leaving(manager, model)
    coming = await begun(manager.get("alpha"))
    assert model.engine.alive
    assert len(factory.loads) == 1
    model.uses.leave()
    await going
    assert not model.engine.alive
    assert (await coming).engine.alive
    assert len(factory.loads) == 2


async def test_what_takes_too_long_to_finish_stays(manager):
    model = await manager.acquire("alpha")
    with pytest.raises(ModelInUse, match="still answering 1"):
        await manager.unload("alpha", wait=0)
    assert await manager.get("alpha") is model


async def test_an_unload_may_end_what_runs(manager):
    model = await manager.acquire("alpha")
    waiting = await leaving(manager, model)
    await manager.unload("alpha", cancel_running=True)
    assert not model.engine.alive
    await waiting
    assert ids(manager) == []
    again = await manager.get("alpha")
    model.uses.leave()
    assert ids(manager) == [again.id]


async def test_a_caller_that_goes_away_does_not_undo_its_unload(manager):
    model = await manager.acquire("alpha")
    going = await leaving(manager, model)
    going.cancel()
    await asyncio.wait([going])
    model.uses.leave()
    await until(lambda: not model.engine.alive)


async def test_closing_leaves_nothing_that_goes_on(manager):
    before = asyncio.all_tasks()
    going = await leaving(manager, await manager.acquire("alpha"))
    await manager.close()
    assert asyncio.all_tasks() - {going} <= before
    await asyncio.wait([going])


async def test_a_short_name_unloads_the_one_instance_it_can_mean(manager, factory):
    await manager.load("alpha", identifier="mine")
    await manager.unload("alpha.gguf")
    assert ids(manager) == []
    factory.gate = asyncio.Event()
    loading = asyncio.ensure_future(manager.load("alpha", identifier="mine"))
    await until(lambda: factory.begun == 2)
    await manager.unload("ALPHA")
    with pytest.raises(ServiceClosed):
        await loading
    factory.gate = None
    for name in ("mine", "yours"):
        await manager.load("alpha", identifier=name)
    with pytest.raises(InvalidRequest, match="'mine', 'yours'"):
        await manager.unload("alpha")
    with pytest.raises(ModelNotFound, match="'mine', 'yours'"):
        await manager.unload("beta")


async def test_a_dead_instance_is_said_to_have_died_when_it_comes_back(manager):
    model = await manager.load("alpha", {"slots": 3}, identifier="mine", ttl=50)
    model.engine.die(ServiceClosed("gone"))
    subscription = manager.notices.subscribe()
    again = await manager.get("mine")
    assert (again.engine.options.slots, again.jit) == (3, False)
    kind, data = (await told(subscription))[1]
    assert (kind, data["reason"]) == ("model_unload", "died")


async def test_an_idle_model_is_said_to_have_gone_for_that(manager):
    subscription = manager.notices.subscribe()
    await manager.get("alpha", ttl=0.05)
    async for notice in subscription:
        if notice.kind == "model_unload":
            break
    assert notice.data["reason"] == "idle"
