"""Models come when they are asked for, once, and go when they are told to."""

import asyncio

import pytest

from lmnb.engine.options import LoadOptions
from lmnb.errors import InvalidRequest, LoadFailed, ModelInUse, ModelNotFound, ServiceClosed
from tests.until import until


def test_concurrent_first_requests_share_one_load(manager, factory):
    async def main():
        models = await asyncio.gather(*(manager.get("alpha") for _ in range(10)))
        assert len({id(model) for model in models}) == 1

    asyncio.run(main())
    assert len(factory.loads) == 1


def test_a_caller_that_goes_away_does_not_end_the_load_for_others(manager, factory):
    async def main():
        factory.gate, heard = asyncio.Event(), []
        callers = [manager.get("alpha", progress=heard.append) for _ in range(2)]
        first, second = map(asyncio.ensure_future, callers)
        await until(lambda: len(heard) == 2)
        first.cancel()
        factory.gate.set()
        return await second

    assert asyncio.run(main()).engine.alive
    assert len(factory.loads) == 1


@pytest.mark.parametrize(("tied", "end"), [(False, "model_load.end"), (True, "model_load.error")])
def test_the_last_caller_to_go_away_ends_a_load_that_is_tied_to_it(manager, factory, tied, end):
    """Who asks for an answer may come again and find the model; who watched a load stopped it."""

    async def main():
        factory.gate = asyncio.Event()
        callers = [asyncio.ensure_future(manager.load("alpha", tied=tied)) for _ in range(2)]
        await until(lambda: factory.begun)
        with manager.notices.subscribe() as notices:
            callers[0].cancel()
            await asyncio.wait([callers[0]])
            manager.notices.publish("models.changed", {})
            callers[1].cancel()
            await asyncio.wait([callers[1]])
            factory.gate.set()
            assert (await anext(notices)).kind == "models.changed"
            while (kind := (await anext(notices)).kind) == "model_load.progress":
                pass
        assert kind == end
        assert bool(manager.loaded()) is not tied

    asyncio.run(main())


def test_who_asks_while_a_cancelled_load_still_ends_gets_one_of_its_own(manager, factory):
    async def main():
        factory.gate, factory.ended = asyncio.Event(), asyncio.Event()
        asked = {"context_length": 512}
        first = asyncio.ensure_future(manager.load("alpha", asked, tied=True))
        await until(lambda: factory.begun)
        with manager.notices.subscribe() as notices:
            first.cancel()
            await asyncio.wait([first])
            again = asyncio.ensure_future(manager.get("alpha"))
            await asyncio.wait([again], timeout=0.05)
            factory.gate.set()
            factory.ended.set()
            model = await again
            kinds = [(await anext(notices)).kind for _ in range(2)]
        assert kinds == ["model_load.error", "model_load.start"]
        assert (model.jit, model.asked) == (True, {})

    asyncio.run(main())


def test_two_models_are_loaded_side_by_side(manager):
    async def main():
        await asyncio.gather(manager.acquire("alpha"), manager.acquire("beta"))
        return [model.id for model in manager.loaded()]

    assert sorted(asyncio.run(main())) == ["alpha", "beta"]


def test_a_dead_engine_is_replaced_with_the_same_options(manager, factory):
    async def main():
        first = await manager.load("alpha", {"slots": 7})
        first.engine.die(ServiceClosed("gone"))
        assert manager.loaded() == []
        second = await manager.get("alpha")
        assert second is not first
        assert second.engine.options == LoadOptions(slots=7)
        assert not second.jit

    asyncio.run(main())
    assert len(factory.loads) == 2


def test_a_failed_load_is_told_to_all_and_tried_again_next_time(manager, factory):
    async def main():
        factory.fail = LoadFailed("no")
        outcomes = await asyncio.gather(
            *(manager.get("alpha") for _ in range(3)), return_exceptions=True
        )
        assert all(isinstance(outcome, LoadFailed) for outcome in outcomes)
        factory.fail = None
        return await manager.get("alpha")

    assert asyncio.run(main()).engine.alive


def test_progress_reaches_those_who_joined_late(manager, factory):
    async def main():
        factory.gate = asyncio.Event()
        seen = []
        first = asyncio.ensure_future(manager.load("alpha"))
        await until(lambda: factory.begun)
        second = asyncio.ensure_future(manager.load("alpha", progress=seen.append))
        await until(lambda: seen)
        factory.gate.set()
        await asyncio.gather(first, second)
        return seen

    assert asyncio.run(main()) == [0.0, 0.5, 1.0]


def test_loading_again_with_the_same_options_is_nothing_new(manager, factory):
    async def main():
        return (
            await manager.load("alpha", {"slots": 2}),
            await manager.load("alpha", {"slots": 2}),
            await manager.load("alpha"),
        )

    first, second, third = asyncio.run(main())
    assert first is second is third
    assert len(factory.loads) == 1


def test_loading_with_other_options_makes_a_further_instance(manager):
    async def main():
        await manager.load("alpha")
        models = [await manager.load("alpha", {"slots": n}) for n in (2, 3, 2)]
        return [model.id for model in models], [model.id for model in manager.loaded()]

    assert asyncio.run(main()) == (
        ["alpha:2", "alpha:3", "alpha:2"],
        ["alpha", "alpha:2", "alpha:3"],
    )


def test_a_further_instance_of_the_same_can_be_asked_for(manager):
    async def main():
        first = await manager.load("alpha")
        second = await manager.load("alpha", new_instance=True)
        assert second.engine.options == first.engine.options
        await manager.unload("alpha")
        third = await manager.load("alpha", new_instance=True)
        return [model.id for model in (first, second, third)]

    assert asyncio.run(main()) == ["alpha", "alpha:2", "alpha"]


def test_a_load_by_hand_takes_the_place_of_an_idle_one_that_a_request_loaded(manager):
    async def main():
        first = await manager.get("alpha")
        second = await manager.load("alpha", {"slots": 2})
        assert not first.engine.alive
        assert manager.loaded() == [second]
        assert (second.id, second.jit, second.ttl) == ("alpha", False, None)

    asyncio.run(main())


def test_a_load_by_hand_leaves_alone_what_a_request_loaded_and_uses(manager):
    async def main():
        first = await manager.acquire("alpha")
        second = await manager.load("alpha", {"slots": 2})
        assert first.engine.alive
        assert second.id == "alpha:2"

    asyncio.run(main())


def test_another_load_under_an_identifier_replaces_the_instance_when_it_is_idle(manager):
    async def main():
        first = await manager.load("alpha", identifier="mine")
        second = await manager.load("beta", identifier="mine")
        assert not first.engine.alive
        assert manager.loaded() == [second]
        with second.used(), pytest.raises(ModelInUse, match="answering 1"):
            await manager.load("alpha", identifier="mine")
        assert await manager.load("beta", identifier="mine") is second

    asyncio.run(main())


def test_an_identifier_that_is_being_loaded_otherwise_is_in_use(manager, factory):
    async def main():
        factory.gate = asyncio.Event()
        loading = asyncio.ensure_future(manager.load("alpha", identifier="mine"))
        await until(lambda: factory.begun)
        with pytest.raises(ModelInUse, match="being loaded"):
            await manager.load("beta", identifier="mine")
        heard = []
        joining = manager.load("alpha", identifier="mine", progress=heard.append)
        joined = asyncio.ensure_future(joining)
        await until(lambda: heard)
        factory.gate.set()
        assert await joined is await loading

    asyncio.run(main())


def test_a_model_is_answered_by_the_least_busy_of_its_like_instances(manager):
    async def main():
        first = await manager.load("alpha")
        twin = await manager.load("alpha", new_instance=True)
        await manager.load("alpha", {"context_length": 64})
        used = [await manager.acquire("alpha") for _ in range(4)]
        assert used == [first, twin, first, twin]

    asyncio.run(main())


def test_a_model_is_answered_by_whatever_instance_it_has(manager, factory):
    async def main():
        mine = await manager.load("alpha", identifier="mine")
        assert await manager.get("alpha") is mine
        factory.gate = asyncio.Event()
        before, heard = factory.begun, []
        loading = asyncio.ensure_future(manager.load("beta", identifier="other"))
        await until(lambda: factory.begun > before)
        asked = asyncio.ensure_future(manager.get("beta", progress=heard.append))
        await until(lambda: heard)
        factory.gate.set()
        assert await asked is await loading

    asyncio.run(main())


def test_another_identifier_makes_another_instance_and_answers_to_it(manager, factory):
    async def main():
        await manager.load("alpha")
        factory.gate = asyncio.Event()
        before, heard = factory.begun, []
        loading = asyncio.ensure_future(manager.load("alpha", identifier="mine"))
        await until(lambda: factory.begun > before)
        asked = asyncio.ensure_future(manager.get("mine", progress=heard.append))
        await until(lambda: heard)
        factory.gate.set()
        assert await asked is await loading
        assert sorted(model.id for model in manager.loaded()) == ["alpha", "mine"]
        assert await manager.get("mine") is await loading

    asyncio.run(main())


def test_unloading_ends_the_engine_and_forgets_it(manager):
    async def main():
        model = await manager.get("alpha")
        await manager.unload("alpha")
        assert not model.engine.alive
        assert manager.loaded() == []
        with pytest.raises(ModelNotFound, match="nothing"):
            await manager.unload("alpha")

    asyncio.run(main())


def test_unloading_what_is_still_loading_cancels_it(manager, factory):
    async def main():
        factory.gate = asyncio.Event()
        loading = asyncio.ensure_future(manager.get("alpha"))
        await until(lambda: factory.begun)
        await manager.unload("alpha")
        with pytest.raises(ServiceClosed):
            await loading
        assert manager.loaded() == []

    asyncio.run(main())


def test_nothing_is_loaded_on_request_when_that_is_switched_off(make):
    manager = make(jit=False)

    async def main():
        with pytest.raises(ModelNotFound, match="switched off"):
            await manager.get("alpha")
        await manager.load("alpha")
        return await manager.get("alpha")

    assert asyncio.run(main()).id == "alpha"


def test_bad_options_are_refused_before_anything_is_loaded(manager, factory):
    with pytest.raises(InvalidRequest) as caught:
        asyncio.run(manager.load("alpha", {"slots": 1000}))
    assert caught.value.param == "slots"
    assert not factory.loads


def test_closing_ends_engines_and_loads_and_starts_no_more(manager, factory):
    async def main():
        model = await manager.get("alpha")
        factory.gate = asyncio.Event()
        loading = asyncio.ensure_future(manager.get("beta"))
        await until(lambda: factory.begun == 2)
        await manager.close()
        assert not model.engine.alive
        for wanted in (loading, manager.get("alpha")):
            with pytest.raises(ServiceClosed):
                await wanted

    asyncio.run(main())


def test_a_model_loaded_on_request_goes_when_its_time_is_over(manager):
    async def main():
        model = await manager.get("alpha", ttl=0.1)
        await until(lambda: not manager.loaded())
        assert not model.engine.alive

    asyncio.run(main())


def test_a_model_in_use_stays_whatever_its_time(manager):
    async def main():
        model = await manager.get("alpha", ttl=0.05)
        with model.used():
            await asyncio.sleep(0.3)
            assert manager.loaded() == [model]
        await until(lambda: not manager.loaded())

    asyncio.run(main())


def test_a_model_loaded_by_hand_stays_unless_it_was_given_a_time(manager):
    async def main():
        kept = await manager.load("alpha")
        await manager.load("beta", ttl=0.05)
        await manager.get("alpha", ttl=0.05)
        await until(lambda: manager.loaded() == [kept])
        await asyncio.sleep(0.2)
        assert manager.loaded() == [kept]

    asyncio.run(main())


def test_a_model_loaded_on_request_may_idle_for_an_hour(manager):
    async def main():
        return (await manager.get("alpha")).ttl

    assert asyncio.run(main()) == 3600


def test_a_longer_context_is_another_instance_and_a_shorter_one_the_same(manager, factory):
    async def main():
        await manager.get("alpha")
        targets = [await manager.target("alpha", context_length=n) for n in (9000, 100, 9000)]
        models = await asyncio.gather(*(manager.get(target) for target in targets))
        return [model.id for model in models]

    assert asyncio.run(main()) == ["alpha:2", "alpha", "alpha:2"]
    assert [options.context_length for _, options in factory.loads] == [None, 9000]


def test_a_context_is_asked_for_before_anything_is_loaded(manager, factory):
    async def main():
        target = await manager.target("alpha", context_length=512)
        return (await manager.get(target)).id, (await manager.get("alpha")).id

    assert asyncio.run(main()) == ("alpha", "alpha")
    assert [options.context_length for _, options in factory.loads] == [512]


def test_a_load_for_a_request_tells_its_progress(manager):
    steps = []

    async def main():
        await manager.get("alpha", progress=steps.append)
        await manager.get("alpha", progress=steps.append)

    asyncio.run(main())
    assert steps == [0.0, 0.5, 1.0]
